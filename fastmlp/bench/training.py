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
from fastmlp.bench.ranking import FIRST, Joules, joules
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
    epoch: Joules | None  # of a steady epoch
    first_s: float | None  # first epoch of a process, compiling included
    first: Joules | None
    target_s: Interval | None
    target: Joules | None

    @property
    def epoch_j(self) -> Interval | None:
        """Joules of a steady epoch."""
        return self.epoch.value if self.epoch else None

    @property
    def first_j(self) -> float | None:
        """Joules of the first epoch."""
        return self.first.value.value if self.first and self.first.value else None

    @property
    def target_j(self) -> Interval | None:
        """Joules of the whole way to the target."""
        return self.target.value if self.target else None

    @property
    def is_way_ranked(self) -> bool:
        """Whether the joules of first and of steady epochs may be ranked."""
        return all(one is not None and one.is_ranked for one in (self.first, self.epoch))


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
    names = {figure.contender for figure in document.figures if figure.name in EPOCHS}

    def fewest(group: str) -> int:
        figures = [document.figure(group, name) for name in names]
        return min((len(set(one.block)) if one else 0 for one in figures), default=0)

    return document.figure(max(EPOCHS, key=fewest), contender)


def cost(document: Document, contender: str) -> Cost:
    """Return what an epoch and the whole way to the target take."""
    steady = document.figure("train-energy", contender)
    first = document.figure(FIRST, contender)
    own, to_target = timed(document, contender), way(document, contender)
    epochs = to_target.epochs if to_target.n else ()
    each = joules(steady) if steady and steady.energy else None
    start = joules(first) if first and first.energy else None
    return Cost(
        epoch_s=median(own.unit_s, own.block) if own else None,
        epoch=each,
        first_s=statistics.median(first.unit_s) if first else None,
        first=start,
        target_s=_whole(_times(first), _times(steady), epochs),
        target=_whole_joules(start, each, epochs),
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


def _whole_joules(
    first: Joules | None, each: Joules | None, epochs: Sequence[int]
) -> Joules | None:
    """Add the epochs up, under each power model, too."""
    if first is None or each is None:
        return None
    value = _whole(first.samples, each.samples, epochs)
    if value is None:
        return None
    from fastmlp.energy import LABELS

    n = statistics.median(epochs)
    worse = min(first, each, key=lambda one: one.processes)
    source = max(first.source, each.source, key=LABELS.index)  # the weaker
    ways = {
        name: tuple(sorted({*first.ways.get(name, ()), *each.ways[name]})) for name in each.ways
    }
    shared = sorted(first.models.keys() & each.models.keys())
    models = {name: first.models[name] + (n - 1) * each.models[name] for name in shared}
    return each._replace(
        value=value,
        samples=Sample([]),  # it is the median of none
        models=models,
        processes=worse.processes,
        left_out=worse.left_out,
        source=source,
        ways=ways,
    )


def _whole(first: Sample | None, steady: Sample | None, epochs: Sequence[int]) -> Interval | None:
    if not (first and first.values and steady and steady.values and epochs):
        return None

    def total(first: Any, steady: Any, n: Any) -> Any:
        return first + (n - 1) * steady

    return combined(total, first, steady, Sample([float(n) for n in epochs]))
