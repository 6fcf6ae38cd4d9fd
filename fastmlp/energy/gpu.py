"""The energy counters of NVIDIA's GPUs as a source of joules: of the one that computes, or of all.

A GPU takes power beside work that never touches it. What the boards take while the work runs on the
processor is told, and is not charged.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

from fastmlp.energy.devices import is_gpu, is_nvidia, parse
from fastmlp.energy.nvml import Nvml, NvmlError
from fastmlp.energy.parts import Finding, Part, Span, absent


class GpuCounters:
    """NVML's counters as a source.

    Parameters
    ----------
    nvml
        NVML, opened.
    gpu
        The GPU that computes: its UUID ("GPU-..."), its bus id, or its place on the bus; None = the
        only one, or the one that CUDA_VISIBLE_DEVICES names by its UUID.

    Raises
    ------
    ValueError
        The driver does not know ``gpu``.
    NvmlError
        There is no GPU, or it counts no energy.
    """

    components: tuple[str, ...] = ("gpu",)

    def __init__(self, nvml: Nvml, gpu: str | int | None = None) -> None:
        self._nvml = nvml
        visible = visible_gpu(os.environ)
        chosen = bool(os.environ.get("CUDA_VISIBLE_DEVICES", "").strip())
        # what numbers CUDA gives out here, and the place on the bus to hold one against
        self._numbers = 1 if visible and gpu is None else nvml.count()
        self._place = gpu if isinstance(gpu, int) and not chosen else None
        if gpu is not None:
            self._handles = [_handle(nvml, gpu)]
        elif visible:
            self._handles = [nvml.device(visible)]
        else:
            self._handles = [nvml.device_at(index) for index in range(nvml.count())]
        self._before_j: list[float] = []
        if not self._handles:
            raise NvmlError("the driver sees no GPU")
        self._read()
        self._limits_w = [_limit_w(nvml, handle) for handle in self._handles]

    def open(self) -> None:
        """Read the counters."""
        self._before_j = self._read()

    def close(self, span: Span) -> Finding:
        """Read them again."""
        after_j = self._read()
        joules = sum(b - a for a, b in zip(self._before_j, after_j, strict=True))
        count, device = len(self._handles), parse(span.device)
        if is_gpu(span.device) and not is_nvidia(span.device):
            return Finding({"gpu": absent(f"{span.device} is no GPU of NVIDIA's")})
        if is_gpu(span.device) and device.number is not None and device.number >= self._numbers:
            return Finding(
                {"gpu": absent(f"there is no {span.device}: the driver sees {self._numbers}")}
            )
        if count > 1 and is_gpu(span.device):
            which = f"{count} GPUs, and none is named: gpu='GPU-...' says which computes"
            return Finding({"gpu": absent(which)})
        boards = f"{count} GPUs" if count > 1 else "GPU"
        method = f"NVML energy counter of the {boards}, idle power included"
        if joules <= 0:
            return Finding({"gpu": absent(f"{method}: stood still", "gpu_not_positive")})
        known = [limit for limit in self._limits_w if limit is not None]
        limit_w = sum(known) if len(known) == len(self._limits_w) else None
        differs = is_gpu(span.device) and self._place not in (None, device.number or 0)
        flag = "gpu_doubtful" if differs else ""
        return Finding({"gpu": Part(joules, "measured", method, flag, limit_w)})

    def _read(self) -> list[float]:
        return [self._nvml.energy_j(handle) for handle in self._handles]


def visible_gpu(environment: Mapping[str, str]) -> str | None:
    """Return the UUID of the one GPU that CUDA may see, if it is named so.

    A number there follows an order of CUDA's own and says nothing to NVML.

    Examples
    --------
    >>> [visible_gpu({"CUDA_VISIBLE_DEVICES": named}) for named in ("GPU-8a56", "0")]
    ['GPU-8a56', None]
    """
    named = environment.get("CUDA_VISIBLE_DEVICES", "").strip()
    return named if named.startswith("GPU-") and "," not in named else None


def _handle(nvml: Nvml, gpu: str | int) -> ctypes.c_void_p:
    try:
        return nvml.device_at(gpu) if isinstance(gpu, int) else nvml.device(gpu)
    except NvmlError as error:
        raise ValueError(
            f"gpu={gpu!r}: {error}; expected a UUID or a bus id as `nvidia-smi -q` shows them, a "
            "place on the bus counted from 0, or None for the only GPU"
        ) from error


def _limit_w(nvml: Nvml, handle: ctypes.c_void_p) -> float | None:
    try:
        return nvml.power_limit_w(handle) or None
    except NvmlError:
        return None
