"""NumPy as it is written by hand for this one network: what a backend costs shows beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.prediction import Predict, folded_weights
from bench.peers.problem import Contender, Form, Problem, Weights
from fastmlp.training import one_hot

BLOCK = 1000  # rows of a prediction: their activations stay in the cache


class Loop:
    """Forward, backward and update with new arrays everywhere; data scaled to float32 before."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.X = problem.X * np.float32(problem.scale)
        self.y = one_hot(problem.y, problem.layer_sizes[-1]).astype(np.float32)
        self.W = [W.copy() for W, _ in problem.weights]
        self.b = [b.copy() for _, b in problem.weights]
        self.arrays = [*self.W, *self.b]
        self.v = [np.zeros_like(array) for array in self.arrays]
        self.m = [np.zeros_like(array) for array in self.arrays]
        self.t = 0

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Train batch by batch."""
        for order in orders:
            for rows in order.reshape(-1, self.problem.batch_size):
                self._step(self.X[rows], self.y[rows])

    def _step(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        a = [x]
        for W, b in zip(self.W[:-1], self.b[:-1], strict=True):
            a.append(np.maximum(a[-1] @ W + b, 0))
        logits = a[-1] @ self.W[-1] + self.b[-1]
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        delta = (p - y) / len(x)
        dW: list[Any] = []
        db: list[Any] = []
        for i in reversed(range(len(self.W))):
            dW.insert(0, a[i].T @ delta)
            db.insert(0, delta.sum(axis=0))
            if i:
                delta = (delta @ self.W[i].T) * (a[i] > 0)
        self._update([*dW, *db])

    def _update(self, grads: list[NDArray[Any]]) -> None:
        name, learning_rate = self.problem.optimization
        self.t += 1
        if name == "adam":
            learning_rate *= (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t)
        for array, g, m, v in zip(self.arrays, grads, self.m, self.v, strict=True):
            if name == "sgd":
                array -= learning_rate * g
            elif name == "momentum":
                v[:] = 0.9 * v - learning_rate * g
                array += v
            else:
                m[:] = 0.9 * m + 0.1 * g
                v[:] = 0.999 * v + 0.001 * g**2
                array -= learning_rate * m / (np.sqrt(v) + 1e-8)

    def weights(self) -> Weights:
        """Return the arrays themselves."""
        return list(zip(self.W, self.b, strict=True))


def _make(problem: Problem) -> Contender:
    return Loop(problem)


def _bare(problem: Problem) -> Predict:
    (W1, b1), (W2, b2) = folded_weights(problem)

    def labels(x: NDArray[Any]) -> NDArray[Any]:
        logits = np.maximum(x.astype(np.float32) @ W1 + b1, 0) @ W2 + b2
        return np.asarray(logits.argmax(axis=1))

    def predict(x: NDArray[Any]) -> NDArray[Any]:
        if len(x) <= BLOCK:
            return labels(x)
        starts = range(0, len(x), BLOCK)
        return np.concatenate([labels(x[start : start + BLOCK]) for start in starts])

    return predict


FORMS = (
    Form("numpy:loop", "peer", "numpy", "written by hand, float32 data", _make),
    Form(
        "numpy:bare",
        "floor",
        "numpy",
        "one expression up to the logits, the scale in W, blocks of 1,000 rows",
        _bare,
        task="predict",
    ),
)
