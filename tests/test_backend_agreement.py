"""Weights after 200 steps: the same on every backend as in a plain loop in NumPy float64."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from problems import LOSS_NAMES, leaves, make_problem, make_recipe, orders

from fastmlp import core
from fastmlp.backends import Backend, get_backend
from fastmlp.core import Carry, Params, Recipe, adam, gradient_descent, momentum, nesterov
from fastmlp.training import Epoch, Trainer, draw_params

N, BATCH_SIZE, EPOCHS = 70, 16, 40  # four full batches and a tail of 6, forty times: 200 steps
SIZES = (7, 5, 6, 3)
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}  # of the norm of each array
# The targets are noise, so the gradients stay of the order of 1: near 0, Adam would blow up
# their rounding. A ReLU whose z is nearer to 0 than its rounding would be on in one library and
# off in another, with another gradient. So each case starts from the first weights whose z all
# keep a distance of CLOSEST_Z in all steps: some hundred times the rounding of float32.
CLOSEST_Z = 1e-4


class Case(NamedTuple):
    """A training."""

    learning_rate: float
    recipe: Recipe


CASES = {
    "plain": Case(
        0.2, make_recipe("softmax_cross_entropy", ("relu", "tanh"), gradient_descent(), l2=0.1)
    ),
    "momentum": Case(0.05, make_recipe("sigmoid_cross_entropy", ("relu", "logistic"), momentum())),
    "nesterov": Case(0.01, make_recipe("squared_error", ("relu", "identity"), nesterov())),
    "adam": Case(0.01, make_recipe("softmax_cross_entropy", ("relu", "tanh"), adam())),
}


class Expected(NamedTuple):
    """What a plain loop finds."""

    start: Params
    params: Params
    history: NDArray[np.float64]  # (epochs, 1 + n_metrics)
    closest_z: float  # of the ReLU layer, to its kink


def data_of(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    recipe = CASES[name].recipe
    loss = next(key for key, row in core.LOSSES.items() if row is recipe.loss)
    return make_problem(loss, N, SIZES[0], SIZES[-1])


def plain_loop(case: Case, start: Params, X: NDArray[Any], y: NDArray[Any]) -> Expected:
    """Train without trainer, programs, scan or backend: one step after the other."""
    learning_rate, recipe = case
    xp: Any = np
    state = recipe.optimizer.init(xp, start)
    carry = Carry(start, state, xp.asarray(learning_rate), xp.asarray(0.0))
    history, closest = [], np.inf
    for order in orders(N, EPOCHS):
        total = np.zeros(1 + len(recipe.loss.metrics))
        for first in range(0, N, BATCH_SIZE):
            rows = order[first : first + BATCH_SIZE]
            x_batch, y_batch = xp.asarray(X[rows]), xp.asarray(y[rows])
            zs = core.forward(xp, carry.params, x_batch, recipe.hidden).zs
            closest = min(closest, float(np.abs(np.asarray(zs[0])).min()))
            carry, values = core.step(xp, recipe, carry, x_batch, y_batch)
            total += len(rows) * np.asarray(values)
        history.append(total / N)
    assert np.asarray(carry.t) == 200
    return Expected(start, carry.params, np.asarray(history), closest)


@cache
def expected_of(name: str) -> Expected:
    X, y = (array.astype(np.float64) for array in data_of(name))
    for seed in range(100):
        expected = plain_loop(CASES[name], draw_params(SIZES, seed), X, y)
        if expected.closest_z > CLOSEST_Z:
            return expected
    raise AssertionError("every start is a lottery in float32")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_weights_after_200_steps(backend: Backend, name: str, dtype: str) -> None:
    learning_rate, recipe = CASES[name]
    expected = expected_of(name)
    history: list[Epoch] = []
    trainer = Trainer(
        backend,
        recipe,
        expected.start,
        learning_rate=learning_rate,
        batch_size=BATCH_SIZE,
        dtype=dtype,
    )
    trainer.run(*data_of(name), orders(N, EPOCHS), history.append)

    for actual, wanted, start in zip(
        leaves(trainer.params()), leaves(expected.params), leaves(expected.start), strict=True
    ):
        assert actual.dtype == dtype
        norm = float(np.linalg.norm(wanted))
        assert float(np.linalg.norm(wanted - start)) > 0.1 * norm, "nothing was learnt"
        assert float(np.linalg.norm(actual - wanted)) <= TOLERANCE[dtype] * norm
    losses = [epoch.values["loss"] for epoch in history]
    np.testing.assert_allclose(losses, expected.history[:, 0], rtol=TOLERANCE[dtype])
    if recipe.loss.metrics:
        accuracies = [epoch.values["accuracy"] for epoch in history]
        # a row more or less in float32, where two logits are equal but for rounding
        np.testing.assert_allclose(
            accuracies, expected.history[:, 1], rtol=0, atol=1e-12 if dtype == "float64" else 1 / N
        )
    assert [epoch.epoch for epoch in history] == list(range(1, EPOCHS + 1))


@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_bytes_are_trained_evaluated_and_predicted_from_end_to_end(
    backend: Backend, loss: str
) -> None:
    recipe = make_recipe(loss, ("relu", "tanh"), momentum(), scale=1 / 255)
    X, y = make_problem(loss, 30)
    X = np.random.default_rng(8).integers(256, size=X.shape, dtype=np.uint8)

    def trained(backend: Backend, dtype: str) -> tuple[Trainer, list[Epoch]]:
        history: list[Epoch] = []
        trainer = Trainer(
            backend, recipe, draw_params(SIZES, 3), learning_rate=0.1, batch_size=10, dtype=dtype
        )
        trainer.run(X, y, orders(30, 3), history.append)
        return trainer, history

    trainer, history = trained(backend, "float32")
    oracle, expected = trained(get_backend("numpy"), "float64")
    for ours, theirs in zip(history, expected, strict=True):
        assert ours.values == pytest.approx(theirs.values, rel=1e-5)
    assert trainer.evaluate(X, y) == pytest.approx(oracle.evaluate(X, y), rel=1e-5)
    outputs = trainer.predict(X)
    assert type(outputs) is np.ndarray
    assert (outputs.shape, outputs.dtype) == ((30, 3), np.dtype("float32"))
    np.testing.assert_allclose(outputs, oracle.predict(X), rtol=1e-5, atol=1e-6)
    for ours_array, theirs_array in zip(
        leaves(trainer.params()), leaves(oracle.params()), strict=True
    ):
        assert type(ours_array) is np.ndarray
        np.testing.assert_allclose(ours_array, theirs_array, rtol=0, atol=1e-6)
