"""What the figures say, and what they do not say, in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fastmlp.bench.document import INTERRUPTED
from fastmlp.bench.ranking import (
    EVERY_MODEL,
    FEWEST_PROCESSES,
    FIRST,
    LESS,
    MORE,
    NO_DIFFERENCE,
    NOT_RANKED,
    Joules,
    order,
)
from fastmlp.bench.statistics import Interval
from fastmlp.bench.summary import Line, Summary, ordered
from fastmlp.bench.training import break_even_epochs, seeds_of
from fastmlp.compare.verdict import accuracy_noise
from fastmlp.page.text import duration, listed, ratio, significant, time_unit

MODELLED = {"estimated", "assumed"}
COMPILES_AGAINST = "numpy"


def verdict(found: Summary) -> list[tuple[str, str]]:
    """Sentences on accuracy, speed, energy, the first epoch and what is missing."""
    sentences = [
        ("Accuracy", accuracy_verdict(found)),
        ("Time per epoch", time_verdict(found)),
        ("Energy per epoch", energy_verdict(found)),
        (f"Way to {found.target}", way_verdict(found)),
        ("What energy adds", added_verdict(found)),
        ("First epoch", first_verdict(found)),
        ("Not measured", missing_verdict(found)),
    ]
    return [(keyword, sentence) for keyword, sentence in sentences if sentence]


def accuracy_verdict(found: Summary) -> str:
    """Whether all are equally accurate, and how many epochs they take to the target."""
    known = {one.name: one.way for one in found.lines if one.way.accuracy is not None}
    if not known:
        return ""
    values = [way.accuracy or 0.0 for way in known.values()]
    low, high = 100 * min(values), 100 * max(values)
    seeds = next(iter(known.values())).seeds
    of = f"median of {seeds} seeds" if seeds > 1 else "one seed"
    span = f"{low:.2f} %" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f} %"
    counts = {len(one["accuracy"]) for name in known for one in seeds_of(found.document, name)}
    text = f"{span} of the test images after {max(counts)} epochs {found.epoch}, {of}"
    noise = 100 * accuracy_noise(sum(values) / len(values), _n_test(found))
    if len(values) > 1:
        apart = "no more than" if high - low <= noise else "more than"
        text += f": {apart} the {noise:.2g} points of chance apart"
    reached = {name: way.n for name, way in known.items() if way.n}
    missed = [name for name in known if name not in reached]
    if reached:
        after = sorted(set(reached.values()))
        epochs = f"{after[0]:g}" if len(after) == 1 else f"{after[0]:g} to {after[-1]:g}"
        text += f". {found.target} are reached after {epochs} epochs"
        if after[-1] - after[0] > 1:
            text += ": too unequal to rank trainings to it"
    for names, how in (
        ([name for name in missed if not known[name].epochs], ""),
        ([name for name in missed if known[name].epochs], " from every seed"),
    ):
        if names:
            text += f". {listed(names)} did not reach {found.target}{how}"
    return f"{text}."


def time_verdict(found: Summary) -> str:
    """Who has the shortest steady epoch, as far as the intervals tell."""
    timed = {one.name: one.cost.epoch_s for one in found.lines if one.cost.epoch_s}
    text = _shortest(timed, {one.name: one.processes for one in found.lines})
    names = ordered([(name, value.value) for name, value in timed.items()])
    first = found.line(names[0]) if names else None
    if first and first.processes >= FEWEST_PROCESSES and first.speed and not first.is_reference:
        text += f" {first.name} does {ratio(first.speed.value)} the epochs of the reference, keras."
    return text


def energy_verdict(found: Summary) -> str:
    """Who uses less than whom, where intervals and all power models say so."""
    return _least({one.name: one.cost.epoch for one in found.lines if one.cost.epoch})


def way_verdict(found: Summary) -> str:
    """Who takes the least time and energy to the target, if all take about as many epochs."""
    counts = [one.way.n for one in found.lines if one.way.n]
    timed = {one.name: one.cost.target_s for one in found.lines if one.cost.target_s}
    if not timed or max(counts) - min(counts) > 1:
        return ""
    processes = {}
    for name in timed:
        figures = (found.document.figure(group, name) for group in (FIRST, "train-energy"))
        processes[name] = min(len(set(figure.block)) for figure in figures if figure)
    text = f"Time: {_shortest(timed, processes)}"
    energies = {one.name: one.cost.target for one in found.lines if one.cost.target}
    return f"{text} Energy: {_least(energies)}" if energies else text


def _shortest(timed: Mapping[str, Interval], processes: Mapping[str, int]) -> str:
    """Who takes the least time; "" if nobody was timed."""
    if not timed:
        return ""
    few = [name for name in timed if processes[name] < FEWEST_PROCESSES]
    if few:
        return (
            f"Not ranked: rounds of {listed(few)} are from fewer than {FEWEST_PROCESSES} processes."
        )
    names = ordered([(name, value.value) for name, value in timed.items()])
    first = timed[names[0]]
    level = [name for name in names[1:] if timed[name].overlaps(first)]
    if len(names) == 1:
        return f"{names[0]} takes {duration(first.value)}; there is nothing to compare it with."
    if level:
        together = listed([names[0], *level])
        return f"{together} are too close to call, from {duration(first.value)} on."
    unit, per_s = time_unit([first.value, timed[names[1]].value])
    shortest, next_ = (significant(timed[name].value * per_s) for name in names[:2])
    return f"{names[0]} is the fastest, {shortest} {unit}; next is {names[1]} with {next_} {unit}."


def _least(found: Mapping[str, Joules]) -> str:
    """Who uses the least energy, and less than whom; "" if nobody was metered."""
    if not found:
        return ""
    values = [(name, one.value.value) for name, one in found.items() if one.value and one.is_ranked]
    if not values:
        reasons = {order(one, one).reason for one in found.values()}
        return f"No energy can be ranked: {'; '.join(sorted(reasons))}."
    least = ordered(values)[0]
    names = [least, *(name for name in found if name != least)]
    value = significant(dict(values)[least])
    if len(names) == 1:
        return f"{least} uses {value} J; there is nothing to compare it with."
    orders = {name: order(found[least], found[name]) for name in names[1:]}
    less = [name for name, one in orders.items() if one.verdict == LESS]
    parts = []
    if less:
        modelled = all(EVERY_MODEL in orders[name].reason for name in less)
        held = " and under every power model" if modelled else ""
        parts.append(
            f"{least} uses the least, {value} J: less than {listed(less)}, beyond the spread of "
            f"the rounds{held}"
        )
    else:
        parts.append(f"{least} has the lowest figure, {value} J")
    for kind in (NO_DIFFERENCE, MORE, NOT_RANKED):
        for reason in sorted({one.reason for one in orders.values() if one.verdict == kind}):
            who = [name for name, one in orders.items() if one.reason == reason]
            parts.append(f"against {listed(who)}: {kind}, as {reason}")
    return f"{'. '.join([parts[0], *(part[0].upper() + part[1:] for part in parts[1:])])}."


def added_verdict(found: Summary) -> str:
    """Whether the joules show anything that the seconds do not."""
    both = [one for one in found.ranked if one.cost.epoch_s]
    if len(both) < 2:
        return ""
    energies = {one.name: one.cost.epoch for one in both if one.cost.epoch}
    turned = [
        f"{a.name} is faster than {b.name} and uses more energy"
        for a in both
        for b in both
        if _is_faster(a, b) and order(energies[a.name], energies[b.name]).verdict == MORE
    ]
    if turned:
        return f"{listed(turned)}."
    sources = {one.source for one in energies.values()}
    what = "a model turned processor time into joules" if sources <= MODELLED else "it was counted"
    return (
        "No two contenders are shown to stand otherwise by energy than by time. Where the joules "
        f"come from: {what}."
    )


def first_verdict(found: Summary) -> str:
    """From which epoch on a contender that compiles has overtaken NumPy."""
    plain = found.line(COMPILES_AGAINST)
    if plain is None:
        return ""
    sentences = []
    for one in found.lines:
        n = overtakes(one, plain) if _is_faster(one, plain) else None
        if n is not None and math.isfinite(n):
            when = "from the first epoch on" if n <= 1 else f"after {math.ceil(n):,} epochs"
            sentences.append(f"{one.name} {when}")
    if not sentences:
        return ""
    return (
        f"With the first epoch of a process counted, {COMPILES_AGAINST} is overtaken in time by "
        f"{listed(sentences)}."
    )


def overtakes(one: Line, other: Line) -> float | None:
    """Epochs after which one has taken less time than the other; None where that is not known."""
    mine, its = one.cost, other.cost
    if not (mine.first_s and mine.epoch_s and its.first_s and its.epoch_s):
        return None
    return break_even_epochs(mine.first_s, mine.epoch_s.value, its.first_s, its.epoch_s.value)


def missing_verdict(found: Summary) -> str:
    """Who could not run, or did not come to the end."""
    absent = [one["contender"] for one in found.document.absent]
    parts = [f"{listed(absent)}; the reasons stand below"] if absent else []
    failed = found.document.failed
    stopped = [words for words in failed if words.startswith(INTERRUPTED)]
    parts += [f"The run was {words.partition(':')[0]}; the rest is missing" for words in stopped]
    if n := len(failed) - len(stopped):
        parts.append(f"{n} of the processes failed")
    return f"{'. '.join(parts)}." if parts else ""


def _is_faster(a: Line, b: Line) -> bool:
    """Tell whether a's steady epochs are shorter than b's, beyond the spread of both."""
    mine, its = a.cost.epoch_s, b.cost.epoch_s
    if mine is None or its is None or min(a.processes, b.processes) < FEWEST_PROCESSES:
        return False
    return mine.high < its.low


def _n_test(found: Summary) -> int:
    """Return the number of test images."""
    sizes = (figure.values.get("n_test") for figure in found.document.figures)
    return next(int(size) for size in sizes if size)
