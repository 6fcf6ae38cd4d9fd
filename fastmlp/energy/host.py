"""What the operating system says of the time and the memory of this process and of the machine."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from fastmlp.energy.parts import Span

PROC = Path("/proc")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Clocks(NamedTuple):
    """Seconds since some moment: of the wall, of this process and its children, of all cores."""

    wall_s: float
    cpu_s: float
    machine: tuple[float, float] | None  # used, and there to be used
    children_s: float  # that of the children alone


def open_clocks() -> Clocks:
    """Read all clocks, that of the wall last."""
    machine, children_s, cpu_s = machine_time(), children_time(), process_time()
    return Clocks(time.perf_counter(), cpu_s, machine, children_s)


def close_clocks(opened: Clocks, device: str) -> Span:
    """Read all clocks, that of the wall first, and return what has passed."""
    wall_s, cpu_s, children_s = time.perf_counter(), process_time(), children_time()
    machine = machine_time()
    busy_s = capacity_s = None
    if machine and opened.machine:
        busy_s, capacity_s = machine[0] - opened.machine[0], machine[1] - opened.machine[1]
    return Span(
        device,
        wall_s - opened.wall_s,
        cpu_s - opened.cpu_s,
        busy_s,
        capacity_s,
        peak_memory(),
        children_s - opened.children_s,
    )


def process_time() -> float:
    """Processor seconds of this process and of those of its children that it has waited for."""
    return time.process_time() + children_time()


def children_time() -> float:
    """Processor seconds of the children that this process has waited for; 0 where nobody counts."""
    resource = _resource()
    if resource is None:
        return 0.0
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(children.ru_utime + children.ru_stime)


def machine_time(proc: Path = PROC) -> tuple[float, float] | None:
    """Processor seconds of all cores since the start, used and in all; None but on Linux.

    Time that a hypervisor took for others counts as used.
    """
    try:
        first_line = (proc / "stat").read_text(encoding="ascii").partition("\n")[0]
        ticks = [int(word) for word in first_line.split()[1:9]]
        per_s = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None
    if len(ticks) < 8:
        return None
    idle = ticks[3] + ticks[4]  # idle, and waiting for a disk
    return (sum(ticks) - idle) / per_s, sum(ticks) / per_s


def peak_memory(proc: Path = PROC) -> int | None:
    """Largest resident memory of this process so far, in bytes; None where nobody counts it."""
    # Not ru_maxrss where there is a choice: on Linux a child begins with that of its parent.
    try:
        for line in (proc / "self" / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    resource = _resource()
    if resource is None or sys.platform != "darwin":
        return None
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def threads() -> int:
    """Logical processors of the machine."""
    return os.cpu_count() or 1


def threads_are_pinned() -> bool:
    """Tell whether somebody has said how many threads this process may use."""
    if threads() == 1 or any(os.environ.get(name) for name in THREAD_VARIABLES):
        return True
    return hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) < threads()


def _resource() -> Any:
    try:
        return importlib.import_module("resource")
    except ModuleNotFoundError:  # Windows
        return None
