"""Joules, and with them CO2: time and energy of the same rounds.

A round is a window of the energy meter that holds whole units of work, as many as the profile's
window needs; the probe and all preparation lie outside. What the joules are made of stands in
each round's record, and the grid is chosen by whoever reads them.
"""

from __future__ import annotations

import pytest

from bench.peers.problem import Problem
from bench.suites.contenders import Contender, Entry
from bench.suites.rounds import Suite, measure
from fastmlp.training import epoch_order

ROWS = 10_000  # of a prediction


@pytest.fixture(scope="session")
def contender(entry: Entry, problem: Problem) -> Contender:
    """Return a network with its data on the device, which nothing has run on yet."""
    return entry.make(problem)


def test_first_epoch(suite: Suite, contender: Contender, problem: Problem) -> None:
    """The first epoch of a process, in which libraries trace and compile; this test comes first."""
    order = epoch_order(problem.X.shape[0], 0, 1)
    measure(suite, "first-epoch", "epoch", lambda n: contender.run([order]), units=1, rounds=1)


def test_epoch(suite: Suite, contender: Contender, problem: Problem) -> None:
    """Epochs in the steady state."""
    order = epoch_order(problem.X.shape[0], 0, 1)
    rows = problem.X.shape[0]
    values = {"rows": rows}
    measure(suite, "train-energy", "epoch", lambda n: contender.run([order] * n), values=values)


def test_predict(suite: Suite, contender: Contender, problem: Problem) -> None:
    """Labels of 10,000 rows that come from the host and go back to it."""
    X = problem.X[:ROWS]

    def predict(n: int) -> None:
        for _ in range(n):
            contender.predict(X)

    measure(suite, "predict-energy", "10,000 predictions", predict)
