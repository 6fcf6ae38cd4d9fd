"""How long things take: parts of a step, an epoch, a fit, a prediction, a first call.

``pytest bench/test_speed.py --benchmark-group-by=group`` shows contenders beside each other;
`fastmlp bench run` measures them in processes of their own, in turns.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from bench.peers.problem import Problem
from bench.suites import rounds
from bench.suites.contenders import Contender, Entry
from bench.suites.pieces import estimator, pieces
from bench.suites.rounds import Suite
from fastmlp.training import epoch_order

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def contender(entry: Entry, problem: Problem) -> Contender:
    """Return a network with its data on the device."""
    return entry.make(problem)


@pytest.mark.parametrize("piece", ["forward", "backprop", "step"])
def test_piece(suite: Suite, contender: Contender, problem: Problem, piece: str) -> None:
    """One batch of 128: logits; the gradient, forward pass included; the update, too."""
    found = pieces(contender, problem)
    if piece not in found:
        pytest.skip(f"{suite.contender} has no call for this alone")
    rounds.measure(suite, piece, "batch", found[piece])


def test_epoch(suite: Suite, contender: Contender, problem: Problem) -> None:
    """All batches once, data on the device, orders drawn before."""
    order = epoch_order(problem.X.shape[0], 0, 1)
    rounds.measure(suite, "train-epoch", "epoch", lambda n: contender.run([order] * n))


def test_fit(suite: Suite, entry: Entry, problem: Problem) -> None:
    """``fit`` of the estimator for three epochs: checks, copies and history are part of it."""
    found = estimator(entry.name, problem, epochs=3)
    if found is None:
        pytest.skip(f"{entry.name} has no estimator")
    model, X = found

    def fit(n: int) -> None:
        with warnings.catch_warnings(action="ignore"):  # it does not converge, and need not
            for _ in range(n):
                model.fit(X, problem.y)

    rounds.measure(suite, "fit", "fit of 3 epochs", fit)


@pytest.mark.parametrize(("rows", "unit"), [(1, "prediction"), (10_000, "10,000 predictions")])
def test_predict(
    suite: Suite, contender: Contender, problem: Problem, rows: int, unit: str
) -> None:
    """Labels of rows that come from the host and go back to it."""
    X = problem.X[:rows]

    def predict(n: int) -> None:
        for _ in range(n):
            contender.predict(X)

    rounds.measure(suite, f"predict-{rows}", unit, predict)


@pytest.mark.parametrize("stage", ["import", "first-call"])
def test_first_call(suite: Suite, entry: Entry, stage: str) -> None:
    """A process from its start until the library is there, or has learnt from a first batch."""
    command = [sys.executable, "-m", "bench.suites.first_call", entry.name, stage]

    def start(n: int) -> None:
        for _ in range(n):
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    rounds.measure(suite, stage, "start", start, units=1, rounds=suite.profile.starts)
