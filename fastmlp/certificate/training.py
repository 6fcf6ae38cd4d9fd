"""The training that all are put through, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.core import (
    ACTIVATIONS,
    LOSSES,
    Carry,
    Optimizer,
    Params,
    Recipe,
    adam,
    gradient_descent,
    momentum,
    nesterov,
    predict,
    step,
)
from fastmlp.data import load_digits
from fastmlp.training import TrainerLike, draw_params, epoch_order, one_hot

BATCH_SIZE, STEPS_PER_EPOCH = 32, 10
N_ROWS = 310  # nine full batches, and one of 22 rows
L2 = 1e-4

# What each optimizer learns these data with, at a steady pace.
OPTIMIZERS: dict[str, tuple[Callable[[], Optimizer], float]] = {
    "gradient_descent": (gradient_descent, 0.1),
    "momentum": (momentum, 0.05),
    "nesterov": (nesterov, 0.05),
    "adam": (adam, 0.001),
}


class Outcome(NamedTuple):
    """What a training leaves behind, on the host."""

    params: Params
    losses: NDArray[Any]  # of each epoch, the mean over its batches as they were learnt from
    predictions: NDArray[Any]  # (n_test, 10) probabilities of the test images
    device: str  # where it was computed


class Distances(NamedTuple):
    """How far an outcome is from another one: ``||a - b|| / ||b||``, NaN where a is not finite."""

    weights: float  # the largest of all W and b
    losses: float
    predictions: float


@dataclass(frozen=True)
class Training:
    """Choices of a certificate, checked when they are made.

    Raises
    ------
    ValueError
        Names the choice, its value and what was expected.

    Examples
    --------
    >>> Training(steps=20).epochs
    2
    """

    steps: int = 100
    hidden: tuple[int, ...] = (32,)
    activation: str = "tanh"
    optimizer: str = "gradient_descent"
    seed: int = 0

    def __post_init__(self) -> None:
        is_whole = _is_whole(self.steps, 1) and self.steps % STEPS_PER_EPOCH == 0
        _require(
            is_whole, "steps", self.steps, f"a multiple of {STEPS_PER_EPOCH}, the steps of an epoch"
        )
        are_sizes = isinstance(self.hidden, tuple) and all(_is_whole(n, 1) for n in self.hidden)
        expected = "whole numbers of 1 or more in a sequence, as in (32,)"
        _require(are_sizes, "hidden", self.hidden, expected)
        for name, table in (("activation", ACTIVATIONS), ("optimizer", OPTIMIZERS)):
            value = getattr(self, name)
            _require(value in table, name, value, f"one of {list(table)}")
        _require(_is_whole(self.seed, 0), "seed", self.seed, "a whole number of 0 or more")

    @property
    def epochs(self) -> int:
        """Epochs that the steps are."""
        return self.steps // STEPS_PER_EPOCH

    def run(self, make_trainer: Callable[..., TrainerLike], dtype: str) -> Outcome:
        """Train by what ``make_trainer(recipe, params, ...)`` makes."""
        data, losses = self._data(), list[float]()
        make, learning_rate = OPTIMIZERS[self.optimizer]
        trainer = make_trainer(
            self._recipe(make(), data.scale),
            self._start(),
            learning_rate=learning_rate,
            batch_size=BATCH_SIZE,
            dtype=dtype,
        )
        trainer.run(data.X, data.y, self._orders(), lambda e: losses.append(e.values["loss"]))
        predictions = trainer.predict(data.X_test)
        return Outcome(trainer.params(), np.asarray(losses), predictions, trainer.device)

    def reference(self) -> Outcome:
        """Train by the formulas alone: NumPy in float64, batch after batch, no backend."""
        xp: Any = np
        data = self._data()
        make, learning_rate = OPTIMIZERS[self.optimizer]
        recipe, start = self._recipe(make(), data.scale), self._start()
        state = recipe.optimizer.init(xp, start)
        carry = Carry(start, state, xp.asarray(learning_rate), xp.asarray(0.0))
        losses = []
        for order in self._orders():
            total = 0.0
            for first in range(0, N_ROWS, BATCH_SIZE):
                rows = order[first : first + BATCH_SIZE]
                y = data.y[rows].astype(np.float64)
                carry, (loss, *_) = step(xp, recipe, carry, xp.asarray(data.X[rows]), xp.asarray(y))
                total += float(np.asarray(loss)) * rows.size
            losses.append(total / N_ROWS)
        predictions = predict(xp, recipe, carry.params, xp.asarray(data.X_test))
        return Outcome(carry.params, np.asarray(losses), np.asarray(predictions), "cpu")

    def _data(self) -> _Data:
        digits = load_digits()
        y = one_hot(digits.y_train[:N_ROWS], digits.n_classes)
        return _Data(digits.X_train[:N_ROWS], y, digits.X_test, digits.scale)

    def _recipe(self, optimizer: Optimizer, scale: float) -> Recipe:
        hidden = (ACTIVATIONS[self.activation],) * len(self.hidden)
        return Recipe(hidden, LOSSES["softmax_cross_entropy"], optimizer, l2=L2, scale=scale)

    def _start(self) -> Params:
        return draw_params((64, *self.hidden, 10), self.seed, activation=self.activation)

    def _orders(self) -> list[NDArray[np.int32]]:
        return [epoch_order(N_ROWS, self.seed, epoch) for epoch in range(1, self.epochs + 1)]


class _Data(NamedTuple):
    X: NDArray[Any]
    y: NDArray[Any]
    X_test: NDArray[Any]
    scale: float


def distances(outcome: Outcome, reference: Outcome) -> Distances:
    """Measure how far an outcome is from the reference."""
    weights = [
        _distance(a, b)
        for layer, wanted in zip(outcome.params, reference.params, strict=True)
        for a, b in zip(layer, wanted, strict=True)
    ]
    return Distances(
        float(np.max(weights)),  # NaN if one is
        _distance(outcome.losses, reference.losses),
        _distance(outcome.predictions, reference.predictions),
    )


def _distance(a: Any, b: Any) -> float:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"an array has shape {a.shape}, expected {b.shape}")
    if not np.isfinite(a).all():
        return float("nan")
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and int(value) >= least


def _require(right: bool, name: str, value: Any, expected: str) -> None:
    if not right:
        raise ValueError(f"{name}={value!r} is not possible, expected {expected}.")
