"""What `Backend.many` promises, said in Python: one case after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from problems import leaves

from fastmlp.backends import Backend, Many, get_backend
from fastmlp.core import tree_map


def loop_vmap(f: Callable[..., Any], axes: Any) -> Callable[..., Any]:
    """Call f for each case, and stack what comes back."""

    def call(*arguments: Any) -> Any:
        n_cases = leaves(arguments[0])[0].shape[0]
        found = [f(*_case(arguments, axes, number)) for number in range(n_cases)]
        return tree_map(lambda *arrays: np.stack(arrays), *found)

    return call


def _case(tree: Any, axes: Any, number: int) -> Any:
    if axes is None:
        return tree
    if axes == 0:
        return tree_map(lambda array: np.asarray(array[number]), tree)
    parts = [_case(part, axis, number) for part, axis in zip(tree, axes, strict=True)]
    return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)


def numpy_of_many() -> Backend:
    """NumPy that takes many networks, and gives each exactly the numbers it would get alone."""
    numpy = get_backend("numpy")
    return replace(numpy, name="numpy-many", many=Many(loop_vmap, numpy.scan))
