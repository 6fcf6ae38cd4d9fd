"""What the turns say: medians within a run, ratios within a run, then means over runs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Row = dict[str, Any]
DISTURBED_FROM = 0.10  # median share of the machine that other work took


class Mean(NamedTuple):
    """A figure over several runs."""

    mean: float
    lowest: float
    highest: float


class Line(NamedTuple):
    """One contender on one configuration; None where it has no figure."""

    name: str
    kind: str
    status: str  # "ok", or what happened in the run that went worst
    reason: str
    samples_per_s: Mean | None
    spread: float | None  # interquartile range of the turns over their median, mean of runs
    to_best_peer: Mean | None
    to_floor: Mean | None
    first_turn_s: float | None
    other_share: float | None


class Headline(NamedTuple):
    """The ratios that a configuration comes down to, as means over runs."""

    fastmlp_to_peer: Mean | None
    best_fastmlp: str  # names of the last run's
    best_peer: str
    numpy_to_sklearn: Mean | None
    jax_to_floor: Mean | None
    numpy_to_floor: Mean | None
    disturbed: bool


def runs_of(document: dict[str, Any], config: str) -> list[dict[str, Any]]:
    """Return the runs of a configuration."""
    return [run for run in document["runs"] if run["config"] == config]


def lines(document: dict[str, Any], config: str) -> list[Line]:
    """One line per contender, the fastest first, those without a figure last."""
    runs = runs_of(document, config)
    names = list(dict.fromkeys(row["name"] for run in runs for row in run["rows"]))
    made = [_line(runs, name) for name in names]
    return sorted(made, key=lambda line: -line.samples_per_s.mean if line.samples_per_s else 1.0)


def headline(document: dict[str, Any], config: str) -> Headline:
    """Compare the best of ours, of the peers and of the floors."""
    runs = runs_of(document, config)
    others = [share for run in runs for row in run["rows"] for share in row["other_share"]]
    known = [share for share in others if share is not None]
    return Headline(
        mean_of(runs, lambda run: ratio(best(run, "fastmlp"), best(run, "peer"))),
        _name(best(runs[-1], "fastmlp")),
        _name(best(runs[-1], "peer")),
        mean_of(runs, lambda run: ratio(named(run, "fastmlp:numpy"), named(run, "sklearn"))),
        mean_of(runs, lambda run: ratio(named(run, "fastmlp:jax"), best(run, "floor"))),
        mean_of(runs, lambda run: ratio(named(run, "fastmlp:numpy"), best(run, "floor"))),
        bool(known) and statistics.median(known) > DISTURBED_FROM,
    )


def best(run: dict[str, Any], kind: str) -> Row | None:
    """Return the fastest contender of a kind in a run."""
    able = [row for row in run["rows"] if row["kind"] == kind and is_timed(row)]
    return min(able, key=epoch_s, default=None)


def named(run: dict[str, Any], name: str) -> Row | None:
    """Return that contender, if it has figures."""
    return next((row for row in run["rows"] if row["name"] == name and is_timed(row)), None)


def is_timed(row: Row) -> bool:
    """Tell whether a row's turns count: a contender that broke off is not compared."""
    return bool(row["epoch_s"]) and row["status"] in ("ok", "running")


def epoch_s(row: Row) -> float:
    """Median over the turns."""
    return float(statistics.median(row["epoch_s"]))


def ratio(row: Row | None, other: Row | None) -> float | None:
    """Speed of one over the speed of another, in one run."""
    return epoch_s(other) / epoch_s(row) if row and other else None


def mean_of(
    runs: Iterable[dict[str, Any]], figure: Callable[[dict[str, Any]], float | None]
) -> Mean | None:
    """Mean, lowest and highest of a figure over the runs that have it."""
    values = [value for run in runs if (value := figure(run)) is not None]
    return Mean(statistics.fmean(values), min(values), max(values)) if values else None


def _line(runs: Sequence[dict[str, Any]], name: str) -> Line:
    rows = [row for run in runs for row in run["rows"] if row["name"] == name]
    worst = next((row for row in rows if row["status"] not in ("ok", "running")), rows[-1])
    shares = [share for row in rows for share in row["other_share"] if share is not None]
    firsts = [row["first_turn_s"] for row in rows if row["first_turn_s"] is not None]
    spread = mean_of(runs, lambda run: _spread(named(run, name)))
    return Line(
        name,
        rows[0]["kind"],
        worst["status"],
        worst["reason"],
        mean_of(runs, lambda run: _speed(run, name)),
        spread.mean if spread else None,
        mean_of(runs, lambda run: ratio(named(run, name), best(run, "peer"))),
        mean_of(runs, lambda run: ratio(named(run, name), best(run, "floor"))),
        statistics.median(firsts) if firsts else None,
        statistics.median(shares) if shares else None,
    )


def _speed(run: dict[str, Any], name: str) -> float | None:
    row = named(run, name)
    return float(run["n_rows"]) / epoch_s(row) if row else None


def _spread(row: Row | None) -> float | None:
    if row is None or len(row["epoch_s"]) < 2:
        return None
    low, _, high = statistics.quantiles(row["epoch_s"], n=4)
    return float(high - low) / epoch_s(row)


def _name(row: Row | None) -> str:
    return str(row["name"]) if row else "-"
