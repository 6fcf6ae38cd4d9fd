"""A pytest plugin, ``-p bench.suites.slowed``: makes each step 30 % slower, on purpose.

For `bench.suites.alarms`, which asks whether the comparison of two runs would notice.
"""

from __future__ import annotations

import time
from typing import Any

from bench.suites import rounds

SLOWER = 0.3
_measure = rounds.measure


def _measure_slowed(suite: Any, group: str, unit: str, do: rounds.Work, **settings: Any) -> None:
    def slowed(n: int) -> None:
        started = time.perf_counter()
        do(n)
        done = time.perf_counter()
        while time.perf_counter() - done < SLOWER * (done - started):
            pass

    _measure(suite, group, unit, slowed if group == "step" else do, **settings)


rounds.measure = _measure_slowed
