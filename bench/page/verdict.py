"""What the figures come down to, a sentence each; a figure that is missing has no sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.page.read import YARDSTICK, Document, Results, starts
from bench.page.words import about, listed, span
from bench.peers.ratios import Headline, Mean, headline
from bench.peers.table import as_text
from bench.scaling.findings import BASE, COMPILED, breakdowns, cells

LEVEL = 0.03  # ratios so near to 1 are no difference
WORDS = {
    "faster": "faster than the best tuned peer",
    "level": "as fast as the best tuned peer",
    "slower": "slower than the best tuned peer",
}
TASKS = {"train": "trains", "predict": "predicts"}


def verdict(results: Results) -> list[str]:
    """Return all sentences that the files allow."""
    return [*_of_peers(results.peers), *_of_scaling(results.scaling), *_of_cold(results.cold)]


def configs(peers: Document, task: str) -> list[str]:
    """Return the names of the task's configurations, in their order; no task means training."""
    runs = [run for run in peers["runs"] if run.get("task", "train") == task]
    return list(dict.fromkeys(run["config"] for run in runs))


def compared(figure: Mean) -> str:
    """Tell "faster", "slower" or "level": all runs must agree, and by more than `LEVEL`.

    Examples
    --------
    >>> compared(Mean(1.2, 1.1, 1.3)), compared(Mean(0.8, 0.7, 0.9)), compared(Mean(1.1, 0.9, 1.3))
    ('faster', 'slower', 'level')
    """
    if figure.lowest > 1 + LEVEL:
        return "faster"
    return "slower" if figure.highest < 1 - LEVEL else "level"


def _of_peers(peers: Document | None) -> Iterator[str]:
    for task, verb in TASKS.items():
        found = {name: headline(peers, name) for name in configs(peers, task)} if peers else {}
        yield from _against_peers(verb, found)
        yield from _times(
            f"fastmlp on NumPy {verb} {{}} times as fast as scikit-learn.",
            [one.numpy_to_sklearn for one in found.values()],
            ".1f",
        )
        if task == "train":
            yield from _times(
                "fastmlp on JAX reaches {} of the speed of the matrix products alone.",
                [one.jax_to_floor for one in found.values()],
                ".0%",
            )
        disturbed = [name for name, one in found.items() if one.disturbed]
        if disturbed:
            yield f"Other work disturbed {listed(disturbed)}: take those figures with care."


def _against_peers(verb: str, found: dict[str, Headline]) -> Iterator[str]:
    groups: dict[str, list[str]] = {"faster": [], "level": [], "slower": []}
    for name, one in found.items():
        if one.fastmlp_to_peer:
            said = f"{name} {as_text(one.fastmlp_to_peer)}"
            groups[compared(one.fastmlp_to_peer)].append(said)
    for kind, names in groups.items():
        if names:
            yield f"The best of fastmlp's backends {verb} {WORDS[kind]}: {listed(names)}."


def _times(sentence: str, figures: Sequence[Mean | None], form: str) -> Iterator[str]:
    known = [figure.mean for figure in figures if figure]
    if known:
        yield sentence.format(span(known, form))


def _of_scaling(scaling: Document | None) -> Iterator[str]:
    found = [cell for cell in cells(scaling) if cell.is_faster is not None] if scaling else []
    faster = [cell for cell in found if cell.is_faster]
    if found:
        yield (
            f"A compiled step on JAX is faster than a step on NumPy in {len(faster)} of "
            f"{len(found)} sizes of batch and network"
            + (f", by {span([_gain(cell.step_us) for cell in faster], '.1f')} times" * bool(faster))
            + "."
        )
    steps = [cell.break_even_steps for cell in faster if cell.break_even_steps is not None]
    if steps:
        ends = " to ".join(dict.fromkeys(map(about, (min(steps), max(steps)))))
        yield f"Compiling has then paid for itself after {ends} steps."
    shares = [
        one.parts_us["products"] / one.step_us
        for one in (breakdowns(scaling) if scaling else [])
        if one.step_us
    ]
    if shares:
        yield f"Matrix products are {span(shares, '.0%')} of a step on NumPy."


def _gain(step_us: dict[str, float]) -> float:
    return step_us[BASE] / step_us[COMPILED]


def _of_cold(cold: Document | None) -> Iterator[str]:
    ours = [
        f"{start.name} {start.to_yardstick:.1f}"
        for start in (starts(cold) if cold else [])
        if start.name.startswith("fastmlp") and start.to_yardstick is not None
    ]
    if ours:
        yield f"Time of a short script from start to end, {YARDSTICK} being 1: {listed(ours)}."
