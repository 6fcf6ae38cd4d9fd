"""The sections on training, prediction and cold starts: fastmlp against the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.page.read import YARDSTICK, Document, starts
from bench.page.verdict import configs
from bench.page.words import number, table
from bench.peers.ratios import (
    Line,
    epoch_s,
    headline,
    lines,
    mean_of,
    named,
    runs_of,
)
from bench.peers.table import as_text
from fastmlp.page.text import significant

DISTURBED = " DISTURBED"
OURS = {"train": "JAX", "predict": "NumPy"}  # whose speed is shown over the floor
MARKS = {"fastmlp": "**{}**", "floor": "*{}*"}
PRODUCTS = """\
The floor is the fastest way here to compute the matrix products of a step alone, on data that are
there (*in italics*). It is no hard limit: other libraries' products may be faster. `first turn` is
the time of the first epoch, in which libraries compile, over that of a later one."""
EXPRESSION = """\
The floor is the expression that one writes by hand in NumPy (*in italics*). Bytes come from host
memory, labels go there. `fastmlp:numpy` and the other backends are `Trainer.logits`; `predict` of
an estimator checks its input first, as scikit-learn's does: for one row that is most of the time,
and NumPy answers sooner than a compiled backend."""
START = """\
A program is started afresh: it imports, reads the digits, trains 64-32-10 and labels the test rows.
Its time is shown over that of `numpy:plain`, a loop written by hand, and in seconds, which belong
to the machine that is named below, as the memory does."""
MB = 1e6


def training(peers: Document) -> Iterator[str]:
    """Yield the headline, then a table per configuration."""
    yield from _section(peers, "train", PRODUCTS)


def prediction(peers: Document) -> Iterator[str]:
    """Yield the same for predictions."""
    yield from _section(peers, "predict", EXPRESSION)


def contenders(peers: Document) -> Iterator[str]:
    """Yield what each contender is, in its own words."""
    found = {
        (row["name"], run.get("task", "train")): row.get("description") or "-"
        for run in peers["runs"]
        for row in run["rows"]
    }
    rows = [[f"`{name}`", task, text] for (name, task), text in found.items()]
    yield table(["contender", "task", "what it does"], rows, n_left=3)


def cold_starts(cold: Document) -> Iterator[str]:
    """Yield the table of starts, the memory of a training, and below them what did not run."""
    found = starts(cold)
    timed = [one for one in found if one.task == "start" and one.wall_s is not None]
    rows = [
        [
            MARKS["fastmlp"].format(one.name) if one.name.startswith("fastmlp") else one.name,
            number(one.to_yardstick, ".2f"),
            number(one.wall_s, ".2f", " s"),
            _megabytes(one.peak_rss_bytes),
        ]
        for one in sorted(timed, key=lambda one: one.wall_s or 0.0)
    ]
    yield START
    yield table(["program", f"time / {YARDSTICK}", "time", "peak memory"], rows)
    for one in found:
        if one.extra_bytes is not None:
            yield (
                f"An epoch of 784-128-10 on 60,000 images with {one.name} takes "
                f"{_megabytes(one.extra_bytes)} beside imports and data."
            )
    absent = [one for one in found if one.status not in ("ok", "running")]
    if absent:
        yield "\n".join(f"- {one.name}: {one.status}: {one.reason}" for one in absent)


def _megabytes(count: float | None) -> str:
    return "-" if count is None else number(count / MB, ",.1f", " MB")


def _section(peers: Document, task: str, floor: str) -> Iterator[str]:
    found = {name: headline(peers, name) for name in configs(peers, task)}
    pairs = ("best fastmlp / best peer", "NumPy / scikit-learn", f"{OURS[task]} / floor")
    rows = [
        [
            f"{name}: {_describe(peers, name)}{DISTURBED * one.disturbed}",
            f"{as_text(one.fastmlp_to_peer)}<br>{one.best_fastmlp} / {one.best_peer}",
            as_text(one.numpy_to_sklearn),
            as_text(one.jax_to_floor if task == "train" else one.numpy_to_floor),
        ]
        for name, one in found.items()
    ]
    yield table(["configuration", *pairs], rows)
    yield floor
    for name in found:
        yield f"### {name}: {_describe(peers, name)}"
        yield from _contenders(peers, name)


def _describe(peers: Document, config: str) -> str:
    run = next(run for run in peers["runs"] if run["config"] == config)
    sizes = "-".join(map(str, run["layer_sizes"]))
    if run.get("task", "train") == "predict":
        return f"{sizes}, {run['batch_size']:,} a call"
    return f"{sizes}, batches of {run['batch_size']:,}, {run['optimization'][0]}"


def _contenders(peers: Document, config: str) -> Iterator[str]:
    """Yield a configuration's table, the fastest first, and who is not in it."""
    found = lines(peers, config)
    head = ["contender", "/ best peer", "/ floor", "first turn"]
    rows = [
        [
            MARKS.get(line.kind, "{}").format(line.name),
            as_text(line.to_best_peer),
            as_text(line.to_floor),
            _first_turn(peers, config, line),
        ]
        for line in found
        if line.samples_per_s
    ]
    yield table(head, rows)
    absent = [line for line in found if line.status not in ("ok", "running")]
    if absent:
        yield "\n".join(f"- {line.name}: {line.status}: {line.reason}" for line in absent)


def _first_turn(peers: Document, config: str, line: Line) -> str:
    """Write the time of the first epoch over that of a later one."""

    def figure(run: dict[str, Any]) -> float | None:
        row = named(run, line.name)
        return float(row["first_turn_s"]) / epoch_s(row) if row else None

    found = mean_of(runs_of(peers, config), figure)
    return significant(found.mean, 2) if found else "-"
