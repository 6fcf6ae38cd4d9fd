"""scikit-learn's MLPClassifier.

``fit`` with ``warm_start`` runs all epochs of a turn in one call: faster than ``partial_fit``
epoch by epoch, which checks the data each time. Data in float32 stay so and halve the work
(scikit-learn 0.24 and later). It shuffles by itself; regularisation and early end are off.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.prediction import Predict, folded_weights
from bench.peers.problem import Contender, Form, Problem, Weights

SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
    "adam": {"solver": "adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
}


class Fit:
    """A model with the problem's weights."""

    def __init__(self, problem: Problem) -> None:
        self.X, self.y = problem.X * np.float32(problem.scale), problem.y
        self.model = _model(problem, problem.weights)

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Fit for as many epochs, in orders of its own."""
        self.model.set_params(max_iter=len(orders))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it does not converge, and need not
            self.model.fit(self.X, self.y)

    def weights(self) -> Weights:
        """Return the model's arrays."""
        return list(zip(self.model.coefs_, self.model.intercepts_, strict=True))


def _model(problem: Problem, weights: Weights) -> Any:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        problem.layer_sizes[1:-1],
        alpha=0.0,
        batch_size=problem.batch_size,
        learning_rate_init=problem.optimization.learning_rate,
        tol=0.0,
        n_iter_no_change=10**9,
        warm_start=True,
        random_state=0,
        **SOLVERS[problem.optimization.name],
    )
    classes = np.arange(problem.layer_sizes[-1])
    rows = np.zeros((len(classes), problem.layer_sizes[0]), np.float32)
    with warnings.catch_warnings(category=UserWarning, action="ignore"):  # rows make no batch
        model.partial_fit(rows, classes, classes=classes)  # makes the arrays
    model.coefs_ = [W.copy() for W, _ in weights]
    model.intercepts_ = [b.copy() for _, b in weights]
    return model


def _make(problem: Problem) -> Contender:
    return Fit(problem)


def _labels(problem: Problem) -> Predict:
    model = _model(problem, folded_weights(problem))
    return lambda x: np.asarray(model.predict(x.astype(np.float32)))


FORMS = (
    Form("sklearn", "peer", "scikit-learn", "fit, warm start, float32 data", _make),
    Form(
        "sklearn",
        "peer",
        "scikit-learn",
        "predict of float32 rows, the scale in W",
        _labels,
        task="predict",
    ),
)
