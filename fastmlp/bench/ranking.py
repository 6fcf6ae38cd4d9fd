"""Who uses less energy, where the figures can say so at all.

Two kinds of doubt, never mixed: rounds differ (the interval of the median), and where no counter
was read, power models differ (each of them gives other joules for the same rounds). "Less" needs
both: intervals apart, and the same order under every model.

An interval by bootstrap lies between the processes that were measured: of k equal ones, the true
median is outside in 2 of 2^k cases at least. So nothing is ranked that fewer than five gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastmlp.bench.document import Figure
from fastmlp.bench.statistics import Interval, Sample, median

# Flags of a round that keep it out of any ranking; the others are for the reader to weigh.
DISQUALIFYING = frozenset(
    {
        *("short_window", "under_5_s", "contention", "duration_mismatch", "power_above_limit"),
        *("counter_wrapped", "source_failed", "gpu_unread", "gpu_doubtful", "device_not_said"),
        "children_running",
    }
)
SHORT, FIRST = frozenset({"short_window", "under_5_s"}), "first-epoch"
FEWEST_PROCESSES = 5
COUNTED = frozenset({"measured", "sampled"})  # joules that owe nothing to a power model
EVERY_MODEL = "every power model keeps the order"
LESS, MORE, NO_DIFFERENCE, NOT_RANKED = "less", "more", "no difference shown", "not ranked"


class Joules(NamedTuple):
    """Compute energy per unit of work: of the rounds that count, or of all if those are too few."""

    contender: str
    value: Interval | None
    samples: Sample  # that the value is the median of
    models: Mapping[str, float]  # medians under each power model; empty where it was measured
    rounds: int  # that count
    processes: int  # that they ran in
    left_out: Mapping[str, int]  # flag -> rounds that it kept out
    source: str  # weakest label of what is charged
    ways: Mapping[str, tuple[str, ...]]  # component -> labels and methods that it was obtained by

    @property
    def is_ranked(self) -> bool:
        """Whether rounds that count come from processes enough."""
        return self.processes >= FEWEST_PROCESSES

    @property
    def why_unranked(self) -> str:
        """Why there are too few processes with rounds that count; "" if there are enough."""
        if self.is_ranked:
            return ""
        flags = ", ".join(f"{flag} in {count}" for flag, count in sorted(self.left_out.items()))
        why = f" ({flags})" if flags else ""
        return (
            f"rounds that count from {self.processes} processes, fewer than {FEWEST_PROCESSES}{why}"
        )

    def against(self, other: Joules, *, is_less: bool) -> list[str]:
        """Return the power models under which self is not less than the other, or not more.

        A model that one of the two lacks is against it, unless both were counted.
        """
        from fastmlp.energy import MODELS

        if {self.source, other.source} <= COUNTED:
            return []
        sign = 1 if is_less else -1  # equal joules are neither less nor more
        return [
            name
            for name in MODELS
            if not {name} <= self.models.keys() & other.models.keys()
            or not sign * self.models[name] < sign * other.models[name]
        ]


class Order(NamedTuple):
    """How the first of two stands to the second."""

    verdict: str  # LESS, MORE, NO_DIFFERENCE or NOT_RANKED
    reason: str


def joules(figure: Figure) -> Joules:
    """Take the rounds of a figure that may be ranked; a first epoch is as short as it is.

    Examples
    --------
    >>> from fastmlp.bench.document import Figure
    >>> rounds = ({"compute_j": 8.0, "flags": (), "model_j": {}, "device": "cpu",
    ...            "source": {"cpu": "measured"}, "method": {"cpu": "RAPL"}},)
    >>> figure = Figure("train-energy", "emissions", "numpy", "epoch", (2.0,), (1.0,), (0.1,), (0,),
    ...     rounds, {})
    >>> joules(figure).value
    Interval(value=4.0, low=4.0, high=4.0)
    """
    left_out: dict[str, int] = {}
    known, counting = [], []
    flags = DISQUALIFYING - SHORT if figure.name == FIRST else DISQUALIFYING
    for number, energy in enumerate(figure.energy):
        barred = sorted(flags & set(energy["flags"]))
        if energy["compute_j"] is None:
            barred = barred or ["no energy"]
        else:
            known.append(number)
        for flag in barred:
            left_out[flag] = left_out.get(flag, 0) + 1
        if not barred:
            counting.append(number)
    processes = len({figure.block[i] for i in counting})
    chosen = counting if processes >= FEWEST_PROCESSES else known
    values = [figure.energy[i]["compute_j"] / figure.work[i] for i in chosen]
    samples = Sample(values, [figure.block[i] for i in chosen])
    value = median(*samples) if values else None
    models = _models(
        [figure.energy[i]["model_j"] for i in chosen], [figure.work[i] for i in chosen]
    )
    rounds = [figure.energy[i] for i in chosen]
    return Joules(
        figure.contender,
        value,
        samples,
        models,
        len(counting),
        processes,
        left_out,
        _source(rounds),
        _ways(rounds),
    )


def _models(found: Sequence[Mapping[str, float]], work: Sequence[float]) -> dict[str, float]:
    """Medians per unit of work under each model that all rounds have."""
    shared = set.intersection(*map(set, found)) if found else set()
    pairs = list(zip(found, work, strict=True))
    return {name: median([one[name] / n for one, n in pairs]).value for name in sorted(shared)}


def order(a: Joules, b: Joules) -> Order:
    """Tell whether a uses less compute energy per unit of work than b.

    Examples
    --------
    Two power models that order the same rounds differently show nothing:

    >>> from fastmlp.bench.document import Figure
    >>> from fastmlp.energy import MODELS
    >>> def rounds(name, compute_j, models):
    ...     one = {"compute_j": compute_j, "flags": (), "model_j": models, "device": "cpu",
    ...            "source": {"cpu": "estimated"}, "method": {"cpu": "a model"}}
    ...     return joules(Figure("e", "emissions", name, "epoch", (1.0,) * 5, (1.0,) * 5,
    ...                          (1.0,) * 5, range(5), (one,) * 5, {}))
    >>> one_thread = rounds("a", 30.2, dict.fromkeys(MODELS, 30.2) | {"linear_machine": 41.2})
    >>> all_threads = rounds("b", 40.0, dict.fromkeys(MODELS, 40.0))
    >>> order(one_thread, all_threads).verdict
    'no difference shown'
    """
    for one in (a, b):
        if not one.is_ranked:
            return Order(NOT_RANKED, f"{one.contender} has {one.why_unranked}")
    assert a.value
    assert b.value
    if a.ways["cpu"] != b.ways["cpu"]:  # each GPU has one of its own
        ways = f"{' or '.join(a.ways['cpu'])} against {' or '.join(b.ways['cpu'])}"
        return Order(NOT_RANKED, f"their joules were obtained in different ways: {ways}")
    if a.value.overlaps(b.value):
        return Order(NO_DIFFERENCE, "the 95 % intervals of their medians overlap")
    verdict = LESS if a.value.value < b.value.value else MORE
    against = a.against(b, is_less=verdict == LESS)
    if against:
        return Order(NO_DIFFERENCE, f"power models do not all say so: {', '.join(against)}")
    held = "" if {a.source, b.source} <= COUNTED else f", and {EVERY_MODEL}"
    return Order(verdict, f"the 95 % intervals of their medians lie apart{held}")


def _charged(energy: Mapping[str, Any]) -> tuple[str, ...]:
    """Components that the compute energy of a round is made of."""
    from fastmlp.energy.devices import is_gpu

    return ("cpu", "gpu") if is_gpu(energy["device"]) else ("cpu",)


def _source(rounds: Sequence[Mapping[str, Any]]) -> str:
    """Return the weakest label of what is charged in all rounds."""
    from fastmlp.energy import LABELS

    found = {one["source"][name] for one in rounds for name in _charged(one)}
    return max(found, key=LABELS.index, default="absent")


def _ways(rounds: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    ways: dict[str, set[str]] = {}
    for one in rounds:
        for name in _charged(one):
            ways.setdefault(name, set()).add(f"{one['source'][name]} ({one['method'][name]})")
    return {name: tuple(sorted(found)) for name, found in ways.items()}
