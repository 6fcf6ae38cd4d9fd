"""Two runs of the suites: what has become slower, or needs more energy.

Times are taken over the probe's, a fixed matrix product that runs beside each round: what slows
the whole machine down slows the probe, too. Compared is what each takes while nothing disturbs it,
the 20 % quantile of its rounds, and of joules, which have no such lower bound, the median. A change
counts where the whole 90 % interval of the ratio lies beyond the limit; so noise alone seldom
raises an alarm, and a small change needs many rounds to be seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastmlp.bench.document import ACCURACY, INTERRUPTED, Document, Figure
from fastmlp.bench.ranking import FEWEST_PROCESSES, Joules, joules
from fastmlp.bench.statistics import (
    ONE_SIDED,
    Interval,
    Probed,
    Sample,
    median,
    quiet_ratio,
    ratio,
)

LIMIT = 0.10
GIB = 2**30
ALIKE = ("cpu", "cores", "memory_gib", "gpu")  # of machines that may be compared
PROTOCOL = (  # what else must be the same
    *("profile", "threads", "data", "layer_sizes", "batch_size", "learning_rate", "dtype"),
    "target",
)
SIZES = ("rows",)  # of a profile: of an epoch


class Change(NamedTuple):
    """New over old of one quantity of one contender."""

    name: str
    contender: str
    quantity: str  # "time" (over the probe's) or "energy" (joules)
    ratio: Interval  # above 1: more time, or more energy, than before
    limit: float  # a ratio of 1 + limit is a regression
    doubt: str = ""  # why nothing is concluded from it

    @property
    def label(self) -> str:
        """Name it."""
        return f"{self.name} {self.contender} {self.quantity}"

    @property
    def verdict(self) -> str:
        """Return "worse", "better" or "no difference shown", all as to the limit, or "unclear".

        A change is unclear where the interval holds the limit, and where there is a doubt: more
        rounds, or quieter ones, would tell.
        """
        if self.doubt:
            return "unclear"
        if self.ratio.low > 1 + self.limit:
            return "worse"
        if self.ratio.high < 1 / (1 + self.limit):
            return "better"
        if self.ratio.value > 1 + self.limit:
            return "unclear"
        return "no difference shown"


class Comparison(NamedTuple):
    """All changes between two documents."""

    changes: tuple[Change, ...]
    missing: tuple[str, ...]  # figures that only the old document has, and quantities it lost
    lost: tuple[str, ...]  # contenders of the old run that could not run any more, or failed
    failed: tuple[str, ...]  # processes of the new run, with their last words
    versions: tuple[str, ...]  # "jax 0.10.1 -> 0.10.2"

    @property
    def regressions(self) -> tuple[Change, ...]:
        """Changes for the worse."""
        return tuple(change for change in self.changes if change.verdict == "worse")


def compare(
    old: Document, new: Document, *, fail_speed: float = LIMIT, fail_energy: float = LIMIT
) -> Comparison:
    """Relate every figure of the new document to the same one of the old.

    Parameters
    ----------
    old, new : Document
    fail_speed, fail_energy : float
        Parts of the old value; 0.1 calls more than 10 % more a regression.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        The documents are of different machines, profiles, numbers of threads or data, have no
        figure in common, or their joules were obtained in different ways.
    """
    for name, limit in (("fail_speed", fail_speed), ("fail_energy", fail_energy)):
        if not 0 <= limit < math.inf:
            raise ValueError(f"{name}={limit}: expected a part from 0 on, such as 0.1 for 10 %")
    _check_alike("machine", _hardware(old), _hardware(new), ALIKE)
    _check_alike("protocol", old.protocol, new.protocol, PROTOCOL)
    before, after = (one.protocol.get("settings", {}) for one in (old, new))
    _check_alike("profile", before, after, SIZES)
    pairs = [(one, new.figure(one.name, one.contender)) for one in _compared(old)]
    both = [(one, its) for one, its in pairs if its]
    if not both:
        raise ValueError(
            "the two files have no figure in common: run the same --suites and --backends for both"
        )
    gone = [one for one, its in pairs if not its]
    changes, missing = [], [one.label for one in gone]
    for one, its in both:
        _check_units(one, its)
        changes.append(_speed(one, its, fail_speed))
        energies = joules(one), joules(its)
        if all(found.value for found in energies):
            _check_ways(one.label, *energies)
            changes.append(_energy(one, *energies, fail_energy))
        elif energies[0].value:
            missing.append(f"{one.label}: energy")
    lost, versions = tuple(_lost(old, new)), tuple(_versions(old, new))
    return Comparison(tuple(changes), tuple(missing), lost, new.failed, versions)


def smaller_is_better(document: Document) -> list[dict[str, Any]]:
    """Return the figures as github-action-benchmark reads them with ``customSmallerIsBetter``.

    The times are relative to the probe's, the joules absolute, without those that are not to be
    ranked, nor the trainings of seeds, which are not compared; "range" is the 95 % interval.
    """
    entries = []
    for figure in _compared(document):
        time = Sample(figure.probed, figure.block)
        quantities = [("time", f"probes per {figure.unit}", time)]
        if (found := joules(figure)).is_ranked:
            quantities.append(("energy", f"J per {figure.unit}", found.samples))
        for quantity, unit, sample in quantities:
            interval = median(*sample)
            entries.append(
                {
                    "name": f"{figure.label}: {quantity}",
                    "unit": unit,
                    "value": interval.value,
                    "range": f"{interval.low:.4g} to {interval.high:.4g}",
                    "extra": f"{len(sample.values)} rounds, {document.protocol['profile']}",
                }
            )
    return entries


def _compared(document: Document) -> list[Figure]:
    """Return the figures whose rounds are repeats, those of a contender together."""
    names = [one["name"] for one in document.contenders]
    figures = [one for one in document.figures if one.suite != ACCURACY]
    return sorted(figures, key=lambda one: (names.index(one.contender), one.suite, one.name))


def _speed(before: Figure, after: Figure, limit: float) -> Change:
    old, new = (Probed(one.unit_s, one.probe_s, one.block) for one in (before, after))
    few = min(len(set(one.block)) for one in (before, after)) < FEWEST_PROCESSES
    doubt = f"fewer than {FEWEST_PROCESSES} processes" if few else ""
    return Change(before.name, before.contender, "time", quiet_ratio(new, old), limit, doubt)


def _energy(before: Figure, old: Joules, new: Joules, limit: float) -> Change:
    a, b = new.samples, old.samples
    interval = ratio(a.values, b.values, a.blocks, b.blocks, ONE_SIDED)
    change = Change(before.name, before.contender, "energy", interval, limit)
    doubts = [
        f"{which}: {why}"
        for which, one in (("old", old), ("new", new))
        if (why := one.why_unranked)
    ]
    if change.verdict in ("worse", "better"):
        against = new.against(old, is_less=change.verdict == "better")
        if against:
            doubts.append(f"power models do not all say so: {', '.join(against)}")
    return change._replace(doubt="; ".join(doubts))


def _lost(old: Document, new: Document) -> Iterator[str]:
    """Name contenders of the old run that could not run any more, or failed."""
    absent = {one["contender"] for one in new.absent}
    failed = [words for words in new.failed if not words.startswith(INTERRUPTED)]
    for name in dict.fromkeys(figure.contender for figure in old.figures):
        if name in absent or any(f" of {name}, turn" in words for words in failed):
            yield name


def _check_alike(
    what: str, old: Mapping[str, Any], new: Mapping[str, Any], names: Sequence[str]
) -> None:
    for name in names:
        if old.get(name) != new.get(name):
            raise ValueError(
                f"the old file has {name}={old.get(name)!r}, the new one {new.get(name)!r}: "
                f"figures of another {what} cannot be compared; measure both alike"
            )


def _hardware(document: Document) -> dict[str, Any]:
    """Return what stays when drivers and kernels are updated, which changes the last megabytes."""
    card = document.machine
    memory_gib = round((card.get("memory_bytes") or 0) / GIB)  # not known on every system
    return {**card, "memory_gib": memory_gib, "gpu": [_gpu(one) for one in card.get("gpu", ())]}


def _gpu(listed: str) -> str:
    """Return the name of a GPU, without the driver's version behind it."""
    return listed.rpartition(", ")[0] or listed


def _check_units(before: Figure, after: Figure) -> None:
    if before.unit != after.unit:
        raise ValueError(
            f"{before.label}: its unit was {before.unit!r} in the old file and is {after.unit!r} "
            "in the new one: measure both with the same fastmlp"
        )


def _check_ways(label: str, old: Joules, new: Joules) -> None:
    if old.ways != new.ways:
        before, after = (
            "; ".join(f"{name} {' or '.join(found)}" for name, found in one.ways.items())
            for one in (old, new)
        )
        raise ValueError(
            f"{label}: joules were {before} in the old file, {after} in the new one: energies "
            "that were obtained in different ways cannot be compared; leave out emissions with "
            "--suites speed, or measure both alike"
        )


def _versions(old: Document, new: Document) -> Iterator[str]:
    before, after = (dict(one.machine.get("versions", {})) for one in (old, new))
    for name in ("os", "python"):
        before[name], after[name] = (one.machine.get(name) for one in (old, new))
    for versions, one in ((before, old), (after, new)):
        versions["gpu"] = "; ".join(one.machine.get("gpu", ()))
    # who was not asked for, or is not there, has none: that is no change of a version
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield f"{name} {before[name] or 'none'} -> {after[name] or 'none'}"
