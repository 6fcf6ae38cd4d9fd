"""Our own: the programs that `fastmlp.training.Trainer` runs, on every backend that has a CPU.

As for the others, the data lie on the device before the clock starts, and the end of the last
epoch is waited for.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.prediction import Predict, folded_weights
from bench.peers.problem import Contender, Form, Problem, Weights
from bench.peers.verify import layers, mlp_recipe
from fastmlp.backends import Backend, get_backend
from fastmlp.training import Trainer, one_hot, programs


class Epochs:
    """Programs of one backend with their carry."""

    def __init__(self, backend_name: str, problem: Problem) -> None:
        self.backend = get_backend(backend_name, "cpu")
        trainer = _trainer(self.backend, problem)
        place = self.backend.to_device
        y = one_hot(problem.y, problem.layer_sizes[-1])
        self.data = place(problem.X, "uint8"), place(y, "float32")
        self.rest = place(np.empty(0), "int32")
        self.epoch, self.carry = programs(self.backend, trainer.recipe).epoch, trainer.carry
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


def _trainer(backend: Backend, problem: Problem) -> Trainer:
    return Trainer(
        backend,
        mlp_recipe(problem),
        layers(problem.weights),
        learning_rate=problem.optimization.learning_rate,
        batch_size=problem.batch_size,
        dtype="float32",
    )


def _labels(backend_name: str, problem: Problem) -> Predict:
    programs.cache_clear()  # else the check of the labels would have compiled for the first turn
    trainer = _trainer(get_backend(backend_name, "cpu"), problem)
    return lambda x: trainer.predict(x).argmax(axis=1)


def _estimator(problem: Problem) -> Predict:
    """Fit for an epoch, so that all is there, and give it the problem's weights."""
    from sklearn.exceptions import ConvergenceWarning

    from fastmlp import MLPClassifier

    classes = np.arange(problem.layer_sizes[-1])
    model = MLPClassifier(problem.layer_sizes[1:-1], backend="numpy", dtype="float32", max_iter=1)
    with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
        model.fit(problem.X[: len(classes)], classes)
    folded = layers(folded_weights(problem))
    model.coefs_, model.intercepts_ = [W for W, _ in folded], [b for _, b in folded]
    loaded: Any = pickle.loads(pickle.dumps(model))  # a loaded model computes with its coefs_
    return lambda x: loaded.predict(x)


FORMS = (
    *(
        Form(f"fastmlp:{name}", "fastmlp", package, description, partial(_make, name))
        for name, package, description in (
            ("numpy", "numpy", "updates in place, uint8 data"),
            ("jax", "jax", "an epoch is one scan, uint8 data"),
            ("torch", "torch", "step by step, uint8 data"),
        )
    ),
    *(
        Form(
            f"fastmlp:{name}",
            "fastmlp",
            name,
            "Trainer.predict",
            partial(_labels, name),
            task="predict",
        )
        for name in ("numpy", "jax", "torch")
    ),
    Form(
        "fastmlp:estimator",
        "fastmlp",
        "scikit-learn",
        "MLPClassifier.predict on NumPy, the scale in W",
        _estimator,
        task="predict",
    ),
)
