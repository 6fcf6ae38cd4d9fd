"""Backpropagation against central differences, jax.grad and a network worked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from problems import ACTIVATION_NAMES, LOSS_NAMES, Problem, leaves, make_problem, make_recipe
from worked_example import load_worked_example

from fastmlp import core
from fastmlp.core import ACTIVATIONS, Carry, Layer, Params, Recipe
from fastmlp.core.tree import tree_map
from fastmlp.training import draw_params

DERIVATION = Path(__file__).parents[1] / "docs" / "derivation.md"
HIDDEN_SIZES = (5, 4, 6)  # all different, so that a transposed matrix cannot fit
STEP = 5e-4
DIRECTIONS = 4
# The five-point difference is off by STEP^4 / 30 times the fifth derivative (2e-15), and by the
# rounding of a loss of about 4 divided by STEP (1e-12 after a few operations).
TOLERANCE = 1e-11


class Case(NamedTuple):
    """A row of the test: what is differentiated."""

    loss: str
    hidden: tuple[str, ...]
    l2: float

    def __str__(self) -> str:
        return "-".join([self.loss, *(self.hidden or ("linear",)), f"l2={self.l2}"])


CASES = [
    Case(loss, hidden, l2)
    for loss in LOSS_NAMES
    for hidden in [(), *((name,) * depth for name in ACTIVATION_NAMES for depth in (1, 2, 3))]
    for l2 in (0.0, 0.7)
] + [Case(loss, ("tanh", "relu", "logistic"), 0.7) for loss in LOSS_NAMES]


class Start(NamedTuple):
    """Where a gradient is taken."""

    recipe: Recipe
    params: Params
    problem: Problem


def start_of(case: Case) -> Start:
    """First seed whose pre-activations all keep away from the kink of ReLU."""
    recipe = make_recipe(case.loss, case.hidden, l2=case.l2)
    for seed in range(500):
        problem = make_problem(case.loss, n=6, n_features=3, n_outputs=4, seed=seed)
        params = draw_params((3, *HIDDEN_SIZES[: len(case.hidden)], 4), 1000 + seed)
        if all(np.abs(z).min() > 0.01 for z in pre_activations(recipe, params, problem)):
            return Start(recipe, params, problem)
    raise AssertionError("no start keeps away from the kink")


def pre_activations(recipe: Recipe, params: Params, problem: Problem) -> list[Any]:
    xp: Any = np
    return list(core.forward(xp, params, xp.asarray(problem.X), recipe.hidden).zs)


def loss_and_grads(xp: Any, recipe: Recipe, params: Params, x: Any, y: Any) -> tuple[Any, Params]:
    trace = core.forward(xp, params, x, recipe.hidden)
    loss, delta = recipe.loss.loss_and_delta(xp, trace.logits, y, 1.0 / x.shape[0])
    grads = core.backprop(xp, params, trace, delta, recipe.hidden)
    return core.l2_penalty(xp, params, loss, grads, recipe.l2, x.shape[0])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_equals_central_differences_along_random_directions(case: Case) -> None:
    recipe, params, problem = start_of(case)
    signs = [np.sign(z) for z in pre_activations(recipe, params, problem)]
    rng = np.random.default_rng(11)

    def loss_at(direction: Params, distance: float) -> float:
        there = tree_map(lambda w, d: w + distance * d, params, direction)
        zs = pre_activations(recipe, there, problem)
        for z, sign in zip(zs, signs, strict=True):
            np.testing.assert_array_equal(np.sign(z), sign, "the step crosses the kink of ReLU")
        return float(loss_and_grads(np, recipe, there, *problem)[0])

    _, grads = loss_and_grads(np, recipe, params, *problem)
    for _ in range(DIRECTIONS):
        direction: Params = tree_map(lambda w: rng.normal(size=w.shape), params)
        norm = np.sqrt(sum(np.sum(d * d) for d in leaves(direction)))
        direction = tree_map(lambda d, norm=norm: d / norm, direction)
        near = loss_at(direction, STEP) - loss_at(direction, -STEP)
        far = loss_at(direction, 2 * STEP) - loss_at(direction, -2 * STEP)
        slope = (8 * near - far) / (12 * STEP)
        pairs = zip(leaves(grads), leaves(direction), strict=True)
        assert sum(np.sum(g * d) for g, d in pairs) == pytest.approx(slope, rel=0, abs=TOLERANCE)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_equals_jax_grad(case: Case) -> None:
    jax = pytest.importorskip("jax")
    recipe, params, problem = start_of(case)
    _, grads = loss_and_grads(np, recipe, params, *problem)
    with jax.enable_x64(True):
        x, y = jax.numpy.asarray(problem.X), jax.numpy.asarray(problem.y, dtype="float64")
        autodiff = jax.grad(lambda p: loss_and_grads(jax.numpy, recipe, p, x, y)[0])(params)
        expected = [np.asarray(g) for g in leaves(autodiff)]
    for actual, wanted in zip(leaves(grads), expected, strict=True):
        assert wanted.dtype == np.float64
        # sums of at most 24 products in another order: some ten roundings of the largest entry
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-14)


def test_network_worked_by_hand() -> None:
    paper: dict[str, Any] = {
        name: np.asarray(value) for name, value in load_worked_example(DERIVATION).items()
    }
    xp: Any = np
    recipe = make_recipe("squared_error", ("relu",))
    params = (Layer(W=paper["W1"], b=paper["b1"]), Layer(W=paper["W2"], b=paper["b2"]))

    trace = core.forward(xp, params, paper["x"], recipe.hidden)
    loss, delta2 = recipe.loss.loss_and_delta(xp, trace.logits, paper["y"], 0.5)
    one, two = core.backprop(xp, params, trace, delta2, recipe.hidden)
    delta1 = (paper["delta2"] @ paper["W2"].T) * recipe.hidden[0].h_prime(
        xp, paper["z1"], paper["a1"]
    )
    carry = Carry(params, (), paper["learning_rate"], xp.asarray(0.0))
    carry, values = core.step(xp, recipe, carry, paper["x"], paper["y"])
    (new_loss,) = core.evaluate(xp, recipe, carry.params, paper["x"], paper["y"])

    code: dict[str, Any] = {
        "x": trace.inputs[0],
        "z1": trace.zs[0],
        "a1": trace.inputs[1],
        "yhat": trace.logits,
        "loss": loss,
        "delta2": delta2,
        "dW2": two.W,
        "db2": two.b,
        "delta1": delta1,
        "dW1": one.W,
        "db1": one.b,
        "new_W1": carry.params[0].W,
        "new_b1": carry.params[0].b,
        "new_W2": carry.params[1].W,
        "new_b2": carry.params[1].b,
        "new_loss": new_loss,
    }
    given = {"y", "W1", "b1", "W2", "b2", "learning_rate"}
    assert set(paper) == set(code) | given
    for name, value in code.items():
        np.testing.assert_array_equal(value, paper[name], name)
    assert values == (loss,)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_step_of_gradient_descent_takes_that_gradient(case: Case) -> None:
    recipe, params, problem = start_of(case)
    xp: Any = np
    loss, grads = loss_and_grads(xp, recipe, params, *problem)
    carry = Carry(params, (), xp.asarray(0.1), xp.asarray(0.0))
    x, y = xp.asarray(problem.X), xp.asarray(problem.y)
    carry, values = core.step(xp, recipe, carry, x, y)
    for before, grad, after in zip(
        leaves(params), leaves(grads), leaves(carry.params), strict=True
    ):
        np.testing.assert_array_equal(after, before - 0.1 * grad)
    assert values[0] == loss
    assert np.asarray(carry.t) == 1.0


@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_loss_and_output_equal_their_textbook_form(loss: str) -> None:
    recipe, params, (X, y) = start_of(Case(loss, ("tanh",), 0.0))
    xp: Any = np
    a = np.asarray(core.forward(xp, params, xp.asarray(X), recipe.hidden).logits)
    if loss == "softmax_cross_entropy":
        p = np.stack([np.exp(row) / np.exp(row).sum() for row in a])
        expected = np.mean([-np.log(row[target == 1][0]) for row, target in zip(p, y, strict=True)])
    elif loss == "sigmoid_cross_entropy":
        p = 1 / (1 + np.exp(-a))
        expected = np.mean(-np.sum(np.log(np.where(y == 1, p, 1 - p)), axis=1))
    elif loss == "poisson":
        p = np.exp(a)
        counts = np.maximum(y, 1.0)  # the logarithm of a count of 0 counts 0 times
        expected = np.mean(np.sum(y * np.log(counts / p) - y + p, axis=1))
    else:
        p = a
        expected = np.mean([np.linalg.norm(row) ** 2 / 2 for row in a - y])
    actual = core.evaluate(xp, recipe, params, xp.asarray(X), xp.asarray(y))
    assert actual[0] == pytest.approx(expected, rel=1e-14)
    outputs = np.asarray(core.predict(xp, recipe, params, xp.asarray(X)))
    np.testing.assert_allclose(outputs, p, rtol=1e-14, atol=0)


def test_penalty_is_half_the_squared_weights_of_all_layers_over_n_and_leaves_biases_free() -> None:
    recipe, params, problem = start_of(Case("squared_error", ("tanh", "tanh"), 0.7))
    plain, plain_grads = loss_and_grads(np, recipe._replace(l2=0.0), params, *problem)
    loss, grads = loss_and_grads(np, recipe, params, *problem)
    squares = sum(float(w) ** 2 for layer in params for w in np.ravel(np.asarray(layer.W)))
    assert loss - plain == pytest.approx(0.7 / 2 / 6 * squares, rel=1e-13)
    for layer, before, after in zip(params, plain_grads, grads, strict=True):
        added = np.asarray(after.W) - np.asarray(before.W)
        np.testing.assert_allclose(added, 0.7 / 6 * np.asarray(layer.W), rtol=0, atol=1e-15)
        np.testing.assert_array_equal(after.b, before.b)


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_activations_of_huge_numbers_are_finite_and_straight(name: str) -> None:
    h, h_prime = ACTIVATIONS[name]
    z = np.asarray([-1e30, -1e20, 1e20, 1e30], dtype=np.float32)
    xp: Any = np
    with np.errstate(over="ignore"):
        a = h(xp, xp.asarray(z))
        slope = np.asarray(h_prime(xp, xp.asarray(z), a))
    assert np.isfinite(np.asarray(a)).all()
    assert np.isfinite(slope).all()
    assert slope[0] == slope[1]
    assert slope[2] == slope[3] == (0.0 if name in ("tanh", "logistic") else 1.0)
