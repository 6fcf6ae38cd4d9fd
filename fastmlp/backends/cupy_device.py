"""Which NVIDIA GPU CuPy computes on, and what to do where there is none."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fastmlp.backends.devices import gpu_names, gpu_number
from fastmlp.backends.memory import first_line, is_out_of_memory
from fastmlp.backends.notices import warn
from fastmlp.backends.record import BackendUnavailableError

NEEDS = "It needs an NVIDIA GPU with its driver, and the CuPy built for it"
TWICE = "multiple CuPy packages"


def import_cupy() -> Any:
    """Import CuPy; where it is installed twice, it says so in twenty lines, and here in one."""
    if "cupy" in sys.modules:
        import cupy

        return cupy
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        import cupy
    for warning in caught:
        text = str(warning.message)
        if TWICE not in text:
            warn(text, warning.category)
            continue
        names = sorted({word.strip(",") for word in text.split() if word.startswith("cupy-")})
        warn(
            f"CuPy is installed {len(names)} times, and may not work: pip uninstall "
            f"{' '.join(names)}, then install 'fastmlp[cupy13]' for CUDA 13 or 'fastmlp[cupy12]' "
            "for CUDA 12."
        )
    return cupy


def find_device(cupy: Any, device: str | None, try_out: Callable[[int], None]) -> int:
    """Return the number of the device; it is tried, not believed.

    Raises
    ------
    BackendUnavailableError
        It cannot be used; says whether driver, device, memory or a library is missing.
    """
    number = gpu_number(device or "cuda")
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:
        raise _unusable(cupy, error) from error
    if not count:
        raise _unusable(cupy, None)
    if number is None or number >= count:
        raise BackendUnavailableError(
            "cupy",
            f"device={device!r} is not one of its devices here, expected {gpu_names(count)}",
            "Leave device out",
        )
    try:  # CuPy imports without a GPU, and fails at first use
        try_out(number)
    except Exception as error:
        if is_out_of_memory(error):
            raise BackendUnavailableError(
                "cupy",
                f"device 'cuda:{number}' has no memory left ({first_line(error)})",
                "nvidia-smi shows who has it: end that, or name another device",
            ) from error
        raise _unusable(cupy, error) from error
    return number


def _unusable(cupy: Any, error: Exception | None) -> BackendUnavailableError:
    """Say why there is none, and the next step."""
    said = "it counts 0 devices" if error is None else f"{type(error).__name__}: {error}"
    driver, wheel = (_version(cupy, name) for name in ("driverGetVersion", "runtimeGetVersion"))
    why, hint = "", NEEDS
    if driver == 0:
        why = "there is no NVIDIA driver"
        hint = "It needs an NVIDIA GPU with its driver: nvidia-smi has to show one"
    elif driver and wheel and driver // 1000 < wheel // 1000:
        why = f"the driver is for CUDA {_text(driver)}, this CuPy for CUDA {_text(wheel)}"
        hint = "Update the NVIDIA driver, which nvidia-smi shows the version of"
        if driver // 1000 == 12:
            hint += ", or put CuPy for CUDA 12 in the place of this one: pip uninstall "
            hint += "cupy-cuda13x, then pip install 'fastmlp[cupy12]'"
    elif driver and (error is None or "NoDevice" in said):
        why = f"the driver, for CUDA {_text(driver)}, finds no GPU"
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hint = "nvidia-smi has to list one" + (
            "" if visible is None else f", and CUDA_VISIBLE_DEVICES, {visible!r} here, to allow it"
        )
    reason = f"no usable CUDA device: {why} ({said})" if why else f"no usable CUDA device ({said})"
    return BackendUnavailableError("cupy", reason, hint)


def _version(cupy: Any, name: str) -> int | None:
    with suppress(Exception):  # without the driver's library, or in another CuPy
        return int(getattr(cupy.cuda.runtime, name)())
    return None


def _text(version: int) -> str:
    """Write a version as CUDA does: 12080 is 12.8."""
    return f"{version // 1000}.{version % 1000 // 10}"
