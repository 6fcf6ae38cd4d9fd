"""What a source of joules is, what it is told of a window, and how several make one finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

COMPONENTS = ("cpu", "gpu", "ram")

# From the strongest to the weakest evidence:
# measured   an energy counter was read (RAPL, NVML)
# sampled    a power sensor was polled and integrated over time
# estimated  a model turned time or load into joules
# assumed    a fixed constant, or a method that fastmlp does not know
# absent     there is no value
FAILED = "source_failed"
LABELS = ("measured", "sampled", "estimated", "assumed", "absent")


class Span(NamedTuple):
    """A closed window as the operating system saw it.

    ``cpu_s`` is the processor time of this process and of those of its children that it has waited
    for, the latter alone ``children_s``; ``busy_s`` and ``capacity_s``
    that of the whole machine, used and there to be used; None where the system does not tell.
    """

    device: str
    wall_s: float
    cpu_s: float
    busy_s: float | None = None
    capacity_s: float | None = None
    rss_peak_bytes: int | None = None
    children_s: float = 0.0


class Part(NamedTuple):
    """One component: joules or None, label, method, and what there is to say about it."""

    joules: float | None
    label: str
    method: str
    flag: str = ""
    limit_w: float | None = None


class Finding(NamedTuple):
    """What one source found, or several together."""

    parts: dict[str, Part]
    flags: tuple[str, ...] = ()
    scope: str = ""  # of the CPU: "process" or "machine"
    codecarbon_total_j: float | None = None


class Source(Protocol):
    """Something that has joules of a window; used by one window at a time.

    If it fails, it is `components` that have no joules, and its error is the reason.
    """

    components: tuple[str, ...]

    def open(self) -> None:
        """Begin, right before the work."""

    def close(self, span: Span) -> Finding:
        """End, right after it."""


def absent(why: str, flag: str = "") -> Part:
    """Return a component without joules.

    Examples
    --------
    >>> absent("no GPU")
    Part(joules=None, label='absent', method='no GPU', flag='', limit_w=None)
    """
    return Part(None, "absent", why, flag)


def merge(findings: Sequence[Finding]) -> Finding:
    """Take each component from the first source that answers for it, be it with joules or without.

    One that failed is heard last. But where nobody has joules, it says why there are none.

    Examples
    --------
    >>> counter = Finding({"gpu": Part(250.0, "measured", "NVML")})
    >>> model = Finding({"cpu": Part(8.0, "estimated", "model"), "gpu": absent("not read")})
    >>> merge([counter, model]).parts["gpu"].joules
    250.0
    """
    parts, scope = {}, ""
    for component in COMPONENTS:
        heard = [one for one in findings if component in one.parts]
        failed = [one for one in heard if FAILED in one.flags]
        sound = [one for one in heard if FAILED not in one.flags]
        chosen = next(iter(sound or failed), None)
        if chosen and failed and chosen.parts[component].joules is None:
            chosen = failed[0]
        parts[component] = chosen.parts[component] if chosen else absent("no source reads it")
        if component == "cpu" and chosen:
            scope = chosen.scope
    flags = [flag for one in findings for flag in one.flags]
    flags += [part.flag for part in parts.values() if part.flag]
    totals = (one.codecarbon_total_j for one in findings)
    total_j = next((joules for joules in totals if joules is not None), None)
    return Finding(parts, tuple(dict.fromkeys(flags)), scope, total_j)


class Told:
    """A source that always says the same: why something cannot be read."""

    components: tuple[str, ...] = COMPONENTS

    def __init__(self, finding: Finding) -> None:
        self._finding = finding

    def open(self) -> None:
        """Nothing to begin."""

    def close(self, span: Span) -> Finding:
        """Say it."""
        return self._finding
