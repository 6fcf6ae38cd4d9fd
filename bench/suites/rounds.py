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


class Pace:
    """Units of work, as many in a round as fill a window even at the fastest pace so far.

    Parameters
    ----------
    do : callable
    window_s : float
        Shortest time of a round.
    units : int, optional
        Of every round; left out, they are counted out, after a first one that may compile.
    """

    def __init__(self, do: Work, window_s: float, units: int | None = None) -> None:
        self._do, self._window_s, self._units = do, window_s, units
        self._unit_s, n = math.inf, 1
        if units is None:
            do(1)
            while (took_s := self.run(n)) < window_s / 4:
                n = max(n + 1, min(10 * n, math.ceil(n * window_s / max(took_s, 1e-9))))

    @property
    def units(self) -> int:
        """How many the next round has."""
        return self._units or max(1, math.ceil(self._window_s / max(self._unit_s, 1e-9)))

    def run(self, n: int) -> float:
        """Do n units, and return the time that they took in seconds."""
        started = time.perf_counter()
        self._do(n)
        took_s = time.perf_counter() - started
        self._unit_s = min(self._unit_s, took_s / n)
        return took_s


class _Round:
    """What opens before a round and closes after it, outside its time."""

    def __init__(self, suite: Suite, label: str, unit: str) -> None:
        self.suite, self.label, self.unit = suite, label, unit
        self.work: list[int] = []
        self.probe_s: list[float] = []
        self.energy: list[dict[str, Any]] = []
        self._window: EnergyWindow | None = None

    def open(self, units: int) -> None:
        """Time the probe, then begin to count joules."""
        self.work.append(units)
        self.probe_s.append(self.suite.probe.measure_s() / 2)
        if self.suite.meter:
            contender, device = self.suite.contender, self.suite.device
            window = self.suite.meter.window(
                self.label, units, self.unit, backend=contender, device=device
            )
            self._window = window.__enter__()

    def close(self) -> None:
        """Read the joules, then time the probe again."""
        if window := self.end():
            self.energy.append(window.result.to_dict())
        self.probe_s[-1] += self.suite.probe.measure_s() / 2

    def end(self) -> EnergyWindow | None:
        """Close the window, if one is open, and return it."""
        window, self._window = self._window, None
        if window:
            window.__exit__(None, None, None)
        return window


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
    # a round that is a little faster than all before it must not fall short
    window_s = 1.1 * profile.energy_window_s if suite.meter else profile.window_s
    pace, n_rounds = Pace(do, window_s, units), rounds or profile.rounds
    taken = _Round(suite, group, unit)

    def open_round() -> None:
        if benchmark.stats is not None:
            # pedantic takes no iterations beside a setup; its table is of units
            benchmark.stats.iterations = pace.units
        prepare()
        taken.open(pace.units)

    try:
        benchmark.pedantic(
            lambda: pace.run(taken.work[-1]),
            setup=open_round,
            teardown=taken.close,
            rounds=n_rounds,
            warmup_rounds=0 if rounds else profile.warm_up,
            iterations=1,
        )
    finally:
        taken.end()  # of a round that raised, or whose teardown pytest-benchmark left out
    # rounds before the last ones belong to the warm-up
    benchmark.extra_info |= {
        "suite": suite.suite,
        "contender": suite.contender,
        "unit": unit,
        "work": taken.work[-n_rounds:],
        "probe_s": taken.probe_s[-n_rounds:],
        "energy": taken.energy[-n_rounds:],
        "values": values or {},
    }
