"""What a pure function does with NumPy arrays, written down while it does it.

`trace` calls the function with `Traced` arrays. They compute, so that shapes and dtypes are right,
and note each call of NumPy as a `Node`. What depends on more than shapes, such as ``float(x)`` or
``if x > 0``, is refused with `Untraceable`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from fastmlp.core.tree import tree_leaves, tree_map

Bind = Callable[[list[Any], Any], Callable[[], Any]]


class Untraceable(Exception):  # noqa: N818
    """A function does something that cannot be written down."""


class Node(NamedTuple):
    """An array of the function: an input, a view of another one, or the result of a call."""

    kind: str  # "input", "view", or NumPy's name of the call
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    make: Any = None  # of a view: array -> view; of a call: `Bind`, (operands, out) -> the call
    operands: tuple[Any, ...] = ()  # `Ref`s of nodes, and constants
    elementwise: bool = False
    settings: tuple[Any, ...] = ()  # of a reduction: axis, and keepdims

    @property
    def is_call(self) -> bool:
        """Tell whether something is computed."""
        return self.kind not in ("input", "view")


class Ref(int):
    """Number of a node."""


class Trace(NamedTuple):
    """The nodes of a function, in the order of their calls, and which of them it returns."""

    nodes: list[Node]
    outputs: list[Any]  # leaves of the answer: `Ref`s, and constants


def trace(f: Callable[..., Any], *trees: Any) -> tuple[Trace, Any]:
    """Write down ``f(*trees)``; its inputs are the leaves, in order. Also return its answer."""
    nodes: list[Node] = []
    arguments = tree_map(lambda array: Traced(nodes, "input", np.asarray(array)), trees)
    answer = f(*arguments)
    leaves = tree_leaves(answer)
    outputs = [leaf.number if isinstance(leaf, Traced) else leaf for leaf in leaves]
    return Trace(nodes, outputs), answer


def _refuse(*_: Any, **__: Any) -> Any:
    raise Untraceable("a value is asked for, not an array")


# NumPy's calls with their output as an argument by position, which Python passes on the fastest


def _ufunc(function: Any) -> Bind:
    if function in (np.maximum, np.minimum):  # NumPy 2.4 warns of an output by position
        return lambda operands, out: partial(function, *operands, out=out)
    return lambda operands, out: partial(function, *operands, out)


def _reduction(function: Any, axis: Any, keepdims: bool) -> Bind:
    return lambda operands, out: partial(function, *operands, axis, None, out, keepdims)


def _cast(operands: list[Any], out: Any) -> Callable[[], Any]:
    (array,) = operands
    return partial(np.copyto, out, array, "unsafe")


def _rows(operands: list[Any], out: Any) -> Callable[[], Any]:
    # "raise" makes a copy more; rows that come in with each step are to be right
    array, rows = operands
    return partial(array.take, rows, 0, out, "clip")


def _fixed_rows(operands: list[Any], out: Any) -> Callable[[], Any]:
    array, rows = operands
    return partial(array.take, rows, 0, out, "raise")


def _along_rows(operands: list[Any], out: Any) -> Callable[[], Any]:
    # as places in the whole array, in memory of its own: NumPy's function makes much more
    array, columns = operands
    starts = array.shape[1] * np.arange(array.shape[0])[:, np.newaxis]
    places, flat = np.empty(columns.shape, dtype=np.intp), array.reshape(-1)

    def call() -> None:
        np.add(columns, starts, places)
        flat.take(places, None, out, "clip")

    return call


def _largest(axis: int, keepdims: bool = False) -> Bind:
    return lambda operands, out: partial(operands[0].argmax, axis, out, keepdims=keepdims)


REDUCTIONS = {np.sum: np.add, np.max: np.maximum, np.all: np.logical_and}
CONSTANTS = (np.zeros_like, np.ones_like)


class Traced(NDArrayOperatorsMixin):
    """An array that notes what is done with it."""

    def __init__(self, nodes: list[Node], kind: str, value: NDArray[Any], *how: Any) -> None:
        self._nodes, self._value = nodes, value
        self.number = Ref(len(nodes))
        self.shape, self.dtype, self.ndim = value.shape, value.dtype, value.ndim
        nodes.append(Node(kind, value.shape, value.dtype, *how))

    @property
    def T(self) -> Traced:  # noqa: N802
        """Its transpose."""
        return self._view(np.transpose)

    def __getitem__(self, index: Any) -> Traced:
        return self._view(lambda array: array[index])

    def _view(self, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Traced:
        value = function(self._value)
        if value.size and not np.may_share_memory(value, self._value):
            raise Untraceable("an index or a shape that needs a copy")
        return Traced(self._nodes, "view", np.asarray(value), function, (self.number,))

    def astype(self, dtype: Any, *, copy: bool = True) -> Traced:
        """Give the values another dtype."""
        if not copy and self.dtype == dtype:
            return self
        value = self._value.astype(dtype)
        return self._called("astype", value, _cast, (self,), elementwise=True)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        if method != "__call__" or settings or ufunc.nout != 1:
            raise Untraceable(f"numpy.{ufunc.__name__}, {method}, {sorted(settings)}")
        value = ufunc(*map(_value, inputs))
        kinds = [
            type(x) if type(x) in (int, float) else np.asarray(_value(x)).dtype for x in inputs
        ]
        dtypes = ufunc.resolve_dtypes((*kinds, None))
        # a Python number as the array that NumPy would make of it in each call
        inputs = tuple(
            np.asarray(x, dtype=dtype) if type(x) in (int, float) else x
            for x, dtype in zip(inputs, dtypes, strict=False)
        )
        elementwise = ufunc.signature is None
        return self._called(ufunc.__name__, value, _ufunc(ufunc), inputs, elementwise=elementwise)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        values = [_value(x) for x in args]
        if func in CONSTANTS and len(args) == 1 and not kwargs:
            return func(*values)
        if func is np.reshape and len(args) == 2 and not kwargs:
            return self._view(lambda array: np.reshape(array, args[1]))
        if func is np.take and len(args) == 2 and kwargs == {"axis": 0}:
            bind: Bind = _rows if isinstance(args[1], Traced) else _fixed_rows
        elif func is np.take_along_axis and _lies_in_rows(*values) and kwargs == {"axis": 1}:
            bind = _along_rows
        elif (
            func is np.argmax and len(args) == 1 and {"axis"} <= set(kwargs) <= {"axis", "keepdims"}
        ):
            bind = _largest(**kwargs)
        elif func in REDUCTIONS and len(args) == 1 and set(kwargs) <= {"axis", "keepdims"}:
            reduce = REDUCTIONS[func].reduce
            bind = _reduction(reduce, kwargs.get("axis"), kwargs.get("keepdims", False))
        else:
            raise Untraceable(f"numpy.{func.__name__}")
        settings = kwargs.get("axis"), kwargs.get("keepdims", False)
        value = func(*values, **kwargs)
        return self._called(func.__name__, value, bind, args, settings=settings)

    def _called(
        self,
        name: str,
        value: Any,
        bind: Bind,
        inputs: tuple[Any, ...],
        *,
        elementwise: bool = False,
        settings: tuple[Any, ...] = (),
    ) -> Traced:
        operands = tuple(x.number if isinstance(x, Traced) else x for x in inputs)
        # as the memory that it will lie in, so that what is a view of it now is one then
        value = np.asarray(value, order="C")
        return Traced(self._nodes, name, value, bind, operands, elementwise, settings)

    __bool__ = __float__ = __int__ = __index__ = __array__ = _refuse


def _lies_in_rows(array: Any, columns: Any) -> bool:
    return bool(array.flags.c_contiguous and array.ndim == 2 and array.shape == columns.shape)


def _value(x: Any) -> Any:
    return x._value if isinstance(x, Traced) else x
