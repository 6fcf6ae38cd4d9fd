"""Our own: `fastmlp.training.Trainer`, on every backend that has a CPU.

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
    """A trainer with its data."""

    def __init__(self, backend: Backend, problem: Problem) -> None:
        self.trainer = _trainer(backend, problem)
        y = one_hot(problem.y, problem.layer_sizes[-1])
        self.data = self.trainer.place(problem.X, y)

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Train for as many epochs; the reports of all of them have been read at the end."""
        self.trainer.train(self.data, orders)
        self.trainer.backend.sync(self.trainer.carry)

    def weights(self) -> Weights:
        """Fetch the carry's."""
        weights: Any = self.trainer.params()
        return list(weights)


def _make(backend_name: str, problem: Problem) -> Contender:
    return Epochs(get_backend(backend_name, "cpu"), problem)


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
    return lambda x: trainer.logits(x).argmax(axis=1)


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
            "Trainer.logits",
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
