"""CuPy on an NVIDIA GPU."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from fastmlp.backends.record import Backend, BackendUnavailableError, python_scan, unchanged
from fastmlp.core.arrays import Array, Namespace


def create(device: str | None) -> Backend:
    """Make the record for ``"cuda"`` or ``"cuda:1"``; the device is tried, not believed."""
    import cupy

    number = _find_device(cupy, device)

    def to_device(host: Any, dtype: str) -> Array:
        with cupy.cuda.Device(number):
            return cast(Array, cupy.asarray(np.asarray(host, dtype=dtype)))

    def sync(tree: Any) -> None:
        with cupy.cuda.Device(number):
            cupy.cuda.get_current_stream().synchronize()

    xp = cast(Namespace, cupy)
    return Backend(
        name="cupy",
        device=f"cuda:{number}",
        xp=xp,
        jit=unchanged,
        scan=python_scan(xp),
        to_device=to_device,
        to_host=cupy.asnumpy,
        sync=sync,
    )


def _find_device(cupy: Any, device: str | None) -> int:
    kind, _, index = (device or "cuda").partition(":")
    try:
        count = cupy.cuda.runtime.getDeviceCount()
        number = int(index or 0)
        if kind != "cuda" or not 0 <= number < count:
            raise BackendUnavailableError(
                "cupy",
                f"device={device!r} is not one of its devices here, expected 'cuda' or "
                f"'cuda:0' ... 'cuda:{count - 1}'",
                "Leave device out",
            )
        with cupy.cuda.Device(number):
            cupy.zeros(1).sum()  # CuPy imports without a GPU and fails at first use
    except BackendUnavailableError:
        raise
    except Exception as error:
        raise BackendUnavailableError(
            "cupy",
            f"no usable CUDA device ({type(error).__name__}: {error})",
            "It needs an NVIDIA GPU with its driver, and the CuPy built for it",
        ) from error
    return number
