"""The record of one measured window: joules per component and how each was obtained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

COMPONENTS = ("cpu", "gpu", "ram")

# From the strongest to the weakest evidence:
# measured   an energy counter was read (RAPL, NVML)
# sampled    a power sensor was polled and integrated over time
# estimated  a model turned time or load into joules
# assumed    a fixed constant, or a method that fastmlp does not know
# absent     there is no value
LABELS = ("measured", "sampled", "estimated", "assumed", "absent")

FLAGS: Mapping[str, str] = {
    "short_window": "the window is under 1 s, coarse against 10 ms CPU ticks and 100 ms counters",
    "environment": "CODECARBON_* variables are set; they were overridden",
    "rapl_unreadable": "RAPL exists but cannot be read: give this user read access to energy_uj "
    "below /sys/class/powercap for a measured CPU",
    "unknown_method": "the tracker does not say how a component was obtained",
    "tracker_failed": "the tracker returned no result",
    "duration_mismatch": "the tracker's duration is not the duration of the window",
    "cpu_not_positive": "the tracker gave no positive CPU energy",
    "gpu_not_positive": "the tracker gave no positive GPU energy",
    "ram_not_positive": "the tracker gave no positive RAM energy",
}


@dataclass(frozen=True, slots=True)
class EnergyReading:
    """Energy of one window; a component without a trustworthy value is None, never 0.

    Parameters
    ----------
    wall_s
        Wall time of the work inside the window, in seconds.
    cpu_j, gpu_j, ram_j
        Energy per component in joules; None = absent.
    source
        One of `LABELS` for each of `COMPONENTS`.
    method
        For each of `COMPONENTS`, what the joules are made of, or why there are none.
    flags
        Names from `FLAGS`: everything a reader must know before trusting the number.

    Raises
    ------
    ValueError
        A joule value that is not finite and positive, a label or flag that is not in the table,
        or a label that contradicts the value.

    Examples
    --------
    >>> reading = EnergyReading(
    ...     2.0, 8.0, None, 20.0,
    ...     source={"cpu": "estimated", "gpu": "absent", "ram": "estimated"},
    ...     method={"cpu": "4 W/thread x CPU time", "gpu": "no GPU", "ram": "5 W/DIMM guess"},
    ... )
    >>> reading.energy_j, reading.energy_source
    (28.0, 'estimated')
    """

    wall_s: float
    cpu_j: float | None
    gpu_j: float | None
    ram_j: float | None
    source: Mapping[str, str]
    method: Mapping[str, str]
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a record that contradicts itself."""
        for component, joules in self._joules().items():
            label = self.source.get(component)
            if label not in LABELS:
                raise ValueError(f"source[{component!r}]={label!r}: expected one of {LABELS}")
            if component not in self.method:
                raise ValueError(f"method: {component!r} is missing; say what its joules are")
            if (joules is None) != (label == "absent"):
                raise ValueError(f"{component}_j={joules!r} contradicts the label {label!r}")
            if joules is not None and not (math.isfinite(joules) and joules > 0):
                raise ValueError(
                    f"{component}_j={joules!r}: expected joules above 0, or None when absent"
                )
        unknown = sorted(set(self.flags) - FLAGS.keys())
        if unknown:
            raise ValueError(f"flags={unknown}: expected names from {sorted(FLAGS)}")

    def _joules(self) -> dict[str, float | None]:
        return {"cpu": self.cpu_j, "gpu": self.gpu_j, "ram": self.ram_j}

    @property
    def energy_j(self) -> float | None:
        """Sum of the present components in joules; None if there is none."""
        present = [joules for joules in self._joules().values() if joules is not None]
        return math.fsum(present) if present else None

    @property
    def energy_source(self) -> str:
        """The weakest label among the present components; ``"absent"`` if there is none."""
        present = [label for label in self.source.values() if label != "absent"]
        return max(present, key=LABELS.index, default="absent")

    def explain(self) -> str:
        """Say in one sentence what the number is made of and what limits it."""
        parts = [self._explain_component(name, joules) for name, joules in self._joules().items()]
        if self.energy_j is None:
            head = f"No energy value for {self.wall_s:.3g} s"
        else:
            head = f"{self.energy_j:.3g} J in {self.wall_s:.3g} s ({self.energy_source})"
        if self.energy_source != "absent" and set(self.source.values()) <= set(LABELS[2:]):
            parts.append("a model, so it tells little that time does not")
        parts += [f"{flag}: {FLAGS[flag]}" for flag in self.flags]
        return f"{head}: {'; '.join(parts)}."

    def _explain_component(self, component: str, joules: float | None) -> str:
        value = "absent" if joules is None else f"{joules:.3g} J {self.source[component]}"
        return f"{component.upper()} {value} ({self.method[component]})"

    def to_dict(self) -> dict[str, object]:
        """Return all fields and both totals as plain JSON types."""
        return {
            "wall_s": self.wall_s,
            "cpu_j": self.cpu_j,
            "gpu_j": self.gpu_j,
            "ram_j": self.ram_j,
            "source": dict(self.source),
            "method": dict(self.method),
            "flags": list(self.flags),
            "energy_j": self.energy_j,
            "energy_source": self.energy_source,
        }
