"""CuPy on an NVIDIA GPU."""

from __future__ import annotations

from functools import wraps
from typing import Any, cast

import numpy as np

from fastmlp.backends.record import Backend, BackendUnavailableError, Function, python_scan
from fastmlp.core.arrays import Array, Namespace


def create(device: str | None) -> Backend:
    """Make the record for ``"cuda"`` or ``"cuda:1"``; the device is tried, not believed."""
    import cupy

    number = _find_device(cupy, device)

    def on_device(f: Function) -> Function:
        """Make the device current: CuPy computes there, wherever the arrays lie."""

        @wraps(f)
        def call(*args: Any) -> Any:
            with cupy.cuda.Device(number):
                return f(*args)

        return call

    def to_device(host: Any, dtype: str) -> Array:
        return cast(Array, cupy.asarray(np.asarray(host, dtype=dtype)))

    def sync(tree: Any) -> None:
        cupy.cuda.get_current_stream().synchronize()

    xp = cast(Namespace, cupy)
    return Backend(
        name="cupy",
        device=f"cuda:{number}",
        xp=xp,
        jit=on_device,
        scan=python_scan(xp),
        to_device=on_device(to_device),
        to_host=on_device(cupy.asnumpy),
        sync=on_device(sync),
        ahead=1,
    )


def _find_device(cupy: Any, device: str | None) -> int:
    kind, _, index = (device or "cuda").partition(":")
    number = int(index or 0) if index.isdecimal() or not index else -1
    try:
        count = cupy.cuda.runtime.getDeviceCount()
        if kind == "cuda" and 0 <= number < count:
            # CuPy imports without a GPU and fails at first use: try a kernel and a product
            with cupy.cuda.Device(number):
                ones = cupy.ones((2, 2))
                float(((ones + 1.0) @ ones).sum())
            return number
    except Exception as error:
        raise BackendUnavailableError(
            "cupy",
            f"no usable CUDA device ({type(error).__name__}: {error})",
            "It needs an NVIDIA GPU with its driver, and the CuPy built for it",
        ) from error
    raise BackendUnavailableError(
        "cupy",
        f"device={device!r} is not one of its devices here, expected 'cuda' or "
        f"'cuda:0' to 'cuda:{count - 1}'",
        "Leave device out",
    )
