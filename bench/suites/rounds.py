"""One figure: rounds of work by ``benchmark.pedantic``, each beside the probe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.suites.probe import Probe
from bench.suites.profiles import Profile
from fastmlp.energy import EnergyMeter, EnergyWindow

Work = Callable[[int], None]  # does so many units, and waits until all is computed


class Suite(NamedTuple):
    """What the figures of one test have in common."""

    benchmark: Any  # pytest-benchmark's fixture
    suite: str
    contender: str
    profile: Profile
    probe: Probe
    meter: EnergyMeter | None = None  # of joules, beside the time
    device: str = ""  # where the contender computes


class _Round:
    """What opens before a round and closes after it, outside its time."""

    def __init__(self, suite: Suite, label: str, unit: str, work: int) -> None:
        self.suite, self.about = suite, (label, work, unit)
        self.probe_s: list[float] = []
        self.energy: list[dict[str, Any]] = []
        self._window: EnergyWindow | None = None

    def open(self) -> None:
        """Time the probe, then begin to count joules."""
        self.probe_s.append(self.suite.probe.measure_s() / 2)
        if self.suite.meter:
            contender, device = self.suite.contender, self.suite.device
            window = self.suite.meter.window(*self.about, backend=contender, device=device)
            self._window = window.__enter__()

    def close(self) -> None:
        """Read the joules, then time the probe again."""
        if self._window:
            window, self._window = self._window, None
            window.__exit__(None, None, None)
            self.energy.append(window.result.to_dict())
        self.probe_s[-1] += self.suite.probe.measure_s() / 2


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
    # a round that is a little faster than those it was counted out by must not fall short
    window_s = 1.2 * profile.energy_window_s if suite.meter else profile.window_s
    n, n_rounds = units or units_for(do, window_s), rounds or profile.rounds
    taken = _Round(suite, group, unit, n)

    def open_round() -> None:
        if (
            benchmark.stats is not None
        ):  # pedantic takes no iterations beside a setup; its table is of units
            benchmark.stats.iterations = n
        prepare()
        taken.open()

    try:
        benchmark.pedantic(
            lambda: do(n),
            setup=open_round,
            teardown=taken.close,
            rounds=n_rounds,
            warmup_rounds=0 if rounds else profile.warm_up,
            iterations=1,
        )
    finally:
        if benchmark.disabled:  # then nobody calls teardown
            taken.close()
    # rounds before the last ones belong to the warm-up
    benchmark.extra_info |= {
        "suite": suite.suite,
        "contender": suite.contender,
        "unit": unit,
        "work": [n] * n_rounds,
        "probe_s": taken.probe_s[-n_rounds:],
        "energy": taken.energy[-n_rounds:],
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
