"""NumPy: runs everywhere, the reference of all others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from fastmlp.backends.numpy_loop import traced_scan
from fastmlp.backends.record import Backend, BackendUnavailableError, check_precision
from fastmlp.core.arrays import Array, Namespace


def create(device: str | None, precision: str = "float32") -> Backend:
    """Make the record; the only device is "cpu"."""
    if device not in (None, "cpu"):
        raise BackendUnavailableError(
            "numpy",
            f"device={device!r} is not one of its devices, expected 'cpu'",
            "Leave device out, or name a backend that has others: 'jax', 'cupy' or 'torch'",
        )
    check_precision("numpy", "cpu", precision)

    def astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
        return x.astype(dtype, copy=copy)  # as a method, which arrays being traced have too

    def to_device(host: Any, dtype: str) -> Array:
        return cast(Array, np.asarray(host, dtype=dtype))

    xp = cast(Namespace, SimpleNamespace(**{**vars(np), "astype": astype}))
    return Backend(
        name="numpy",
        device="cpu",
        xp=xp,
        # the trainer says in words what NumPy would warn of in every batch
        jit=np.errstate(over="ignore", invalid="ignore"),
        scan=traced_scan(xp),
        to_device=to_device,
        to_host=np.array,
        sync=lambda tree: None,
    )
