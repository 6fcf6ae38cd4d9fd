"""Arrays of users that lie where the network does: checked, and answered, without the host."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config

from fastmlp.backends import Backend, array_backend
from fastmlp.core import Array
from fastmlp.training.placed import dtype_name, on_device


def lies_on(X: Any, backend: Backend) -> bool:
    """Tell whether X is an array of the backend's library on the backend's device."""
    owner = array_backend(X)
    return owner is not None and (owner.name, owner.device) == (backend.name, backend.device)


def stand_in(X: Any) -> NDArray[Any]:
    """Zeros of the shape of X without memory, so that scikit-learn can say what it thinks of it."""
    if len(X.shape) < 2:  # its own message would show the zeros
        raise ValueError(
            f"Expected 2D array, got {len(X.shape)}D array instead: X has shape {tuple(X.shape)}. "
            "Reshape it by X.reshape(-1, 1) if it is one feature, or X.reshape(1, -1) if it is one "
            "sample."
        )
    zero = np.complex128(0) if dtype_name(X).startswith("complex") else np.float64(0)
    return np.broadcast_to(zero, tuple(X.shape))


def home(X: Any) -> tuple[str, str] | None:
    """Library and device of an array of a device; None for host data."""
    owner = array_backend(X)
    return None if owner is None else (owner.name, owner.device)


def check_same_home(model: Any, X: Any, method: str) -> None:
    """Raise ValueError for an X from elsewhere than at fit, under scikit-learn's dispatch alone.

    Without it, a network that was trained on a GPU answers to hosts, too. One from a file
    has no home yet.
    """
    if not get_config()["array_api_dispatch"] or "_home" not in vars(model):
        return
    learnt, now = model._home, home(X)
    if learnt != now:
        raise ValueError(
            f"Inputs passed to {type(model).__name__}.{method}() must use the same namespace and "
            f"the same device as those passed to fit(), under array_api_dispatch: X lies on {now}, "
            f"it was {learnt} at fit. Move X there, or leave array_api_dispatch off."
        )


def rows_of(X: Any, rows: NDArray[np.int32], backend: Backend) -> Any:
    """Rows of X, where it lies."""
    if isinstance(X, np.ndarray):
        return X[rows]
    return on_device(backend).take(X, backend.to_device(rows, "int32"))


def check_finite(X: Any, backend: Backend) -> None:
    """Raise ValueError if X, on the device, has NaN or infinity; only the answer is fetched."""
    if is_finite(X, backend):
        return
    if backend.to_host(on_device(backend).no_nan(X)):
        raise ValueError(
            "Input X contains infinity or a value too large for "
            f"dtype({dtype_name(X)!r}): replace or leave out what is not finite."
        )
    raise ValueError(
        "Input X contains NaN: impute missing values, as scikit-learn's SimpleImputer does, or "
        "leave their samples out."
    )


def is_finite(x: Any, backend: Backend) -> bool:
    """Tell whether all numbers on the device are finite."""
    if "float" not in dtype_name(x):
        return True
    return bool(backend.to_host(on_device(backend).finite(x)) == 0)


class Answers(NamedTuple):
    """Small programs of a backend that make answers of the outputs p (n, n_outputs)."""

    column: Any  # (p) -> (n,), of one output
    proba: Any  # (p) -> (n, n_classes) probabilities
    log_proba: Any  # (p) -> their logarithms
    labels: Any  # (p, values) -> (n,): of each row the value of the likeliest class
    indicators: Any  # (p, values) -> (n, n_outputs): of each output the value of "no" or "yes"


@lru_cache(maxsize=64)
def answers(backend: Backend) -> Answers:
    """Return the programs, made once for each backend.

    Examples
    --------
    >>> from fastmlp.backends import get_backend
    >>> p = np.asarray([[0.25], [0.75]])
    >>> answers(get_backend("numpy")).labels(p, np.asarray([3, 7]))
    array([3, 7])
    """
    xp = backend.xp

    def column(p: Array) -> Array:
        return xp.reshape(p, (-1,))

    def proba(p: Array) -> Array:
        return xp.concat([1.0 - p, p], axis=1) if p.shape[1] == 1 else p

    def log_proba(p: Array) -> Array:
        return xp.log(proba(p))

    def labels(p: Array, values: Array) -> Array:
        # an output at 0.5 is a "no", as in scikit-learn: argmax takes the first of two
        return xp.take(values, xp.argmax(proba(p), axis=1), axis=0)

    def indicators(p: Array, values: Array) -> Array:
        return xp.reshape(labels(xp.reshape(p, (-1, 1)), values), p.shape)

    jit = backend.jit
    return Answers(jit(column), jit(proba), jit(log_proba), jit(labels), jit(indicators))
