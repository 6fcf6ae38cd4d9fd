"""The energy counter of an NVIDIA GPU, read from the driver's own library.

NVML counts the whole board (chip, memory, regulators) in millijoules since the driver was loaded,
on GPUs from Volta on, in steps of 20 to 100 ms. It numbers devices in the order of the bus, and
CUDA_VISIBLE_DEVICES means nothing to it; so a device is found by its UUID or bus id.
Functions and codes: NVIDIA's NVML API reference.
"""

from __future__ import annotations

import ctypes
from typing import Any

NAMES = ("libnvidia-ml.so.1", "nvml.dll")
NO_ERROR = 0
MESSAGES = {
    1: "it has not been initialised",
    2: "an argument was refused",
    3: "this GPU has no such counter",
    4: "this user may not ask",
    6: "there is no such GPU",
    9: "the driver is not loaded",
    12: "the library does not fit the driver",
    15: "the GPU has fallen off the bus",
    999: "unknown error",
}


class NvmlError(RuntimeError):
    """NVML, or one of its answers, is not to be had; the message says why."""


class Nvml:
    """NVML, opened.

    Parameters
    ----------
    library : ctypes.CDLL, optional
        Left out, the driver's.

    Raises
    ------
    NvmlError
        There is no NVIDIA driver here, or it does not answer.

    Examples
    --------
    >>> try:
    ...     print(Nvml().count() > 0)
    ... except NvmlError:  # no NVIDIA GPU
    ...     print(True)
    True
    """

    def __init__(self, library: Any = None) -> None:
        self._library = _load() if library is None else library
        self._ask("nvmlInit_v2")

    def count(self) -> int:
        """Return how many GPUs the driver sees."""
        number = ctypes.c_uint()
        self._ask("nvmlDeviceGetCount_v2", ctypes.byref(number))
        return number.value

    def device(self, uuid_or_bus_id: str) -> ctypes.c_void_p:
        """Return the handle of a GPU named as "GPU-..." or as "00000000:1B:00.0"."""
        handle = ctypes.c_void_p()
        by_uuid = uuid_or_bus_id.startswith(("GPU-", "MIG-"))
        name = "nvmlDeviceGetHandleByUUID" if by_uuid else "nvmlDeviceGetHandleByPciBusId_v2"
        self._ask(name, uuid_or_bus_id.encode(), ctypes.byref(handle))
        return handle

    def device_at(self, index: int) -> ctypes.c_void_p:
        """Return the handle of a GPU by its place on the bus, which need not be CUDA's number."""
        handle = ctypes.c_void_p()
        self._ask("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
        return handle

    def energy_j(self, handle: ctypes.c_void_p) -> float:
        """Return the joules that the board has taken since the driver was loaded."""
        millijoules = ctypes.c_ulonglong()
        self._ask("nvmlDeviceGetTotalEnergyConsumption", handle, ctypes.byref(millijoules))
        return millijoules.value / 1000

    def power_w(self, handle: ctypes.c_void_p) -> float:
        """Return the watts of the moment, an average over up to a second."""
        milliwatts = ctypes.c_uint()
        self._ask("nvmlDeviceGetPowerUsage", handle, ctypes.byref(milliwatts))
        return milliwatts.value / 1000

    def power_limit_w(self, handle: ctypes.c_void_p) -> float:
        """Return the watts that the board may take."""
        milliwatts = ctypes.c_uint()
        self._ask("nvmlDeviceGetEnforcedPowerLimit", handle, ctypes.byref(milliwatts))
        return milliwatts.value / 1000

    def driver(self) -> str:
        """Return the version of the driver."""
        text = ctypes.create_string_buffer(80)
        self._ask("nvmlSystemGetDriverVersion", text, ctypes.c_uint(len(text)))
        return text.value.decode()

    def _ask(self, name: str, *arguments: Any) -> None:
        try:
            code = getattr(self._library, name)(*arguments)
        except AttributeError as error:
            raise NvmlError(f"{name}: this NVML does not have it") from error
        if code != NO_ERROR:
            raise NvmlError(f"{name}: {MESSAGES.get(code, f'code {code}')}")


def _load() -> Any:
    for name in NAMES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise NvmlError(f"no NVIDIA driver here: none of {', '.join(NAMES)} can be loaded")
