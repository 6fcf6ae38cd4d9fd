"""The CUDA driver's own library, asked without CuPy, JAX or PyTorch.

It numbers GPUs as every CUDA program in this process does: those that CUDA_VISIBLE_DEVICES leaves,
in the order of CUDA_DEVICE_ORDER. NVML and nvidia-smi number all of them, in the order of the bus.
A UUID is the same to both.
"""

from __future__ import annotations

import ctypes
from typing import Any
from uuid import UUID

from bench.gpu.settings import Row
from fastmlp.backends import Backend


class CudaError(RuntimeError):
    """The driver is missing or refuses; the message says why."""


def card() -> Row:
    """Say what the driver is, and which GPUs a program finds."""
    answer: Row = {"driver_cuda": None, "devices": None, "uuids": [], "error": None}
    try:
        library = load()
    except OSError:
        return answer | {"error": "there is no libcuda.so.1"}
    number = ctypes.c_int()
    if library.cuDriverGetVersion(ctypes.byref(number)) == 0:
        answer["driver_cuda"] = f"{number.value // 1000}.{number.value % 1000 // 10}"
    status = library.cuInit(0)
    if status == 0:
        status = library.cuDeviceGetCount(ctypes.byref(number))
    if status != 0:
        return answer | {"devices": 0, "error": f"the driver answers with status {status}"}
    answer["devices"] = number.value
    try:
        answer["uuids"] = [uuid(place) for place in range(number.value)]
    except CudaError as error:
        answer["error"] = str(error)
    return answer


def uuid(number: int) -> str:
    """Return the UUID of the GPU that CUDA gives this number here, as NVML writes it.

    Raises
    ------
    CudaError
        There is no such GPU, or the driver does not say.
    """
    device, found = ctypes.c_int(), (ctypes.c_char * 16)()
    try:
        library = load()
        # the first form names, of a part of a GPU (MIG), the whole
        steps: tuple[tuple[Any, tuple[Any, ...]], ...] = (
            (library.cuInit, (0,)),
            (library.cuDeviceGet, (ctypes.byref(device), number)),
            (library.cuDeviceGetUuid_v2, (found, device)),
        )
    except (OSError, AttributeError) as error:
        raise CudaError(f"the CUDA driver tells no UUID ({error})") from error
    for call, arguments in steps:
        status = call(*arguments)
        if status != 0:
            raise CudaError(f"the CUDA driver tells no UUID of GPU {number}: status {status}")
    return f"GPU-{UUID(bytes=found.raw)}"


def number_of(backend: Backend) -> int:
    """Return the number that CUDA gives the GPU of a backend.

    Raises
    ------
    CudaError
        The library does not say.
    """
    number = int(backend.device.partition(":")[2] or 0)
    if backend.name != "jax":
        return number
    import jax

    # an id of JAX's own: its options and other processes may shift it
    (device,) = (device for device in jax.devices("gpu") if device.id == number)
    found = getattr(device, "local_hardware_id", None)
    if found is None:
        raise CudaError(f"this JAX does not say which GPU {backend.device} is")
    return int(found)


def load() -> Any:
    """Open the library."""
    return ctypes.CDLL("libcuda.so.1")
