"""Arrays of users: from their device to the host, and answers back in kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.backends import Backend, array_backend


def as_host(X: Any) -> Any:
    """X itself, or its NumPy copy if it is an array of a backend."""
    owner = array_backend(X)
    return X if owner is None else owner.to_host(X)


def in_kind(answer: NDArray[Any], X: Any) -> Any:
    """Answer as an array of the library and on the device of X; text stays NumPy's."""
    owner: Backend | None = array_backend(X)
    if owner is None or not np.issubdtype(answer.dtype, np.number):
        return answer
    return owner.to_device(answer, answer.dtype.name)
