"""From the clocks and the findings of a closed window to its `EnergyResult`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastmlp.energy.devices import is_gpu
from fastmlp.energy.flags import foreign_share, is_above_limit, window_flags
from fastmlp.energy.grid import GridZone
from fastmlp.energy.models import Usage, all_models_j
from fastmlp.energy.parts import Finding, Part, Span
from fastmlp.energy.result import EnergyResult

COUNTED = ("measured", "sampled")


class Work(NamedTuple):
    """What a window is about."""

    label: str
    amount: float
    unit: str
    backend: str


class Setting(NamedTuple):
    """What holds for all windows of a meter."""

    engine: str
    grid: GridZone | None
    threads: int
    threads_are_pinned: bool
    tdp_w: float
    idle_w: Mapping[str, float]
    versions: Mapping[str, str]


def assemble(work: Work, span: Span, finding: Finding, setting: Setting) -> EnergyResult:
    """Put one record together; formulas only, nothing is read here."""
    parts = {**finding.parts, "gpu": _marked(finding.parts["gpu"], span.device)}
    share = None
    if span.busy_s is not None and span.capacity_s is not None:
        share = foreign_share(span.busy_s, span.cpu_s, span.capacity_s)
    return EnergyResult(
        wall_s=span.wall_s,
        cpu_j=parts["cpu"].joules,
        gpu_j=parts["gpu"].joules,
        ram_j=parts["ram"].joules,
        source={name: part.label for name, part in parts.items()},
        method={name: part.method for name, part in parts.items()},
        label=work.label,
        backend=work.backend,
        device=span.device,
        work=work.amount,
        unit=work.unit,
        cpu_s=span.cpu_s,
        rss_peak_bytes=span.rss_peak_bytes,
        codecarbon_total_j=finding.codecarbon_total_j,
        idle_w={
            name: watts for name, watts in setting.idle_w.items() if parts[name].label == "measured"
        },
        model_j=_models(parts, span, setting),
        foreign_cpu_share=share,
        engine=setting.engine,
        scope=finding.scope,
        grid=setting.grid,
        flags=_flags(parts, span, finding.flags, share, setting.threads_are_pinned),
        versions=setting.versions,
    )


def _marked(gpu: Part, device: str) -> Part:
    """Say of a GPU's joules that they are not the work's, where they are not."""
    if gpu.joules is None or is_gpu(device):
        return gpu
    why = "idle beside work on the CPU" if device else "the window does not say where the work ran"
    return gpu._replace(method=f"{gpu.method}; not charged: {why}")


def _models(parts: Mapping[str, Part], span: Span, setting: Setting) -> dict[str, float]:
    """Joules under each model, where they stand for a CPU that no counter measured."""
    gpu_j = parts["gpu"].joules if is_gpu(span.device) else 0.0
    if parts["cpu"].label in COUNTED or gpu_j is None:
        return {}
    if span.rss_peak_bytes is None or not (span.cpu_s > 0 and span.wall_s > 0):
        return {}
    usage = Usage(span.cpu_s, span.wall_s, span.rss_peak_bytes, setting.threads, setting.tdp_w)
    return all_models_j(usage, gpu_j)


def _flags(
    parts: Mapping[str, Part],
    span: Span,
    found: tuple[str, ...],
    foreign_cpu_share: float | None,
    threads_are_pinned: bool,
) -> tuple[str, ...]:
    flags = [*window_flags(span.wall_s, foreign_cpu_share), *found]
    gpu = parts["gpu"]
    raised = {
        "gpu_unread": is_gpu(span.device) and gpu.joules is None,
        "device_not_said": not span.device and gpu.joules is not None,
        "threads_unpinned": not threads_are_pinned,
        "power_above_limit": any(
            part.joules is not None and is_above_limit(part.joules, span.wall_s, part.limit_w)
            for part in parts.values()
        ),
    }
    return tuple(dict.fromkeys([*flags, *(flag for flag, is_up in raised.items() if is_up)]))
