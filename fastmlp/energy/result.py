"""From CodeCarbon's task result to an `EnergyReading`: what cannot be trusted becomes None."""

from __future__ import annotations

import math
from typing import Any

from fastmlp.energy.grid import JOULES_PER_KWH
from fastmlp.energy.hardware import UNKNOWN, Origin, origins, rapl_unreadable
from fastmlp.energy.reading import COMPONENTS, EnergyReading
from fastmlp.energy.tracker import environment_overrides

SHORT_WINDOW_S = 1.0
# Clock and tracker may differ by 5 %; below half a second the edges of a task weigh too much.
DURATION_TOLERANCE = 0.05
DURATION_CHECKED_FROM_S = 0.5


def read_result(
    result: Any, hardware: list[object] | None, wall_s: float, failure: str | None = None
) -> EnergyReading:
    """Check the result of one window and label its components.

    Parameters
    ----------
    result
        CodeCarbon's task result, energies in kWh and duration in seconds; None if it failed.
    hardware
        The tracker's hardware list, which tells the origins; None if it has none.
    wall_s
        Duration of the window by our own clock, in seconds.
    failure
        Why there is no result, if known.

    Returns
    -------
    EnergyReading
        Never raises for a bad result: components are None and ``flags`` say why.
    """
    known = {} if hardware is None else origins(hardware)
    flags = _window_flags(wall_s, known.get("cpu"))
    rejected = _rejection(result, wall_s)
    if rejected:
        why = failure or rejected[1]
        absent = dict.fromkeys(COMPONENTS, Origin("absent", why))
        return _reading(wall_s, {}, absent, (*flags, rejected[0]))
    joules, found = {}, {}
    for component in COMPONENTS:
        value_j = _joules(result, component)
        if value_j is not None:
            joules[component] = value_j
            found[component] = known.get(component, UNKNOWN)
        elif hardware is not None and component not in known:
            found[component] = Origin("absent", "the tracker sees none")
        else:
            found[component] = Origin("absent", "the tracker gave no positive energy")
            flags.append(f"{component}_not_positive")
    if UNKNOWN in found.values():
        flags.append("unknown_method")
    return _reading(wall_s, joules, found, tuple(flags))


def _window_flags(wall_s: float, cpu: Origin | None) -> list[str]:
    checks = {
        "short_window": wall_s < SHORT_WINDOW_S,
        "environment": environment_overrides(),
        "rapl_unreadable": rapl_unreadable(cpu),
    }
    return [flag for flag, raised in checks.items() if raised]


def _rejection(result: Any, wall_s: float) -> tuple[str, str] | None:
    """Return the flag and the reason why no component of the result can be trusted, or None."""
    duration_s = getattr(result, "duration", None)
    if not isinstance(duration_s, int | float):
        return "tracker_failed", "the tracker returned no result"
    off = abs(duration_s - wall_s) > DURATION_TOLERANCE * wall_s
    if not duration_s > 0 or (off and wall_s >= DURATION_CHECKED_FROM_S):
        return "duration_mismatch", f"the tracker says {duration_s:.3g} s, the clock {wall_s:.3g} s"
    return None


def _joules(result: Any, component: str) -> float | None:
    kwh = getattr(result, f"{component}_energy", None)
    if not isinstance(kwh, int | float) or not (math.isfinite(kwh) and kwh > 0):
        return None
    return kwh * JOULES_PER_KWH


def _reading(
    wall_s: float, joules: dict[str, float], found: dict[str, Origin], flags: tuple[str, ...]
) -> EnergyReading:
    return EnergyReading(
        wall_s=wall_s,
        cpu_j=joules.get("cpu"),
        gpu_j=joules.get("gpu"),
        ram_j=joules.get("ram"),
        source={component: origin.label for component, origin in found.items()},
        method={component: origin.method for component, origin in found.items()},
        flags=flags,
    )
