"""What a training to the target takes: the first epoch, which compiles, and steady ones after it.

``energy to target = first + (n - 1) * epoch``, with n the median of the seeds' epochs; time
alike. Both come from the same rounds, those under the energy meter. The time of a steady epoch
alone comes from one figure for all contenders, of the speeds or of the emissions.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastmlp.bench.document import Document, Figure
from fastmlp.bench.ranking import DISQUALIFYING, SHORT, joules
from fastmlp.bench.statistics import Interval, Sample, combined, median

EPOCHS = ("train-energy", "train-epoch")  # figures with the time of a steady epoch


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
    ways = seeds_of(document, contender)
    accuracy = statistics.median(one["accuracy"][-1] for one in ways) if ways else None
    reached = tuple(one["epochs"] for one in ways if one["epochs"] is not None)
    return Way(accuracy, reached, len(ways))


def seeds_of(document: Document, contender: str) -> Sequence[Mapping[str, Any]]:
    """Return seed, accuracy and loss after each epoch, and epochs to the target, of each seed."""
    figure = document.figure(f"train-to-{100 * document.protocol['target']:g}", contender)
    return figure.values["ways"] if figure else ()


def timed(document: Document, contender: str) -> Figure | None:
    """Return the figure that the time of a steady epoch comes from, of all contenders the same.

    It is the one of which the contender with the fewest processes has most.
    """
    names = {figure.contender for figure in document.figures}

    def fewest(group: str) -> int:
        figures = [document.figure(group, name) for name in names]
        return min(len(set(one.block)) if one else 0 for one in figures)

    return document.figure(max(EPOCHS, key=fewest), contender)


def cost(document: Document, contender: str) -> Cost:
    """Return what an epoch and the whole way to the target take."""
    steady = document.figure("train-energy", contender)
    first = document.figure("first-epoch", contender)
    own, to_target = timed(document, contender), way(document, contender)
    epochs = to_target.epochs if to_target.n else ()
    found = joules(steady) if steady else None
    first_j = _first_joules(first)
    return Cost(
        epoch_s=median(own.unit_s, own.block) if own else None,
        epoch_j=found.value if found else None,
        first_s=statistics.median(first.unit_s) if first else None,
        first_j=statistics.median(first_j.values) if first_j else None,
        target_s=_whole(_times(first), _times(steady), epochs),
        target_j=_whole(first_j, found.samples if found else None, epochs),
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


def _times(figure: Figure | None) -> Sample | None:
    return Sample(figure.unit_s, figure.block) if figure else None


def _first_joules(figure: Figure | None) -> Sample | None:
    """Joules of first epochs, without those that a gate keeps out for more than being short."""
    if figure is None:
        return None
    rounds = zip(figure.energy, figure.work, figure.block, strict=True)
    found = [
        (energy["compute_j"] / work, block)
        for energy, work, block in rounds
        if energy["compute_j"] is not None and not (DISQUALIFYING - SHORT) & set(energy["flags"])
    ]
    return Sample([joules for joules, _ in found], [block for _, block in found]) if found else None


def _whole(first: Sample | None, steady: Sample | None, epochs: Sequence[int]) -> Interval | None:
    if not (first and steady and steady.values and epochs):
        return None

    def total(first: Any, steady: Any, n: Any) -> Any:
        return first + (n - 1) * steady

    return combined(total, first, steady, Sample([float(n) for n in epochs]))
