"""Which sources of joules an `EnergyMeter` reads, by the name of its engine and what is there.

| engine | CPU | GPU | RAM |
|---|---|---|---|
| counters | RAPL, else the CPU model | NVML | RAPL's dram |
| codecarbon | CodeCarbon | CodeCarbon | CodeCarbon |
| model | the CPU model | - | - |
| auto | as counters where RAPL can be read, else CodeCarbon, with the GPU from NVML if it counts |
"""

from __future__ import annotations

from importlib import metadata
from typing import NamedTuple

from fastmlp.energy import nvml, rapl
from fastmlp.energy.checks import positive
from fastmlp.energy.codecarbon import CodeCarbon
from fastmlp.energy.cpu_model import CpuModel
from fastmlp.energy.gpu import GpuCounters
from fastmlp.energy.host import threads
from fastmlp.energy.models import W_PER_THREAD
from fastmlp.energy.parts import Finding, Part, Source, Told, absent

ENGINES = ("auto", "counters", "codecarbon", "model")
SCOPES = ("auto", "process", "machine")


class Choice(NamedTuple):
    """Sources in the order in which they are asked, their names, versions, and watts to assume."""

    name: str
    sources: tuple[Source, ...]
    versions: dict[str, str]
    tdp_w: float


class _Counters(NamedTuple):
    """What there is to be read here, and why not what there is not."""

    rapl: rapl.Rapl | None
    gpu: GpuCounters | None
    reasons: Finding
    versions: dict[str, str]


def choose(engine: str, scope: str, gpu: str | int | None, tdp_w: float | None) -> Choice:
    """Build the sources.

    Parameters
    ----------
    engine, scope
        One of `ENGINES`, one of `SCOPES`.
    gpu
        The GPU that computes, as `GpuCounters` takes it.
    tdp_w
        Power of all threads of the processor in watts, for the models; None = CodeCarbon's value
        where it is loaded, else 4 W each.

    Raises
    ------
    ValueError
        Arguments that are not known, or contradict each other.
    ImportError
        The engine needs CodeCarbon, and it is missing or too old.
    """
    _check(engine, scope, gpu, tdp_w)
    assumed_w = W_PER_THREAD * threads() if tdp_w is None else tdp_w
    model = CpuModel("machine" if scope == "machine" else "process", threads(), tdp_w)
    if engine == "model":
        return Choice("model", (model,), {}, assumed_w)
    if engine == "codecarbon":
        return _codecarbon(scope, None, tdp_w)
    there = _look(gpu)
    if engine == "auto" and (there.rapl is None or scope == "process"):
        return _codecarbon(scope, there, tdp_w)
    names = [name for name, source in (("rapl", there.rapl), ("nvml", there.gpu)) if source]
    sources: list[Source] = [source for source in (there.rapl, there.gpu) if source]
    sources.append(Told(there.reasons))
    if there.rapl is None:
        names.append("model")
        sources.append(model)
    return Choice("+".join(names), tuple(sources), there.versions, assumed_w)


def _codecarbon(scope: str, there: _Counters | None, tdp_w: float | None) -> Choice:
    tracker = CodeCarbon("machine" if scope == "machine" else "process", tdp_w)
    versions = {"codecarbon": _version("codecarbon")}
    watts = tdp_w or tracker.tdp_w() or W_PER_THREAD * threads()
    if there is None:
        return Choice("codecarbon", (tracker,), versions, watts)
    hint = Told(Finding({}, there.reasons.flags))
    if there.gpu is None:  # CodeCarbon may know one of another make
        return Choice("codecarbon", (hint, tracker), versions, watts)
    versions |= there.versions
    return Choice("nvml+codecarbon", (there.gpu, hint, tracker), versions, watts)


def _look(gpu: str | int | None) -> _Counters:
    """Try all counters."""
    counters: rapl.Rapl | None = None
    boards: GpuCounters | None = None
    parts: dict[str, Part] = {}
    flags: tuple[str, ...] = ()
    versions: dict[str, str] = {}
    try:
        counters = rapl.Rapl(rapl.POWERCAP)
    except rapl.RaplError as error:
        flags = () if error.missing else ("rapl_unreadable",)
    try:
        library = nvml.Nvml()
        boards = GpuCounters(library, gpu)
        versions["nvidia_driver"] = library.driver()
    except nvml.NvmlError as error:
        if gpu is not None:
            raise ValueError(f"gpu={gpu!r}: {error}; expected None where no GPU counts") from error
        parts["gpu"] = absent(str(error))
    return _Counters(counters, boards, Finding(parts, flags), versions)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _check(engine: str, scope: str, gpu: str | int | None, tdp_w: float | None) -> None:
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r}: expected one of {ENGINES}")
    if scope not in SCOPES:
        raise ValueError(f"scope={scope!r}: expected one of {SCOPES}")
    if engine == "counters" and scope == "process":
        raise ValueError(
            "scope='process': counters cover the whole machine; expected 'auto' or 'machine', or "
            "engine='codecarbon' or 'model' for a share of this process"
        )
    if gpu is not None and engine in ("codecarbon", "model"):
        raise ValueError(
            f"gpu={gpu!r}: expected None with engine={engine!r}, which cannot tell GPUs apart; "
            "take engine='auto' or 'counters'"
        )
    if gpu is not None and (isinstance(gpu, bool) or not isinstance(gpu, str | int)):
        raise ValueError(f"gpu={gpu!r}: expected a UUID, a bus id, a place on the bus, or None")
    if tdp_w is not None:
        positive("tdp_w", tdp_w, "watts above 0, or None")
