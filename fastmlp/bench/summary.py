"""A line per contender: what the table, the charts and the verdict are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastmlp.bench.document import Document, Figure
from fastmlp.bench.ranking import Joules, joules
from fastmlp.bench.statistics import Interval, ratio
from fastmlp.bench.training import Cost, Way, cost, timed, way

REFERENCE = "keras"


class Line(NamedTuple):
    """One contender in all its figures; None is not known."""

    name: str
    description: str
    is_reference: bool
    way: Way
    cost: Cost
    speed: Interval | None  # of an epoch, over the reference's: 2 is twice as fast
    processes: int  # that steady epochs were timed in
    predictions: Joules | None  # of 10,000 predictions

    @property
    def is_ranked(self) -> bool:
        """Whether the joules of steady epochs may be ranked."""
        return self.cost.epoch is not None and self.cost.epoch.is_ranked


class Summary(NamedTuple):
    """All lines of a document, with what they are about."""

    document: Document
    lines: tuple[Line, ...]

    @property
    def ranked(self) -> tuple[Line, ...]:
        """Lines whose joules may be ranked."""
        return tuple(one for one in self.lines if one.is_ranked)

    @property
    def target(self) -> str:
        """Accuracy that trainings are to reach, as text."""
        return f"{100 * self.document.protocol['target']:g} %"

    @property
    def epoch(self) -> str:
        """What an epoch is, as text."""
        rows = self.document.protocol.get("settings", {}).get("rows")
        return f"of {rows:,} images" if rows else "of all images"

    def line(self, name: str) -> Line | None:
        """Look one up."""
        return next((one for one in self.lines if one.name == name), None)


def summary(document: Document) -> Summary:
    """Gather the figures of each contender that has any, in the order of the document."""
    measured = {figure.contender for figure in document.figures}
    names = [one["name"] for one in document.contenders if one["name"] in measured]
    reference = timed(document, REFERENCE)
    about = {one["name"]: one["description"] for one in document.contenders}
    return Summary(document, tuple(_line(document, name, about[name], reference) for name in names))


def ordered(values: Sequence[tuple[str, float]]) -> list[str]:
    """Return names in the order of their values, the smallest first."""
    return [name for name, _ in sorted(values, key=lambda pair: pair[1])]


def _line(document: Document, name: str, description: str, reference: Figure | None) -> Line:
    own = timed(document, name)
    prediction = document.figure("predict-energy", name)
    speed = None
    if own and own is reference:
        speed = Interval(1.0, 1.0, 1.0)
    elif own and reference:
        speed = ratio(reference.unit_s, own.unit_s, reference.block, own.block)
    return Line(
        name,
        description,
        name == REFERENCE,
        way(document, name),
        cost(document, name),
        speed,
        len(set(own.block)) if own else 0,
        joules(prediction) if prediction else None,
    )
