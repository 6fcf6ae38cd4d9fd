"""What the estimator costs on top of its epochs: ``fit`` against a bare loop over the program.

The bare loop brings the same data to the device and runs the backend's compiled epoch for the same
orders, drawn before; it keeps no history and checks nothing. ``fit`` validates, encodes labels,
draws orders, keeps the history of losses and decides when to stop. Rounds are interleaved within
one process; the median of the rounds' ratios is what counts. Compiling is outside of both.
"""

from __future__ import annotations

import statistics
import time
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

from bench.peers.configs import CONFIGS, make_problem
from bench.peers.problem import Problem
from bench.peers.verify import layers, mlp_recipe
from bench.suites.pieces import settings
from fastmlp import MLPClassifier
from fastmlp.backends import Backend, backend_status, get_backend
from fastmlp.training import Trainer, epoch_order, one_hot, programs

ROUNDS = 9


class Case(NamedTuple):
    """A configuration of `bench.peers`, for how many epochs, and how much fit may cost."""

    config: str
    epochs: int
    limit: float


CASES = (Case("s", 10, 1.03), Case("m", 10, 1.03), Case("tiny", 400, 1.10))


class Bare:
    """Data to the device, then epoch after epoch."""

    def __init__(self, backend: Backend, problem: Problem, epochs: int) -> None:
        self.problem, self.y = problem, one_hot(problem.y, problem.layer_sizes[-1])
        n, size = problem.X.shape[0], problem.batch_size
        self.orders = [epoch_order(n, 0, epoch + 1).reshape(-1, size) for epoch in range(epochs)]
        self.trainer = Trainer(
            backend,
            mlp_recipe(problem),
            layers(problem.weights),
            learning_rate=problem.optimization.learning_rate,
            batch_size=size,
            dtype="float32",
        )

    def run(self) -> None:
        """Train from the same weights again."""
        trainer = self.trainer
        program, place = programs(trainer.backend, trainer.recipe), trainer.backend.to_device
        data, rest = trainer.place(self.problem.X, self.y), place(np.empty(0), "int32")
        carry = trainer.carry
        if data.columns:
            carry = program.narrow(carry, place(data.columns.kept, "int32"))
        for order in self.orders:
            carry, report = program.epoch(carry, data.arrays, place(order, "int32"), rest)
        trainer.backend.sync((carry, report))


class Fit:
    """The estimator as users call it, without an early end."""

    def __init__(self, backend: Backend, problem: Problem, epochs: int) -> None:
        self.problem = problem
        own: dict[str, Any] = {"backend": backend, "dtype": "float32"}
        self.model = MLPClassifier(**settings(problem, epochs), **own)

    def run(self) -> None:
        """Fit anew."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it does not converge, and need not
            self.model.fit(self.problem.X, self.problem.y)
        assert len(self.model.loss_curve_) == self.model.max_iter


@pytest.mark.parametrize("name", ["numpy", "jax"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.config)
def test_fit_costs_little_more_than_its_epochs(case: Case, name: str) -> None:
    status = backend_status(name)
    if not status.available:
        pytest.skip(f"{name}: {status.reason}. {status.hint}")
    problem = make_problem(CONFIGS[case.config], None, threads=1)._replace(scale=1.0)
    parts: tuple[Any, ...] = (get_backend(name), problem, case.epochs)
    times: dict[Any, list[float]] = {Bare(*parts): [], Fit(*parts): []}
    for contender in times:
        contender.run()  # compile, warm up
        contender.run()
    for _ in range(ROUNDS):
        for contender, seconds in times.items():
            started = time.perf_counter()
            contender.run()
            seconds.append(time.perf_counter() - started)
    bare, fit = times.values()
    ratios = [a / b for a, b in zip(fit, bare, strict=True)]
    ratio = statistics.median(ratios)
    print(
        f"{case.config}, {name}: fit / bare loop {ratio:.3f}, median of {ROUNDS} rounds "
        f"({min(ratios):.3f} to {max(ratios):.3f})"
    )
    assert ratio <= case.limit
