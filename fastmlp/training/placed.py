"""Arrays that lie on the device already: what is asked of them there, without the host."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from fastmlp.backends.record import Backend
from fastmlp.core.arrays import Array


class OnDevice(NamedTuple):
    """Small programs of a backend."""

    take: Any  # (x, rows) -> these rows of x
    join: Any  # (parts) -> all of their rows
    cast: Any  # (x, like) -> x in the dtype of like
    finite: Any  # (x) -> 0 if all numbers are finite, else NaN
    no_nan: Any  # (x), of two axes -> whether none is NaN


@lru_cache(maxsize=64)
def on_device(backend: Backend) -> OnDevice:
    """Return the programs, made once for each backend.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.backends import get_backend
    >>> on_device(get_backend("numpy")).finite(np.asarray([1.0, np.inf]))
    np.float64(nan)
    """
    xp = backend.xp

    def take(x: Array, rows: Array) -> Array:
        return xp.take(x, rows, axis=0)

    def join(parts: Sequence[Array]) -> Array:
        return xp.concat(parts, axis=0)

    def cast(x: Array, like: Array) -> Array:
        return xp.astype(x, like.dtype)

    def finite(x: Array) -> Array:
        return xp.sum(x - x)  # inf - inf is NaN, as whatever NaN is part of

    def no_nan(x: Array) -> Array:
        return xp.all(xp.all(xp.equal(x, x), axis=1), axis=0)

    jit = backend.jit
    return OnDevice(jit(take), jit(join), jit(cast), jit(finite), jit(no_nan))


def dtype_name(x: Any) -> str:
    """Name of the dtype of an array of any library.

    Examples
    --------
    >>> import numpy as np
    >>> dtype_name(np.asarray([1.0]))
    'float64'
    """
    # NumPy's own text of a dtype tells the order of its bytes, too
    return str(getattr(x.dtype, "name", x.dtype)).rpartition(".")[2]
