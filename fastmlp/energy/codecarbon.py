"""CodeCarbon as a source of joules: what cannot be trusted becomes None, and says why."""

from __future__ import annotations

import math
import os
import time
import uuid
from typing import Any

from fastmlp.energy.devices import APPLE, is_gpu, parse
from fastmlp.energy.flags import duration_is_off
from fastmlp.energy.grid import JOULES_PER_KWH
from fastmlp.energy.hardware import UNKNOWN, Origin, origins, watts_per_thread
from fastmlp.energy.parts import COMPONENTS, Finding, Part, Span, absent
from fastmlp.energy.tracker import environment_overrides, hardware_of, hushed, warm_tracker

# CodeCarbon's edges are outside of ours, and its processor time comes in ticks of 10 ms.
SEEN_TOLERANCE = 0.1
EDGE_S = 0.1


class CodeCarbon:
    """Tasks of the process's one warm tracker.

    Parameters
    ----------
    scope
        "process" or "machine", CodeCarbon's tracking mode.
    tdp_w
        Power of the processor in watts where it is not measured; None = what CodeCarbon assumes.

    Raises
    ------
    ImportError
        CodeCarbon is missing or too old: ``pip install 'fastmlp[energy]'``.
    """

    components: tuple[str, ...] = COMPONENTS

    def __init__(self, scope: str, tdp_w: float | None = None) -> None:
        self._scope = scope
        self._tracker = warm_tracker(os.getpid(), scope, tdp_w)
        self._task = ""
        self._offset_s = 0.0

    def open(self) -> None:
        """Begin a task."""
        # A name of its own, so that a task left over from a failure can never be billed here.
        self._task = uuid.uuid4().hex
        self._offset_s = _offset_s()
        hushed(self._tracker.start_task)(self._task)

    def close(self, span: Span) -> Finding:
        """End the task."""
        result = hushed(self._tracker.stop_task)(self._task)
        set_by_s = _offset_s() - self._offset_s
        return read_result(result, hardware_of(self._tracker), span, self._scope, set_by_s)

    def tdp_w(self) -> float | None:
        """Power of all threads that CodeCarbon's own model assumes; None if it has none."""
        for item in hardware_of(self._tracker) or []:
            tdp_w = getattr(item, "_tdp", None)
            if type(item).__name__ == "CPU" and isinstance(tdp_w, int | float) and tdp_w > 0:
                return float(tdp_w)
        return None


def _offset_s() -> float:
    """How far the system's clock is before one that nobody can set."""
    return time.time() - time.perf_counter()


def read_result(
    result: Any, hardware: list[object] | None, span: Span, scope: str, set_by_s: float = 0.0
) -> Finding:
    """Check the result of one task and label its components.

    Parameters
    ----------
    result
        CodeCarbon's task result, energies in kWh and duration in seconds; None if it failed.
    hardware
        The tracker's hardware list, which tells the origins; None if it has none.
    span
        The window by our own clocks.
    scope
        The tracking mode, which holds unless a counter of the whole machine was read.
    set_by_s
        What the system's clock was set forward by within the window.

    Returns
    -------
    Finding
        Never raises for a bad result: components are absent and flags say why.
    """
    flags = ("environment",) if environment_overrides() else ()
    if watts_per_thread(hardware or []) is None:
        set_by_s = 0.0  # only the load of a process is taken over the time by the system's clock
    rejected = _rejection(result, span.wall_s, set_by_s)
    if rejected:
        flag, why = rejected
        return Finding(dict.fromkeys(COMPONENTS, absent(why)), (*flags, flag), scope)
    known = {} if hardware is None else origins(hardware)
    parts = {}
    for component in COMPONENTS:
        joules = _joules(result, f"{component}_energy")
        if joules is not None:
            parts[component] = _part(joules, known.get(component, UNKNOWN))
        elif hardware is not None and component not in known:
            parts[component] = absent("the tracker sees none")
        else:
            flag = f"{component}_not_positive"
            parts[component] = absent("the tracker gave no positive energy", flag)
    if getattr(result, "cpu_energy", None) == 0 or parts["cpu"].joules is not None:
        parts["cpu"] = _with_children(parts["cpu"], hardware or [], span)
    if not _counts(hardware or [], span.device):
        parts["gpu"] = absent(f"the tracker does not read {span.device}")
    counted = parts["cpu"].label in ("measured", "sampled")
    return Finding(
        parts, flags, "machine" if counted else scope, _joules(result, "energy_consumed")
    )


def _with_children(cpu: Part, hardware: list[object], span: Span) -> Part:
    """Make joules of the process cover the children that its processor time covers."""
    # CodeCarbon compares the processes that there are at the two edges of a task. One that ended
    # in between is in neither, and one that was there before and after is in both.
    watts = watts_per_thread(hardware)
    if watts is None:
        return cpu
    own_j = cpu.joules or 0.0
    seen_s, own_s = own_j / watts, span.cpu_s - span.children_s
    if seen_s > own_s * (1 + SEEN_TOLERANCE) + EDGE_S:
        cpu = cpu._replace(flag="children_running")
    if span.children_s <= 0:
        return cpu
    method = f"{watts:.3g} W/thread x CPU time"
    flag = "" if cpu.joules is None else cpu.flag
    return Part(own_j + watts * span.children_s, "estimated", method, flag)


def _counts(hardware: list[object], device: str) -> bool:
    """Tell whether GPUs in the tracker's list, if there are any, can be the device of the work."""
    kinds = {type(item).__name__ for item in hardware}
    kind = parse(device).kind
    if not is_gpu(device) or not kinds & {"GPU", "AppleSiliconChip"}:
        return True
    if kind in APPLE:
        return "AppleSiliconChip" in kinds
    # "gpu" is what some libraries call Apple's, too
    return kind == "gpu" or (kind in ("cuda", "nvidia", "rocm", "hip") and "GPU" in kinds)


def _rejection(result: Any, wall_s: float, set_by_s: float) -> tuple[str, str] | None:
    """Return the flag and the reason why no component of the result can be trusted, or None."""
    duration_s = getattr(result, "duration", None)
    if not isinstance(duration_s, int | float):
        return "source_failed", "the tracker returned no result"
    if duration_is_off(wall_s + set_by_s, wall_s):
        return "duration_mismatch", f"the system's clock was set by {set_by_s:+.3g} s meanwhile"
    if duration_is_off(duration_s, wall_s):
        return "duration_mismatch", f"the tracker says {duration_s:.3g} s, the clock {wall_s:.3g} s"
    return None


def _part(joules: float, origin: Origin) -> Part:
    flag = "unknown_method" if origin == UNKNOWN else ""
    return Part(joules, origin.label, origin.method, flag)


def _joules(result: Any, name: str) -> float | None:
    kwh = getattr(result, name, None)
    if not isinstance(kwh, int | float) or not (math.isfinite(kwh) and kwh > 0):
        return None
    return kwh * JOULES_PER_KWH
