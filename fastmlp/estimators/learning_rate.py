"""The learning rate of each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from fastmlp.core import Array, Namespace, Optimizer
from fastmlp.core.schedules import FACTORS

SMALLEST = 1e-6  # where "adaptive" gives up


class LearningRate:
    """What ``learning_rate`` makes of ``learning_rate_init``, as in scikit-learn.

    "invscaling" divides it by (t + 1)^power_t, t the samples seen before the epoch; "adaptive"
    divides it by 5 whenever training stalls, and ends training where it is 1e-6 by then.
    """

    def __init__(self, kind: str, init: float, power_t: float) -> None:
        self.kind, self.init, self.power_t = kind, float(init), float(power_t)
        self.value = self.init

    def epochs(self, t: int, n: int) -> Iterator[float]:
        """Rates of the epochs that follow on t samples seen, with n samples each."""
        yield self.value
        while True:
            t += n
            self.advance(t)
            yield self.value

    def advance(self, t: int) -> None:
        """Become the rate of the epoch that begins when t samples have been seen."""
        if self.kind == "invscaling":
            self.value = self.init / (t + 1) ** self.power_t

    def stalled(self) -> bool:
        """Hear that training does not get on; tell whether that is to be its end."""
        if self.kind != "adaptive" or self.value <= SMALLEST:
            return True
        self.value /= 5.0
        return False


def planned(optimizer: Optimizer, t: int) -> float:
    """Return what the schedule of an optimizer, if it has one, makes of the rate in step t."""
    found: Optimizer | None = optimizer
    while found is not None:
        if found.name == "scheduled":
            kind, n_steps, n_warm_up = found.settings
            host, step = cast(Namespace, np), cast(Array, np.asarray(float(t)))
            return float(cast(Any, FACTORS[kind](host, step, n_steps, n_warm_up)))
        found = found.inner
    return 1.0
