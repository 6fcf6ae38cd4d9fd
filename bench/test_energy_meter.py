"""What a window costs the work inside of it, and whether it agrees with CodeCarbon by itself.

Both are about time that other work on the machine takes away, so they are no tests of the suite:
``pytest bench/test_energy_meter.py -s`` on a machine that is otherwise idle.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastmlp.bench.statistics import ratio
from fastmlp.energy import EnergyMeter
from fastmlp.energy.tracker import SETTINGS, quiet

AGREE_WITHIN = 0.03
OVERHEAD_BELOW = 0.005
ROUNDS, PIECES = 11, 20


def compute(steps: int) -> None:
    """Pure work of the processor, in plain Python: it holds the lock of the interpreter."""
    total = 0
    for step in range(steps):
        total += step * step


def steps_of(seconds: float) -> int:
    """How many steps take so much processor time here."""
    trial = 500_000
    taken_s = min(cpu_time(trial) for _ in range(5))
    return int(trial * seconds / taken_s)


def cpu_time(steps: int) -> float:
    """Processor seconds of this thread for so many steps."""
    started_s = time.thread_time()
    compute(steps)
    return time.thread_time() - started_s


def multiply(times: int) -> None:
    """Pure work of the processor outside the interpreter, as a training is."""
    a = np.ones((512, 512), dtype=np.float32)
    for _ in range(times):
        a @ a


@pytest.mark.parametrize("scope", ["process", "machine"])
def test_its_total_is_that_of_a_plain_tracker(scope: str) -> None:
    multiply(20)
    started_s = time.perf_counter()
    multiply(200)
    times = int(200 * 5.2 / (time.perf_counter() - started_s))
    result, theirs_j = both(scope, lambda: multiply(times))
    assert result.codecarbon_total_j is not None
    assert abs(result.codecarbon_total_j / theirs_j - 1) < AGREE_WITHIN


def test_python_is_charged_with_its_processor_seconds() -> None:
    """What CodeCarbon's own formula says; a plain tracker says more.

    Once a second it divides processor time by a wall time that ends too early while other code
    holds the lock of the interpreter, so that the mean of these samples is too high (codecarbon
    3.3.2).
    """
    steps = steps_of(5.2)
    result, theirs_j = both("process", lambda: compute(steps))
    power = re.fullmatch(r"([\d.]+) W/thread x CPU time", result.method["cpu"])
    if not power:
        pytest.skip(f"the processor's joules are from {result.method['cpu']} here")
    total_j, cpu_j, ram_j = result.codecarbon_total_j, result.cpu_j, result.ram_j
    assert None not in (total_j, cpu_j, ram_j, result.cpu_s)
    assert cpu_j == pytest.approx(float(power[1]) * result.cpu_s, rel=0.01)
    assert total_j == pytest.approx(cpu_j + ram_j, rel=0.001)
    assert theirs_j > 0.97 * total_j


def both(scope: str, work: Callable[[], object]) -> tuple[Any, float]:
    """Measure work with a window, and in joules with a plain tracker around it."""
    codecarbon = pytest.importorskip("codecarbon")
    meter = EnergyMeter(engine="codecarbon", scope=scope)
    with quiet():
        plain = codecarbon.OfflineEmissionsTracker(
            tracking_mode=scope, output_dir=tempfile.gettempdir(), **SETTINGS
        )
    plain.start_task("warm-up")
    plain.stop_task("warm-up")
    plain.start_task("work")
    with meter.window("work", device="cpu") as window:
        work()
    theirs: Any = plain.stop_task("work")
    theirs_j = theirs.energy_consumed * 3.6e6
    total_j = window.result.codecarbon_total_j
    print(
        f"{scope}: {total_j:.2f} J and {theirs_j:.2f} J by the plain tracker around it, ratio "
        f"{total_j / theirs_j:.4f}, in {window.result.wall_s:.2f} s"
    )
    return window.result, theirs_j


@pytest.mark.parametrize("engine", ["model", "codecarbon"])
def test_work_inside_a_window_takes_no_longer(engine: str) -> None:
    """By the time that other threads of this process take, and by the same work without a window.

    The first is exact to microseconds. For the second, windows of a second and the same without,
    twice as many, take turns in random order; each consists of pieces, of which the fastest
    twentieth counts, since what else runs on the machine only adds. The machine's pace changes
    from second to second by more than the bar, so the interval of the ratio decides.
    """
    if engine == "codecarbon":
        pytest.importorskip("codecarbon")
    meter = EnergyMeter(engine=engine)
    steps = steps_of(1.0 / PIECES)
    fast: dict[str, list[float]] = {"inside": [], "without": []}
    others: list[float] = []
    for _ in range(ROUNDS):
        for name in random.sample(["inside", "without", "without"], 3):
            window = meter.window(device="cpu") if name == "inside" else None
            with window or contextlib.nullcontext():
                taken = [cpu_time(steps) for _ in range(PIECES)]
            fast[name].append(statistics.quantiles(taken, n=20)[0])
            if window and window.result.cpu_s:
                others.append(window.result.cpu_s / sum(taken) - 1)
    inside = ratio(fast["inside"], fast["without"], range(ROUNDS), range(2 * ROUNDS))
    value, low, high = (one - 1 for one in inside)
    print(
        f"{engine}: other threads and reading the clocks {statistics.median(others):+.3%} of a "
        f"second's work; inside {value:+.2%} ({low:+.2%} to {high:+.2%}); "
        f"load {os.getloadavg()[0]:.1f}"
    )
    assert statistics.median(others) < OVERHEAD_BELOW
    assert low < OVERHEAD_BELOW
