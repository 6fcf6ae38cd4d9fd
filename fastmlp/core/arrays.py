"""What the formulas ask of an array and of its library: the whole contract, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Array(Protocol):
    """An array of any library: its shape, its dtype, its transpose and the operators."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> Any: ...  # noqa: D102
    @property
    def T(self) -> Array: ...  # noqa: D102, N802

    def __neg__(self) -> Array: ...
    def __add__(self, other: Array | float, /) -> Array: ...
    def __radd__(self, other: float, /) -> Array: ...
    def __sub__(self, other: Array | float, /) -> Array: ...
    def __rsub__(self, other: float, /) -> Array: ...
    def __mul__(self, other: Array | float, /) -> Array: ...
    def __rmul__(self, other: float, /) -> Array: ...
    def __truediv__(self, other: Array | float, /) -> Array: ...
    def __rtruediv__(self, other: float, /) -> Array: ...
    def __matmul__(self, other: Array, /) -> Array: ...
    def __gt__(self, other: Array | float, /) -> Array: ...
    def __and__(self, other: int, /) -> Array: ...
    def __xor__(self, other: Array, /) -> Array: ...
    def __rshift__(self, other: int, /) -> Array: ...
    def __getitem__(self, index: Any, /) -> Array: ...


class Namespace(Protocol):
    """The functions of the Python array API standard (2024.12) that the formulas use."""

    def abs(self, x: Array, /) -> Array: ...  # noqa: D102
    def all(self, x: Array, /, *, axis: int, keepdims: bool = False) -> Array: ...  # noqa: D102
    def argmax(  # noqa: D102
        self, x: Array, /, *, axis: int, keepdims: bool = False
    ) -> Array: ...
    def astype(self, x: Array, dtype: Any, /, *, copy: bool = True) -> Array: ...  # noqa: D102
    def concat(self, arrays: Sequence[Array], /, *, axis: int) -> Array: ...  # noqa: D102
    def cos(self, x: Array, /) -> Array: ...  # noqa: D102
    def equal(self, x: Array, y: Array, /) -> Array: ...  # noqa: D102
    def exp(self, x: Array, /) -> Array: ...  # noqa: D102
    def expm1(self, x: Array, /) -> Array: ...  # noqa: D102
    def finfo(self, dtype: Any, /) -> Any: ...  # noqa: D102
    def log(self, x: Array, /) -> Array: ...  # noqa: D102
    def log1p(self, x: Array, /) -> Array: ...  # noqa: D102
    def max(self, x: Array, /, *, axis: int, keepdims: bool = False) -> Array: ...  # noqa: D102
    def maximum(self, x: Array, y: Array | float, /) -> Array: ...  # noqa: D102
    def minimum(self, x: Array, y: Array | float, /) -> Array: ...  # noqa: D102
    def ones_like(self, x: Array, /) -> Array: ...  # noqa: D102
    def reshape(self, x: Array, shape: tuple[int, ...], /) -> Array: ...  # noqa: D102
    def sin(self, x: Array, /) -> Array: ...  # noqa: D102
    def sqrt(self, x: Array, /) -> Array: ...  # noqa: D102
    def stack(self, arrays: Sequence[Array], /, *, axis: int = 0) -> Array: ...  # noqa: D102
    def sum(  # noqa: D102
        self, x: Array, /, *, axis: int | None = None, keepdims: bool = False
    ) -> Array: ...
    def take(self, x: Array, indices: Array, /, *, axis: int) -> Array: ...  # noqa: D102
    def take_along_axis(self, x: Array, indices: Array, /, *, axis: int) -> Array: ...  # noqa: D102
    def tanh(self, x: Array, /) -> Array: ...  # noqa: D102
    def zeros_like(self, x: Array, /) -> Array: ...  # noqa: D102
