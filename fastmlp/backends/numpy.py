"""NumPy on the CPU: the default, and the oracle of all others."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from fastmlp.backends.numpy_forms import tuned
from fastmlp.backends.record import Backend, BackendUnavailableError, Body, python_scan
from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.tree import tree_map


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

    loop = python_scan(xp)

    def scan(f: Body, carry: Any, xs: Array) -> tuple[Any, tuple[Array, ...]]:
        return loop(f, tree_map(np.array, carry), xs)  # the updates write into the copy

    return Backend(
        name="numpy",
        device="cpu",
        xp=xp,
        # the trainer says in words what NumPy would warn of in every batch
        jit=np.errstate(over="ignore", invalid="ignore"),
        scan=scan,
        to_device=to_device,
        to_host=np.asarray,
        sync=lambda tree: None,
        tune=tuned,
    )
