"""The step of ``fastmlp:numpy`` as bare NumPy calls, with a look at the clock between the kinds.

What the step needs beyond these calls goes to Python: functions, loops, tuples.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.problem import Problem, Unsupported, Weights
from bench.peers.verify import mlp_recipe
from fastmlp.backends.numpy_forms import BLOCK, UPDATES, tuned
from fastmlp.training import one_hot

XP: Any = np
KINDS = ("gather", "cast and scale", "products", "elementwise", "update")


class Watch:
    """Seconds spent on each kind."""

    def __init__(self) -> None:
        self.spent_s = dict.fromkeys(KINDS, 0.0)
        self.since = 0.0

    def start(self) -> None:
        """Begin a step."""
        self.since = time.perf_counter()

    def lap(self, kind: str) -> None:
        """Book the time since the last lap; that of the booking itself is left out."""
        self.spent_s[kind] += time.perf_counter() - self.since
        self.since = time.perf_counter()


class Parts:
    """A contender that knows what it spent its time on."""

    def __init__(self, problem: Problem) -> None:
        if problem.optimization.name != "sgd":
            raise Unsupported("the parts of a step are told apart for SGD only")
        self.batch_size, self.scale = problem.batch_size, problem.scale
        self.rate = np.asarray(problem.optimization.learning_rate, dtype=np.float32)
        self.X = problem.X
        self.y = one_hot(problem.y, problem.layer_sizes[-1]).astype(np.float32)
        self.W = [W.copy() for W, _ in problem.weights]
        self.b = [b.copy() for _, b in problem.weights]
        self.arrays = [(array, _blocks(array)) for array in (*self.W, *self.b)]
        recipe = tuned(mlp_recipe(problem))
        self.loss_and_delta = recipe.loss.loss_and_delta
        ((_, self.metric),) = recipe.loss.metrics
        self.watch = Watch()

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Train batch by batch."""
        for order in orders:
            for rows in order.reshape(-1, self.batch_size):
                self._step(rows)

    def weights(self) -> Weights:
        """Return the arrays themselves."""
        return list(zip(self.W, self.b, strict=True))

    def _step(self, rows: NDArray[Any]) -> None:
        lap = self.watch.lap
        self.watch.start()
        x: Any = np.take(self.X, rows, axis=0)
        y: Any = np.take(self.y, rows, axis=0)
        lap("gather")
        x = x.astype(np.float32)
        x = x * self.scale
        lap("cast and scale")
        a: list[Any] = [x]
        zs: list[Any] = []
        for W, b in zip(self.W[:-1], self.b[:-1], strict=True):
            z = a[-1] @ W
            lap("products")
            z = z + b
            a.append(np.maximum(z, 0.0))
            zs.append(z)
            lap("elementwise")
        logits: Any = a[-1] @ self.W[-1]
        lap("products")
        logits = logits + self.b[-1]
        _, delta = self.loss_and_delta(XP, logits, y)
        self.metric(XP, logits, y)
        lap("elementwise")
        self._update(*self._backprop(a, zs, delta))
        lap("update")

    def _backprop(self, a: list[Any], zs: list[Any], delta: Any) -> tuple[list[Any], list[Any]]:
        lap = self.watch.lap
        dW, db = list(self.W), list(self.b)
        for i in reversed(range(len(self.W))):
            dW[i] = a[i].T @ delta
            lap("products")
            db[i] = delta.sum(axis=0)
            if i:
                mask = zs[i - 1] > 0.0
                lap("elementwise")
                delta = delta @ self.W[i].T
                lap("products")
                delta = delta * mask
            lap("elementwise")
        return dW, db

    def _update(self, dW: list[Any], db: list[Any]) -> None:
        write = UPDATES["gradient_descent"].write
        for (array, blocks), grad in zip(self.arrays, (*dW, *db), strict=True):
            for rows in blocks:
                write(array[rows], grad[rows], self.rate)


def _blocks(array: NDArray[Any]) -> list[slice]:
    """Rows that the backend updates at a time."""
    step = max(1, BLOCK * len(array) // array.size)
    return [slice(start, start + step) for start in range(0, len(array), step)]
