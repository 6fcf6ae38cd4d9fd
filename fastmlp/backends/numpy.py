"""NumPy on the CPU: the default, and the oracle of all others."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from fastmlp.backends.record import Backend, BackendUnavailableError, python_scan
from fastmlp.core.arrays import Array, Namespace


def create(device: str | None) -> Backend:
    """Make the record; the only device is "cpu"."""
    if device not in (None, "cpu"):
        raise BackendUnavailableError(
            "numpy",
            f"device={device!r} is not one of its devices, expected 'cpu'",
            "Leave device out",
        )
    xp = cast(Namespace, np)

    def to_device(host: Any, dtype: str) -> Array:
        return cast(Array, np.asarray(host, dtype=dtype))

    return Backend(
        name="numpy",
        device="cpu",
        xp=xp,
        # the trainer says in words what NumPy would warn of in every batch
        jit=np.errstate(over="ignore", invalid="ignore"),
        scan=python_scan(xp),
        to_device=to_device,
        to_host=np.asarray,
        sync=lambda tree: None,
    )
