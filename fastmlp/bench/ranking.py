"""Who uses less energy, where the figures can say so at all.

Two kinds of doubt, never mixed: rounds differ (the interval of the median), and where no counter
was read, power models differ (each of them gives other joules for the same rounds). "Less" needs
both: intervals apart, and the same order under every model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastmlp.bench.document import Figure
from fastmlp.bench.statistics import Interval, Sample, median

# Flags of a round that keep it out of any ranking; the others are for the reader to weigh.
DISQUALIFYING = frozenset(
    {
        *("short_window", "contention", "duration_mismatch", "power_above_limit"),
        *("counter_wrapped", "source_failed", "gpu_unread", "gpu_doubtful", "device_not_said"),
        "children_running",
    }
)
FEWEST_ROUNDS = 3
EVERY_MODEL = "every power model keeps the order"
LESS, MORE, NO_DIFFERENCE, NOT_RANKED = "less", "more", "no difference shown", "not ranked"


class Joules(NamedTuple):
    """Compute energy per unit of work: of the rounds that count, or of all if those are too few."""

    value: Interval | None
    samples: Sample  # that the value is the median of
    models: Mapping[str, float]  # medians under each power model; empty where it was measured
    rounds: int  # that count
    left_out: Mapping[str, int]  # flag -> rounds that it kept out
    source: str  # weakest label of CPU and GPU

    @property
    def is_ranked(self) -> bool:
        """Whether there are rounds enough that count."""
        return self.rounds >= FEWEST_ROUNDS

    @property
    def why_unranked(self) -> str:
        """Why there are too few rounds that count; "" if there are enough."""
        if self.is_ranked:
            return ""
        flags = ", ".join(f"{flag} in {count}" for flag, count in sorted(self.left_out.items()))
        why = f" ({flags})" if flags else ""
        return f"{self.rounds} rounds that count, fewer than {FEWEST_ROUNDS}{why}"


class Order(NamedTuple):
    """How the first of two stands to the second."""

    verdict: str  # LESS, MORE, NO_DIFFERENCE or NOT_RANKED
    reason: str


def joules(figure: Figure) -> Joules:
    """Take the rounds of a figure that may be ranked.

    Examples
    --------
    >>> from fastmlp.bench.document import Figure
    >>> rounds = ({"compute_j": 8.0, "flags": (), "model_j": {}, "source": {"cpu": "measured"}},)
    >>> figure = Figure("train-energy", "emissions", "numpy", "epoch", (2.0,), (1.0,), (0.1,), (0,),
    ...     rounds, {})
    >>> joules(figure).value
    Interval(value=4.0, low=4.0, high=4.0)
    """
    left_out: dict[str, int] = {}
    known, counting = [], []
    for number, energy in enumerate(figure.energy):
        barred = sorted(DISQUALIFYING & set(energy["flags"]))
        if energy["compute_j"] is None:
            barred = barred or ["no energy"]
        else:
            known.append(number)
        for flag in barred:
            left_out[flag] = left_out.get(flag, 0) + 1
        if not barred:
            counting.append(number)
    chosen = counting if len(counting) >= FEWEST_ROUNDS else known
    values = [figure.energy[i]["compute_j"] / figure.work[i] for i in chosen]
    samples = Sample(values, [figure.block[i] for i in chosen])
    value = median(*samples) if values else None
    models = _models(
        [figure.energy[i]["model_j"] for i in chosen], [figure.work[i] for i in chosen]
    )
    return Joules(value, samples, models, len(counting), left_out, source_of(figure.energy))


def _models(found: Sequence[Mapping[str, float]], work: Sequence[float]) -> dict[str, float]:
    """Medians per unit of work under each model that all rounds have."""
    shared = set.intersection(*map(set, found)) if found else set()
    pairs = list(zip(found, work, strict=True))
    return {name: median([one[name] / n for one, n in pairs]).value for name in sorted(shared)}


def order(a: Figure, b: Figure) -> Order:
    """Tell whether a uses less compute energy per unit of work than b.

    Examples
    --------
    Two power models that order the same rounds differently show nothing:

    >>> from fastmlp.bench.document import Figure
    >>> def figure(name, joules, models):
    ...     one = {"compute_j": joules, "flags": (), "model_j": models,
    ...            "source": {"cpu": "estimated"}, "method": {"cpu": "a model"}}
    ...     return Figure("e", "emissions", name, "epoch", (1.0,) * 3, (1.0,) * 3, (1.0,) * 3,
    ...                   (0,) * 3, (one,) * 3, {})
    >>> one_thread = figure("a", 30.2, {"cubic": 30.2, "linear": 41.2})
    >>> all_threads = figure("b", 40.0, {"cubic": 40.0, "linear": 40.0})
    >>> order(one_thread, all_threads).verdict
    'no difference shown'
    """
    mine, its = joules(a), joules(b)
    for one, found in ((a, mine), (b, its)):
        if not found.is_ranked:
            return Order(NOT_RANKED, f"{one.contender} has {found.why_unranked}")
    assert mine.value
    assert its.value
    ways = [_ways(one.energy) for one in (a, b)]
    if ways[0] != ways[1]:
        return Order(NOT_RANKED, f"their joules were obtained in different ways: {ways}")
    if mine.value.overlaps(its.value):
        return Order(NO_DIFFERENCE, "the 95 % intervals of their medians overlap")
    verdict = LESS if mine.value.value < its.value.value else MORE
    against = [
        name
        for name in sorted(set(mine.models) & set(its.models))
        if (mine.models[name] < its.models[name]) != (verdict == LESS)
    ]
    if against:
        return Order(NO_DIFFERENCE, f"power models disagree: {', '.join(against)} turns it round")
    held = f", and {EVERY_MODEL}" if mine.models and its.models else ""
    return Order(verdict, f"the 95 % intervals of their medians lie apart{held}")


def source_of(rounds: Sequence[Mapping[str, Any]]) -> str:
    """Return the weakest label of the CPU's and the GPU's joules in all rounds."""
    from fastmlp.energy import LABELS

    found = {
        energy["source"].get(name, "absent") for energy in rounds for name in ("cpu", "gpu")
    } - {"absent"}
    return max(found, key=LABELS.index, default="absent")


def _ways(rounds: Sequence[Mapping[str, Any]]) -> list[str]:
    """How CPU joules were obtained; a GPU has a label of its own for each device."""
    return sorted({f"{one['source']['cpu']}: {one['method']['cpu']}" for one in rounds})
