"""Optimizer updates against scikit-learn's, against their equations, and in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from problems import leaves

from fastmlp.core import Layer, Optimizer, Params, adam, gradient_descent, momentum, nesterov
from fastmlp.core.tree import tree_map
from fastmlp.training import draw_params

STEPS = 12
XP: Any = np


def gradients(params: Params, size: float) -> list[Params]:
    """One gradient of random numbers per step."""
    rng = np.random.default_rng(5)
    return [tree_map(lambda w: size * rng.normal(size=w.shape), params) for _ in range(STEPS)]


def run(optimizer: Optimizer, params: Params, grads: list[Params], lr: float) -> Params:
    state = optimizer.init(XP, params)
    for t, grad in enumerate(grads, start=1):
        rate, count = XP.asarray(lr), XP.asarray(float(t))
        params, state = optimizer.update(XP, params, grad, state, rate, count)
    return params


def run_sklearn(make: Callable[[list[Any]], Any], params: Params, grads: list[Params]) -> list[Any]:
    weights = [w.copy() for w in leaves(params)]
    optimizer = make(weights)
    for grad in grads:
        optimizer.update_params(weights, leaves(grad))
    return weights


def assert_moves_agree(ours: Params, theirs: list[Any], params: Params) -> None:
    """Compare how far the weights went: a step of 1e-9 must be right to its last digits."""
    for mine, other, start in zip(leaves(ours), theirs, leaves(params), strict=True):
        moved = np.abs(other - start)
        assert moved.min() > 0
        # what is left of the twelve roundings of a weight of about 0.5
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-15 + 1e-12 * moved.max())


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_momentum_steps_as_scikit_learn(name: str, decay: float) -> None:
    theirs = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    params = draw_params((4, 3, 2), 0)
    grads = gradients(params, 1.0)
    expected = run_sklearn(
        lambda w: theirs.SGDOptimizer(w, 0.05, "constant", decay, name == "nesterov"),
        params,
        grads,
    )
    optimizer = {"momentum": momentum, "nesterov": nesterov}[name](decay)
    assert_moves_agree(run(optimizer, params, grads, 0.05), expected, params)


@pytest.mark.parametrize("size", [1.0, 1e-8])  # at 1e-8 it matters where eps is added
@pytest.mark.parametrize("settings", [(0.9, 0.999, 1e-8), (0.5, 0.9, 1e-4), (0.0, 0.0, 1e-8)])
def test_adam_steps_as_scikit_learn(settings: tuple[float, float, float], size: float) -> None:
    theirs = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    params = draw_params((4, 3, 2), 0)
    grads = gradients(params, size)
    expected = run_sklearn(
        lambda w: theirs.AdamOptimizer(w, 0.01, *settings),
        params,
        grads,
    )
    assert_moves_agree(run(adam(*settings), params, grads, 0.01), expected, params)


def test_plain_and_zero_momentum_are_the_same_descent() -> None:
    params = draw_params((4, 3, 2), 0)
    grads = gradients(params, 1.0)
    expected = params
    for grad in grads:
        expected = tree_map(lambda w, g: w - 0.05 * g, expected, grad)
    for optimizer in (gradient_descent(), momentum(0.0), nesterov(0.0)):
        after = run(optimizer, params, grads, 0.05)
        for mine, wanted in zip(leaves(after), leaves(expected), strict=True):
            np.testing.assert_array_equal(mine, wanted)


@pytest.mark.parametrize("t", [1, 2, 10, 100, 1_000, 10_000, 100_000])
def test_adam_keeps_the_digits_of_its_correction_in_float32(t: int) -> None:
    def move(dtype: str) -> float:
        def one(value: float) -> Any:
            return np.full(1, value, dtype=dtype)

        params = (Layer(W=one(0.0), b=one(0.0)),)
        grads = (Layer(W=one(1.0), b=one(1.0)),)
        rate, count = XP.asarray(0.001, dtype=dtype), XP.asarray(t, dtype=dtype)
        optimizer = adam()
        after, _ = optimizer.update(XP, params, grads, optimizer.init(XP, params), rate, count)
        assert after[0].W.dtype == dtype
        return float(np.asarray(after[0].W)[0])

    # the plain 1 - beta^t is up to 1e-5 off, some ten float32 roundings are 6e-7
    assert move("float32") == pytest.approx(move("float64"), rel=6e-7)


@pytest.mark.parametrize("make", [gradient_descent, momentum, nesterov, adam])
def test_factory_gives_the_same_object_for_the_same_arguments(make: Callable[..., Any]) -> None:
    assert make() is make()
    if make is not gradient_descent:
        assert make(0.5) is make(0.5)
        assert make(0.5) is not make(0.25)


def test_name_and_settings_say_what_an_optimizer_is_made_of() -> None:
    assert (gradient_descent().name, gradient_descent().settings) == ("gradient_descent", ())
    assert (momentum(0.5).name, momentum(0.5).settings) == ("momentum", (0.5,))
    assert (nesterov(0.5).name, nesterov(0.5).settings) == ("nesterov", (0.5,))
    assert (adam(0.8, eps=1e-7).name, adam(0.8, eps=1e-7).settings) == ("adam", (0.8, 0.999, 1e-7))


def test_settings_given_in_any_way_make_one_optimizer() -> None:
    assert adam() is adam(0.9) is adam(beta2=0.999) is adam(0.9, 0.999, eps=1e-8)
    assert adam(0.8) is not adam()
    assert momentum() is momentum(momentum=0.9)
    with pytest.raises(TypeError, match="beta3"):
        adam(beta3=0.5)
