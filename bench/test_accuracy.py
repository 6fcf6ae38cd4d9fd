"""What is learnt: accuracy and loss at equal seeds, epochs and batches, and the way to 97 %.

All contenders start from the same weights and see the same batches, but scikit-learn, which
shuffles by itself. They are judged alike: by their weights, in NumPy and float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bench.gpu.problems import Images
from bench.peers.problem import Problem
from bench.peers.verify import logits
from bench.suites.contenders import Contender, Entry
from bench.suites.problems import TARGET, make_problem
from bench.suites.profiles import Profile
from bench.suites.rounds import Suite, measure
from fastmlp.compare.config import cores
from fastmlp.training import epoch_order


def orders_of(problem: Problem, seed: int, epochs: int) -> list[Any]:
    """Return the order of each epoch."""
    n = problem.X.shape[0]
    return [epoch_order(n, seed, epoch) for epoch in range(1, epochs + 1)]


def judged(contender: Contender, problem: Problem, images: Images) -> tuple[float, float | None]:
    """Return accuracy and mean loss on the test images; None if it is beyond all numbers."""
    z = logits(problem._replace(X=images.X_test), contender.weights())
    shifted = z - z.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(z)), images.y_test]
    loss = float(losses.mean())
    hits = float(np.mean(z.argmax(axis=1) == images.y_test))
    return hits, loss if math.isfinite(loss) else None


@pytest.fixture(scope="session")
def ways(entry: Entry, images: Images, profile: Profile) -> list[dict[str, Any]]:
    """Train from each seed for all epochs, and judge after each, untimed."""
    found = []
    for seed in range(profile.seeds):
        problem = make_problem(images, profile.rows, seed, cores())
        contender, accuracy, loss = entry.make(problem), [], []
        for order in orders_of(problem, seed, profile.epochs):
            contender.run([order])
            hits, mean_loss = judged(contender, problem, images)
            accuracy.append(hits)
            loss.append(mean_loss)
        reached = next((n for n, value in enumerate(accuracy, 1) if value >= TARGET), None)
        found.append({"seed": seed, "accuracy": accuracy, "loss": loss, "epochs": reached})
    return found


def test_training(
    suite: Suite, entry: Entry, images: Images, profile: Profile, ways: list[dict[str, Any]]
) -> None:
    """Time to the target from each seed: a new model in a process that is warm.

    What a library compiles for each model counts. A seed that does not reach the target trains
    for all epochs, and its entry in the figure's values says so.
    """
    seeds: Iterator[dict[str, Any]] = iter(ways)
    model: Contender
    orders: list[Any] = []

    def new_model() -> None:
        nonlocal model, orders
        way = next(seeds)
        problem = make_problem(images, profile.rows, way["seed"], cores())
        orders = orders_of(problem, way["seed"], way["epochs"] or profile.epochs)
        model = entry.make(problem)

    measure(
        suite,
        f"train-to-{100 * TARGET:g}",
        "training",
        lambda n: model.run(orders),
        units=1,
        rounds=len(ways),
        prepare=new_model,
        values={"ways": ways, "n_test": len(images.y_test)},
    )
