"""Any other library that follows the Python array API standard: its arrays decide for it.

Nothing but the standard is asked of it, so the formulas run operation by operation.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np

from fastmlp.backends.record import Backend, python_scan
from fastmlp.core.arrays import Array, Namespace


def standard_backend(X: Any) -> Backend | None:
    """Return the record for an array that names its namespace; None for NumPy's and others."""
    if isinstance(X, np.ndarray | np.generic) or not hasattr(X, "__array_namespace__"):
        return None
    return _make(X.__array_namespace__(), X.device)


@cache
def _make(namespace: Any, device: Any) -> Backend:
    def to_device(host: Any, dtype: str) -> Array:
        return cast(Array, namespace.asarray(np.array(host, dtype=dtype), device=device))

    def to_host(array: Any) -> Any:
        on_host = namespace.__array_namespace_info__().default_device()
        return np.array(array.to_device(on_host) if array.device != on_host else array)

    xp = cast(Namespace, namespace)
    return Backend(
        name=namespace.__name__,
        device=str(device),
        xp=xp,
        jit=np.errstate(over="ignore", invalid="ignore"),  # many are NumPy below
        scan=python_scan(xp),
        to_device=to_device,
        to_host=to_host,
        sync=lambda tree: None,
    )
