"""Arrays of users: from their device to the host, and answers back in kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.backends import Backend, array_backend


def as_host(X: Any, name: str = "X") -> Any:
    """X itself, or its NumPy copy if it is an array of a backend."""
    if np.ma.is_masked(X):
        raise ValueError(
            f"{name} has masked values, which would count as what stands below the mask: fill them "
            f"first, as in {name}.filled(0)."
        )
    owner = array_backend(X, name)
    return X if owner is None else owner.to_host(X)


def features(X: Any) -> Any:
    """X on the host, unless its values are no numbers."""
    host = as_host(X)
    if getattr(getattr(host, "dtype", None), "kind", "f") in "mMSUV":
        raise ValueError(
            f"X has dtype {host.dtype}, expected numbers: convert dates or text to numbers first."
        )
    return host


def filled(X: Any) -> NDArray[Any]:
    """X as an array, if it is a sparse matrix."""
    dense: NDArray[Any] = X.toarray() if hasattr(X, "toarray") else X
    return dense


def in_kind(answer: NDArray[Any], X: Any) -> Any:
    """Answer as an array of the library and on the device of X; text stays NumPy's."""
    owner: Backend | None = array_backend(X)
    if owner is None or not np.issubdtype(answer.dtype, np.number):
        return answer
    return owner.to_device(answer, answer.dtype.name)
