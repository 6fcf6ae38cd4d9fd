"""One configuration: all contenders started and verified, then turn after turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from bench.peers.child import Settings
from bench.peers.configs import Config
from bench.peers.problem import Form
from bench.peers.process import EndedError, Process

Row = dict[str, Any]  # one contender in one run of one configuration

TURN_S = 0.3  # a turn is as many epochs as take about so long
MOST_EPOCHS = 1000
WARM_UP_S = 1.5  # of turns after the first one, until the library is as fast as it gets
START_TIMES = 3  # how many turns' time a start, and a first turn, may take: both may compile
PAUSE_S = 0.1  # threads of the turn before go on looking for work for a while


class Plan(NamedTuple):
    """How a configuration is run."""

    config: Config
    forms: Sequence[Form]
    module: str  # that lists the forms
    data_dir: str | None
    threads: int
    turns: int
    timeout_s: float


class Seat(NamedTuple):
    """A contender's process, and its row, which fills turn by turn."""

    process: Process
    row: Row


def run_config(plan: Plan, rows: list[Row], changed: Callable[[], None]) -> None:
    """Fill ``rows``, one per form; ``changed`` is called after each round.

    A contender that ends before its time keeps the turns that it had; the others go on.
    """
    seats: list[Seat] = []
    try:
        for form in plan.forms:
            row = _new_row(form)
            rows.append(row)
            seat = Seat(Process(_settings(plan, form)), row)
            seats.append(seat)
            with _kept(seat):
                row |= seat.process.ask(None, "ready", START_TIMES * plan.timeout_s)
                _first_turns(seat, plan)
            changed()
        for turn in range(plan.turns):
            first = turn % max(1, len(seats))
            for seat in [*seats[first:], *seats[:first]]:
                if seat.row["status"] == "running":
                    with _kept(seat):
                        _turn(seat, plan)
            changed()
        for seat in seats:
            if seat.row["status"] == "running":
                with _kept(seat):
                    seat.row.update(seat.process.finish(plan.timeout_s))
    finally:
        for seat in seats:
            seat.process.close()
    changed()


@contextmanager
def _kept(seat: Seat) -> Iterator[None]:
    """Keep what a contender did before it ended."""
    try:
        yield
    except EndedError as end:
        seat.row.update(end.end)
        if end.end["status"] == "failed":
            seat.row["log"] = seat.process.log()


def _first_turns(seat: Seat, plan: Plan) -> None:
    """Compile in the first one; then find out how many epochs make a turn."""
    first = seat.process.ask({"epochs": 1}, "turn", START_TIMES * plan.timeout_s)
    seat.row["first_turn_s"] = first["turn_s"]
    epochs, spent_s, is_warm = 1, 0.0, False
    while not is_warm:
        is_warm = spent_s >= WARM_UP_S  # before the turn: the last one compiles nothing
        turn = seat.process.ask({"epochs": epochs}, "turn", plan.timeout_s)
        spent_s += turn["turn_s"]
        epochs = min(MOST_EPOCHS, max(1, round(TURN_S * epochs / turn["turn_s"])))
    # a library may compile once more for so many
    seat.process.ask({"epochs": epochs}, "turn", START_TIMES * plan.timeout_s)
    seat.row["epochs_per_turn"] = epochs


def _turn(seat: Seat, plan: Plan) -> None:
    time.sleep(PAUSE_S)
    turn = seat.process.ask({"epochs": seat.row["epochs_per_turn"]}, "turn", plan.timeout_s)
    seat.row["epoch_s"].append(turn["turn_s"] / turn["epochs"])
    share = turn["other_s"] / turn["turn_s"] / (os.cpu_count() or 1)
    seat.row["other_share"].append(share if share == share else None)


def _settings(plan: Plan, form: Form) -> Settings:
    return Settings(form.name, plan.module, list(plan.config), plan.data_dir, plan.threads)


def _new_row(form: Form) -> Row:
    return {
        "name": form.name,
        "kind": form.kind,
        "package": form.package,
        "description": form.description,
        "status": "running",
        "reason": "",
        "version": None,
        "weight_error": None,
        "first_turn_s": None,
        "epochs_per_turn": None,
        "epoch_s": [],
        "other_share": [],
        "peak_rss_bytes": None,
    }
