"""Does a contender compute what it should? Its first steps against NumPy in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.problem import Contender, Problem, Weights
from fastmlp.backends import get_backend
from fastmlp.core import (
    ACTIVATIONS,
    LOSSES,
    Array,
    Layer,
    Namespace,
    Optimizer,
    Params,
    Recipe,
    adam,
    gradient_descent,
    momentum,
    tree_map,
)
from fastmlp.core.optimizers import adam_rate
from fastmlp.training import Trainer, one_hot

STEPS = 3


def _kingma(beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    """Adam as Kingma and Ba number its steps: eps is added to the corrected root.

    Optax and PyTorch do so; scikit-learn, Keras and fastmlp add it to the uncorrected one.
    """

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        rooted = eps * xp.sqrt(-xp.expm1(t * math.log(beta2)))
        m = tree_map(lambda m, g: beta1 * m + (1.0 - beta1) * g, state[0], grads)
        v = tree_map(lambda v, g: beta2 * v + (1.0 - beta2) * (g * g), state[1], grads)
        rate = adam_rate(xp, learning_rate, t, beta1, beta2, eps)
        params = tree_map(lambda w, m, v: w - rate * m / (xp.sqrt(v) + rooted), params, m, v)
        return params, (m, v)

    return Optimizer(adam().init, update, "adam", (beta1, beta2, eps))


# the references that a contender may agree with: of Adam, two are in use
REFERENCES: dict[str, tuple[Optimizer, ...]] = {
    "sgd": (gradient_descent(),),
    "momentum": (momentum(),),
    "adam": (adam(), _kingma()),
}
MOST_ERROR = 1e-3  # a learning rate wrong by 1 % gives 1e-2, float32 up to 1e-4


class WrongResultsError(Exception):
    """A contender trains to something else."""


def mlp_recipe(problem: Problem) -> Recipe:
    """Write the problem in fastmlp's words."""
    hidden = (ACTIVATIONS["relu"],) * (len(problem.layer_sizes) - 2)
    optimizer = REFERENCES[problem.optimization.name][0]
    return Recipe(hidden, LOSSES["softmax_cross_entropy"], optimizer, scale=problem.scale)


def layers(weights: Weights) -> Params:
    """Return weights as fastmlp's layers."""
    host: Any = weights
    return tuple(Layer(W, b) for W, b in host)


def reference_weights(problem: Problem, optimizer: Optimizer) -> Weights:
    """Train on the whole of a check problem, in float64."""
    trainer = Trainer(
        get_backend("numpy"),
        mlp_recipe(problem)._replace(optimizer=optimizer),
        layers(problem.weights),
        learning_rate=problem.optimization.learning_rate,
        batch_size=problem.batch_size,
        dtype="float64",
    )
    y = one_hot(problem.y, problem.layer_sizes[-1])
    trainer.run(problem.X, y, [np.arange(problem.X.shape[0], dtype=np.int32)] * STEPS)
    trained: Any = trainer.params()
    return list(trained)


def weight_error(contender: Contender, problem: Problem) -> float:
    """Let a contender take its first steps; return how far it is from the reference.

    The error of all weights over their change since the beginning, as Euclidean norms.

    Raises
    ------
    WrongResultsError
        The error is too large, or a row of the problem gets another label.
    """
    n = problem.X.shape[0]
    contender.run([np.arange(n, dtype=np.int32)] * STEPS)
    got = contender.weights()
    references = [
        reference_weights(problem, form) for form in REFERENCES[problem.optimization.name]
    ]
    wanted = references[0]
    shapes = [[array.shape for array in layer] for layer in got]
    expected = [[array.shape for array in layer] for layer in wanted]
    if shapes != expected:
        raise WrongResultsError(f"weights have shapes {shapes}, expected {expected}")
    wanted = min(references, key=lambda weights: _distance(got, weights))
    error = _distance(got, wanted) / _distance(problem.weights, wanted)
    if not error <= MOST_ERROR:
        raise WrongResultsError(
            f"after {STEPS} steps the weights are off by {error:.1e} of their change, expected at "
            f"most {MOST_ERROR:g}"
        )
    labels, expected_labels = (logits(problem, w).argmax(axis=1) for w in (got, wanted))
    n_other = int((labels != expected_labels).sum())
    if n_other:
        raise WrongResultsError(f"{n_other} of {n} rows get another label after {STEPS} steps")
    return error


def _distance(these: Weights, those: Weights) -> float:
    pairs = zip(these, those, strict=True)
    squares = [
        float(np.square(np.subtract(a, b, dtype=np.float64)).sum())
        for pair in pairs
        for a, b in zip(*pair, strict=True)
    ]
    return float(np.sqrt(sum(squares)))


def logits(problem: Problem, weights: Weights) -> NDArray[Any]:
    """Outputs (n, n_classes) before the softmax, in float64."""
    a = problem.X * problem.scale
    for W, b in weights[:-1]:
        a = np.maximum(a @ np.asarray(W, dtype=np.float64) + b, 0.0)
    W, b = weights[-1]
    z: NDArray[Any] = a @ np.asarray(W, dtype=np.float64) + b
    return z
