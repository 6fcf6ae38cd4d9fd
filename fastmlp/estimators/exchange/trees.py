"""Nested tuples of arrays, such as an optimizer's state, as tensors with names and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.core import Layer

Tensors = dict[str, NDArray[Any]]


def flatten(tree: Any, name: str, tensors: Tensors) -> Any:
    """Put the arrays of a tree into tensors, by their path; return the tree's form.

    Examples
    --------
    >>> tensors = {}
    >>> flatten(((Layer(np.ones((2, 1)), np.ones(1)),), np.asarray(3.0)), "state", tensors)
    [['layer'], 'array']
    >>> list(tensors)
    ['state.0.0.W', 'state.0.0.b', 'state.1']
    """
    if isinstance(tree, Layer):
        for part, array in zip("Wb", tree, strict=True):
            flatten(array, f"{name}.{part}", tensors)
        return "layer"
    if type(tree) is tuple:
        return [flatten(branch, f"{name}.{i}", tensors) for i, branch in enumerate(tree)]
    # C order: the library writes memory as it lies
    tensors[name] = np.array(tree, order="C")
    return "array"


def unflatten(form: Any, name: str, tensors: Tensors, sizes: Sequence[int]) -> Any:
    """Take the arrays of a tree of this form out of tensors.

    ``sizes`` are the layers' units: the i-th layer of a tuple must be of their shapes.

    Raises
    ------
    ValueError
        A tensor is missing, has another shape or is not of floats.
    """
    if form == "array":
        return _taken(name, tensors, None)
    if not isinstance(form, list):
        raise ValueError(f"{form!r} is no form of tensors")
    branches: list[Any] = []
    for i, branch in enumerate(form):
        if branch == "layer":
            if i + 1 >= len(sizes):
                raise ValueError(f"{name}.{i} is one layer too many for {len(sizes) - 1}")
            shape = (sizes[i], sizes[i + 1])
            W = _taken(f"{name}.{i}.W", tensors, shape)
            branches.append(Layer(W, _taken(f"{name}.{i}.b", tensors, shape[1:])))
        else:
            branches.append(unflatten(branch, f"{name}.{i}", tensors, sizes))
    return tuple(branches)


def _taken(name: str, tensors: Tensors, shape: tuple[int, ...] | None) -> Any:
    if name not in tensors:
        raise ValueError(f"the tensor {name!r} is missing")
    array = tensors.pop(name)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    if array.dtype.name not in ("float32", "float64"):
        raise ValueError(f"{name} has dtype {array.dtype}, expected float32 or float64")
    return np.array(array)  # a copy of its own that can be written to
