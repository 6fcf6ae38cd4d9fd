"""One figure: rounds of work by ``benchmark.pedantic``, each beside the probe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.suites.probe import Probe
from bench.suites.profiles import Profile

Work = Callable[[int], None]  # does so many units, and waits until all is computed


class Suite(NamedTuple):
    """What the figures of one test have in common."""

    benchmark: Any  # pytest-benchmark's fixture
    suite: str
    contender: str
    profile: Profile
    probe: Probe


def measure(
    suite: Suite,
    group: str,
    unit: str,
    do: Work,
    *,
    units: int | None = None,
    rounds: int | None = None,
    prepare: Callable[[], Any] = lambda: None,
    values: dict[str, Any] | None = None,
) -> None:
    """Time rounds of so many units of work that each is as long as the profile wants it.

    Parameters
    ----------
    suite : Suite
    group, unit : str
        Name of the figure, and of one unit of its work.
    do : callable
    units : int, optional
        Of a round; left out, they are counted out.
    rounds : int, optional
        Left out, the profile's, after those that warm up; given, nothing warms up.
    prepare : callable, optional
        Called before each round, outside its time.
    values : dict, optional
        What else is known of the figure.
    """
    benchmark, profile = suite.benchmark, suite.profile
    benchmark.group = group
    n, n_rounds = units or units_for(do, profile.window_s), rounds or profile.rounds
    before_s, probe_s = 0.0, []

    def open_round() -> None:
        nonlocal before_s
        if benchmark.stats:  # pedantic takes no iterations beside a setup; its table is of units
            benchmark.stats.iterations = n
        prepare()
        before_s = suite.probe.measure_s()

    def close_round() -> None:
        probe_s.append((before_s + suite.probe.measure_s()) / 2)

    benchmark.pedantic(
        lambda: do(n),
        setup=open_round,
        teardown=close_round,
        rounds=n_rounds,
        warmup_rounds=0 if rounds else profile.warm_up,
        iterations=1,
    )
    benchmark.extra_info |= {
        "suite": suite.suite,
        "contender": suite.contender,
        "unit": unit,
        "work": [n] * n_rounds,
        "probe_s": probe_s[-n_rounds:],  # those before belong to the warm-up
        "values": values or {},
    }


def units_for(do: Work, window_s: float) -> int:
    """Count how many units fill a window, after a first call that may compile."""
    do(1)
    n, took_s = 1, 0.0
    while took_s < window_s / 4:
        started = time.perf_counter()
        do(n)
        took_s = time.perf_counter() - started
        n = max(n + 1, min(10 * n, math.ceil(n * window_s / max(took_s, 1e-9))))
    return n
