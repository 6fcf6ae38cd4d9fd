"""The side-by-side as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.peers.ratios import Headline, Line, Mean, headline, lines

COLUMNS = ("contender", "samples/s", "spread", "/ best peer", "/ floor", "other")


def print_tables(document: dict[str, Any], console: Console) -> None:
    """Print a table per configuration, below it what has no figure, and the ratios."""
    for config in dict.fromkeys(run["config"] for run in document["runs"]):
        run = next(run for run in document["runs"] if run["config"] == config)
        console.print(f"{config}: {_describe(run)}", markup=False)
        predicts = run["task"] == "predict"
        table = Table(
            *COLUMNS, "us/call" if predicts else "first turn", box=box.SIMPLE, pad_edge=False
        )
        table.columns[0].no_wrap = True
        for column in table.columns[1:]:
            column.justify = "right"
        found = lines(document, config)
        for line in found:
            if line.samples_per_s:
                call_us = 1e6 * run["batch_size"] / line.samples_per_s.mean
                last = (
                    f"{call_us:,.{1 if call_us < 1000 else 0}f}" if predicts else first_turn(line)
                )
                table.add_row(line.name, *cells(line), last)
        console.print(table)
        for line in found:
            if line.status not in ("ok", "running"):
                console.print(f"{line.name}: {line.status}: {line.reason}", markup=False)
        for sentence in _sentences(headline(document, config), predicts):
            console.print(sentence, markup=False)
        console.print()


def cells(line: Line) -> Iterator[str]:
    """Return the figures of a line as text."""
    yield f"{line.samples_per_s.mean:,.0f}" if line.samples_per_s else "-"
    yield f"{line.spread:.0%}" if line.spread is not None else "-"
    yield as_text(line.to_best_peer)
    yield as_text(line.to_floor)
    yield f"{line.other_share:.0%}" if line.other_share is not None else "-"


def first_turn(line: Line) -> str:
    """Return how long the first turn took, in which libraries compile."""
    return f"{line.first_turn_s:.2f} s" if line.first_turn_s is not None else "-"


def as_text(figure: Mean | None) -> str:
    """Return the mean, with lowest and highest where there were several runs."""
    if figure is None:
        return "-"
    if figure.lowest == figure.highest:
        return f"{figure.mean:.2f}"
    return f"{figure.mean:.2f} ({figure.lowest:.2f}-{figure.highest:.2f})"


def _describe(run: dict[str, Any]) -> str:
    sizes = "-".join(map(str, run["layer_sizes"]))
    name, rate = run["optimization"]
    data = f"{run['n_rows']} rows of {run['data']}"
    if run["task"] == "predict":
        return f"{sizes}, labels of {data}, {run['batch_size']} per call"
    return f"{sizes}, batches of {run['batch_size']}, {name} {rate:g}, {data}"


def _sentences(found: Headline, predicts: bool) -> Iterator[str]:
    near_floor = ("numpy", found.numpy_to_floor) if predicts else ("jax", found.jax_to_floor)
    yield (
        f"best fastmlp / best peer {as_text(found.fastmlp_to_peer)} "
        f"({found.best_fastmlp} / {found.best_peer}), "
        f"numpy / scikit-learn {as_text(found.numpy_to_sklearn)}, "
        f"{near_floor[0]} / floor {as_text(near_floor[1])}"
    )
    if found.disturbed:
        yield "DISTURBED: other work took more than 10 % of this machine during the turns"
