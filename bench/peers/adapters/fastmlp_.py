"""Our own: the epoch program that `fastmlp.training.Trainer` runs, on every backend that has a CPU.

As for the others, the data lie on the device before the clock starts, and the end of the last
epoch is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.problem import Contender, Form, Problem, Weights
from bench.peers.verify import layers, mlp_recipe
from fastmlp.backends import get_backend
from fastmlp.training import Trainer, one_hot, programs


class Epochs:
    """Programs of one backend with their carry."""

    def __init__(self, backend_name: str, problem: Problem) -> None:
        self.backend = get_backend(backend_name, "cpu")
        recipe = mlp_recipe(problem)
        trainer = Trainer(
            self.backend,
            recipe,
            layers(problem.weights),
            learning_rate=problem.optimization.learning_rate,
            batch_size=problem.batch_size,
            dtype="float32",
        )
        place = self.backend.to_device
        y = one_hot(problem.y, problem.layer_sizes[-1])
        self.data = place(problem.X, "uint8"), place(y, "float32")
        self.rest = place(np.empty(0), "int32")
        self.epoch, self.carry = programs(self.backend, recipe).epoch, trainer.carry
        self.batch_size = problem.batch_size

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Start the epochs one after the other, and wait for the last."""
        for order in orders:
            batches = self.backend.to_device(order.reshape(-1, self.batch_size), "int32")
            self.carry, report = self.epoch(self.carry, self.data, batches, self.rest)
        self.backend.sync((self.carry, report))

    def weights(self) -> Weights:
        """Fetch the carry's."""
        weights: Weights = self.backend.fetch(self.carry.params)
        return weights


def _make(backend_name: str, problem: Problem) -> Contender:
    return Epochs(backend_name, problem)


FORMS = tuple(
    Form(f"fastmlp:{name}", "fastmlp", package, description, partial(_make, name))
    for name, package, description in (
        ("numpy", "numpy", "updates in place, uint8 data"),
        ("jax", "jax", "an epoch is one scan, uint8 data"),
        ("torch", "torch", "step by step, uint8 data"),
    )
)
