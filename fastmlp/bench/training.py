"""What a training to the target takes: the first epoch, which compiles, and steady ones after it.

``energy to target = first + (n - 1) * epoch``, with n the median of the seeds' epochs; time
alike. Both come from the same rounds, those under the energy meter; where there are none, the
time comes from the suite of speeds, without a first epoch.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastmlp.bench.document import Document, Figure
from fastmlp.bench.ranking import joules
from fastmlp.bench.statistics import Interval, combined, median


class Way(NamedTuple):
    """How the seeds of a contender got to the target."""

    accuracy: float | None  # median over the seeds, after all epochs
    epochs: tuple[int, ...]  # of each seed that reached the target
    seeds: int

    @property
    def n(self) -> float | None:
        """Median of the epochs; None unless all seeds reached the target."""
        if not self.epochs or len(self.epochs) < self.seeds:
            return None
        return float(statistics.median(self.epochs))


class Cost(NamedTuple):
    """Time and compute energy of one contender's training; None is not known."""

    epoch_s: Interval | None
    epoch_j: Interval | None
    first_s: float | None  # first epoch of a process, compiling included
    first_j: float | None
    target_s: Interval | None
    target_j: Interval | None


def way(document: Document, contender: str) -> Way:
    """Return what the suite of accuracy found."""
    name = f"train-to-{100 * document.protocol['target']:g}"
    figure = document.figure(name, contender)
    ways = figure.values["ways"] if figure else []
    accuracy = statistics.median(one["accuracy"][-1] for one in ways) if ways else None
    reached = tuple(one["epochs"] for one in ways if one["epochs"] is not None)
    return Way(accuracy, reached, len(ways))


def cost(document: Document, contender: str) -> Cost:
    """Return what an epoch and the whole way to the target take."""
    steady = document.figure("train-energy", contender)
    first = document.figure("first-epoch", contender)
    timed = steady or document.figure("train-epoch", contender)
    epochs = way(document, contender).epochs if way(document, contender).n else ()
    found = joules(steady) if steady else None
    first_j = _first_joules(first) if first else ()
    return Cost(
        epoch_s=median(timed.unit_s, timed.block) if timed else None,
        epoch_j=found.value if found else None,
        first_s=statistics.median(first.unit_s) if first else None,
        first_j=statistics.median(first_j) if first_j else None,
        target_s=_whole(first.unit_s if first else (), timed.unit_s if timed else (), epochs),
        target_j=_whole(first_j, found.samples if found else (), epochs),
    )


def break_even_epochs(first: float, epoch: float, other_first: float, other_epoch: float) -> float:
    """Epochs from which on a contender that compiles has overtaken another one.

    ``first + (n - 1) epoch = other_first + (n - 1) other_epoch``; infinite if it never does.

    Examples
    --------
    >>> break_even_epochs(11.0, 1.0, 2.0, 2.0), break_even_epochs(3.0, 2.0, 1.0, 2.0)
    (10.0, inf)
    """
    if first <= other_first and epoch <= other_epoch:
        return 1.0
    if epoch >= other_epoch:
        return math.inf
    return 1 + (first - other_first) / (other_epoch - epoch)


def _first_joules(figure: Figure) -> tuple[float, ...]:
    """Joules of first epochs, which are as short as they are."""
    pairs = zip(figure.energy, figure.work, strict=True)
    found = ((one["compute_j"], work) for one, work in pairs if "source_failed" not in one["flags"])
    return tuple(joules / work for joules, work in found if joules is not None)


def _whole(
    first: Sequence[float], steady: Sequence[float], epochs: Sequence[int]
) -> Interval | None:
    if not (first and steady and epochs):
        return None
    total: Callable[..., float] = lambda first, steady, n: first + (n - 1) * steady  # noqa: E731
    return combined(total, first, steady, [float(n) for n in epochs])
