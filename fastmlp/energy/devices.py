"""Names of devices, as array libraries spell them, and which of them whose counter counts."""

from __future__ import annotations

import re
from typing import NamedTuple

# "gpu" may be anybody's; where NVML finds a board it is NVIDIA's.
NVIDIA = ("cuda", "gpu", "nvidia")
APPLE = ("mps", "metal")
OTHERS = ("rocm", "hip", "tpu", "xpu", "npu", "hpu", "xla", "sycl", "opencl", "vulkan", "directml")
KINDS = ("cpu", *NVIDIA, *APPLE, *OTHERS)
NOT_SAID = ("", "auto")
SAME = {"host": "cpu", "cudadevice": "cuda", "cpudevice": "cpu", "cpu_device": "cpu"}

# "cuda:0", "TFRT_CPU_0", "CpuDevice(id=0)", "/device:GPU:0",
# "/job:x/replica:0/task:0/device:GPU:0", "array_api_strict.Device('CPU_DEVICE')"
_SPELLING = re.compile(
    r"(?:(?:/[a-z]+:\w+)*/device:|/|tfrt_|(?:array_api_strict\.)?device\(['\"]?)?"
    r"(?P<kind>[a-z]+(?:_device)?)(?:(?:[:_]|\(id=)?(?P<number>\d+))?['\")]*"
)


class Device(NamedTuple):
    """What a name says: one of `KINDS`, "" = not said, and the number if there is one."""

    kind: str
    number: int | None = None

    @property
    def name(self) -> str:
        """The one spelling that results have."""
        return self.kind if self.number is None else f"{self.kind}:{self.number}"


def parse(device: object) -> Device:
    """Read the name of a device; capitals and blanks around it mean nothing.

    Parameters
    ----------
    device
        "cpu", "cuda:0", "gpu:1", "TFRT_CPU_0", "/device:GPU:0", ...; "" or "auto" = not said.

    Raises
    ------
    ValueError
        Not a name, or one that nobody knows: whose joules were it to be charged?

    Examples
    --------
    >>> [parse(name).name for name in ("cpu", " CUDA:1", "TFRT_CPU_0", "/device:GPU:0", "auto")]
    ['cpu', 'cuda:1', 'cpu:0', 'gpu:0', '']
    """
    if isinstance(device, str):
        name = device.strip().lower()
        if name in NOT_SAID:
            return Device("")
        match = _SPELLING.fullmatch(name)
        kind = SAME.get(match["kind"], match["kind"]) if match else ""
        if match and kind in KINDS:
            return Device(kind, int(match["number"]) if match["number"] else None)
    raise ValueError(
        f"device={device!r}: expected a name such as 'cpu' or 'cuda:0', one of {KINDS} with or "
        "without a number, or '' where it is not known"
    )


def is_gpu(device: str) -> bool:
    """Tell whether a device is another than the processor.

    Examples
    --------
    >>> [is_gpu(device) for device in ("", "cpu", "CPU:0", "cuda:0", "gpu:1", "mps")]
    [False, False, False, True, True, True]
    """
    return parse(device).kind not in ("", "cpu")


def is_nvidia(device: str) -> bool:
    """Tell whether a device may be one that NVML counts.

    Examples
    --------
    >>> [is_nvidia(device) for device in ("cuda:0", "gpu", "mps", "rocm:0", "tpu:0", "cpu")]
    [True, True, False, False, False, False]
    """
    return parse(device).kind in NVIDIA
