"""AdamW, RMSprop, clipping, max-norm and schedules against PyTorch, Keras, Optax and equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp import core
from fastmlp.backends import Backend
from fastmlp.core import (
    Optimizer,
    Params,
    Recipe,
    adam,
    adamw,
    clip_by_norm,
    max_norm,
    rmsprop,
    scheduled,
)
from fastmlp.core.optimizers import gradient_descent, momentum
from fastmlp.core.schedules import FACTORS
from fastmlp.core.tree import tree_map
from fastmlp.training import Trainer, draw_params
from fastmlp.training.host import INITS, VARIANCES

XP: Any = np
PARAMS = draw_params((4, 3, 2), 0)
STEPS = 12


def gradients(size: float = 1.0) -> list[Params]:
    rng = np.random.default_rng(5)
    return [tree_map(lambda w: size * rng.normal(size=w.shape), PARAMS) for _ in range(STEPS)]


def run(optimizer: Optimizer, lr: float = 0.05, size: float = 1.0) -> list[Any]:
    params, state = PARAMS, optimizer.init(XP, PARAMS)
    for t, grad in enumerate(gradients(size), start=1):
        rate, count = XP.asarray(lr), XP.asarray(float(t))
        params, state = optimizer.update(XP, params, grad, state, rate, count)
    return leaves(params)


def run_torch(
    make: Callable[[Any, list[Any]], Any], size: float = 1.0, clip: float = 0.0
) -> list[Any]:
    torch = pytest.importorskip("torch")
    weights = [torch.tensor(w, requires_grad=True) for w in leaves(PARAMS)]
    optimizer = make(torch, weights)
    for grad in gradients():
        for weight, g in zip(weights, leaves(grad), strict=True):
            weight.grad = torch.tensor(g)
        if clip:
            torch.nn.utils.clip_grad_norm_(weights, clip)
        optimizer.step()
    return [weight.detach().numpy() for weight in weights]


def assert_close(ours: list[Any], theirs: list[Any], tolerance: float = 1e-12) -> None:
    for a, b, start in zip(ours, theirs, leaves(PARAMS), strict=True):
        assert np.abs(b - start).min() > 0
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b - start).max())


def test_adamw_steps_as_pytorch() -> None:
    def make(torch: Any, weights: list[Any]) -> Any:
        groups = [
            {"params": weights[0::2], "weight_decay": 0.3},
            {"params": weights[1::2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=0.05, betas=(0.8, 0.9), eps=1e-30)

    # without eps, which PyTorch adds at another place
    assert_close(run(adamw(0.8, 0.9, 1e-30, 0.3)), run_torch(make))


@pytest.mark.parametrize("size", [1.0, 1e-4])  # at 1e-4 it matters where eps is added
def test_rmsprop_steps_as_keras(size: float) -> None:
    keras = pytest.importorskip("keras")
    weights = [keras.Variable(w, dtype="float64") for w in leaves(PARAMS)]
    settings = [np.float64(x) for x in (0.05, 0.7, 1e-8)]
    theirs = keras.optimizers.RMSprop(lambda: settings[0], rho=settings[1], epsilon=settings[2])
    for grad in gradients(size):
        theirs.apply([keras.ops.convert_to_tensor(g) for g in leaves(grad)], weights)
    found = [np.asarray(weight) for weight in weights]
    assert_close(run(rmsprop(0.7, 1e-8), size=size), found, 1e-10)


@pytest.mark.parametrize("limit", [0.5, 3.0, 1e3])
def test_clipping_is_pytorchs(limit: float) -> None:
    def make(torch: Any, weights: list[Any]) -> Any:
        return torch.optim.SGD(weights, lr=0.05, momentum=0.9)

    # PyTorch adds 1e-6 to the norm
    theirs = run_torch(make, clip=limit)
    assert_close(run(clip_by_norm(momentum(0.9), limit)), theirs, 1e-5)


def test_gradients_within_the_limit_are_not_touched() -> None:
    for a, b in zip(run(clip_by_norm(adam(), 1e3)), run(adam()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_units_are_no_longer_than_the_limit() -> None:
    limit = 0.4
    free, bound = run(gradient_descent()), run(max_norm(gradient_descent(), limit))
    norms = [np.linalg.norm(W, axis=0) for W in bound[0::2]]
    assert all((norm <= limit * (1 + 1e-15)).all() for norm in norms)
    assert max(np.linalg.norm(W, axis=0).max() for W in free[0::2]) > limit
    for a, b in zip(run(max_norm(gradient_descent(), 1e3)), free, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n_steps", [2, 10, 100, 1001])
def test_one_cycle_is_pytorchs(n_steps: int) -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=n_steps, cycle_momentum=False, pct_start=0.3
    )
    rates = []
    for _ in range(n_steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step() if len(rates) < n_steps else None
    t = XP.arange(1.0, n_steps + 1)
    ours = np.asarray(FACTORS["one_cycle"](XP, t, n_steps, 0))
    if n_steps > 6:  # PyTorch divides by less than one step before
        np.testing.assert_allclose(ours, rates, rtol=1e-12, atol=1e-12)
    assert np.isfinite(ours).all()


def test_warm_up_and_cosine_are_optax_s() -> None:
    optax = pytest.importorskip("optax")
    theirs = optax.warmup_cosine_decay_schedule(0.0, 1.0, 10, 100)
    t = np.arange(1.0, 101)
    ours = np.asarray(FACTORS["cosine"](XP, XP.asarray(t), 100, 10))
    # Optax counts from 0, and so do we once the rate has risen
    np.testing.assert_allclose(ours[:10], theirs(t[:10]), rtol=1e-6)
    np.testing.assert_allclose(ours[10:], theirs(t[10:] - 1), rtol=1e-5, atol=1e-7)
    risen = np.asarray(FACTORS["constant"](XP, XP.asarray(t), 100, 10))
    np.testing.assert_allclose(risen, np.minimum(t / 10, 1))
    np.testing.assert_array_equal(FACTORS["constant"](XP, XP.asarray(t), 100, 0), 1.0)


OPTIMIZERS = {
    "adamw": adamw(weight_decay=0.1),
    "rmsprop": rmsprop(),
    "clip": clip_by_norm(momentum(), 0.1),
    "max_norm": max_norm(adam(), 0.5),
    "cosine": scheduled(momentum(), "cosine", 200, 20),
    "one_cycle": scheduled(adam(), "one_cycle", 200),
    "all": scheduled(max_norm(clip_by_norm(adamw(), 0.2), 0.5), "constant", 200, 50),
}


def recipe_of(name: str) -> Recipe:
    recipe = make_recipe("softmax_cross_entropy", ("tanh", "tanh"), OPTIMIZERS[name])
    # not beside Adam, which enlarges what L1 makes of a rounding where a weight changes its sign
    return recipe._replace(l1=0.05) if name == "clip" else recipe


def trained(backend: Backend, name: str, dtype: str) -> Trainer:
    trainer = make_trainer(
        recipe_of(name),
        backend=backend,
        params=draw_params((7, 5, 6, 3), 1),
        learning_rate=0.02,
        dtype=dtype,
    )
    trainer.run(*make_problem("softmax_cross_entropy"), orders(70, 40))
    return trainer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weights_after_200_steps(backend: Backend, name: str) -> None:
    params = draw_params((7, 5, 6, 3), 1)
    X, y = (np.asarray(array, np.float64) for array in make_problem("softmax_cross_entropy"))
    recipe = recipe_of(name)
    carry = core.Carry(params, recipe.optimizer.init(XP, params), XP.asarray(0.02), XP.asarray(0.0))
    for order in orders(70, 40):
        for first in range(0, 70, 16):
            rows = order[first : first + 16]
            carry, _ = core.step(XP, recipe, carry, XP.asarray(X[rows]), XP.asarray(y[rows]))
    found = leaves(trained(backend, name, "float64").params())
    for a, b, start in zip(found, leaves(carry.params), leaves(params), strict=True):
        assert np.linalg.norm(b - start) > 0.02 * np.linalg.norm(b), "nothing was learnt"
        assert np.linalg.norm(a - b) <= 1e-11 * np.linalg.norm(b)


def test_l1_gradient_equals_central_differences() -> None:
    params = draw_params((4, 3, 2), 2)
    zero = XP.asarray(0.0)
    empty = tree_map(np.zeros_like, params)
    _, grads = core.l1_penalty(XP, params, zero, empty, 0.7, 5)

    def loss(params: Params) -> float:
        return float(np.asarray(core.l1_penalty(XP, params, zero, empty, 0.7, 5)[0]))

    for L, name, place in ((0, "W", (1, 2)), (1, "W", (2, 0)), (1, "b", (1,))):
        losses = []
        for h in (1e-6, -1e-6):
            there = tree_map(np.array, params)
            getattr(there[L], name)[place] += h
            losses.append(loss(there))
        found = np.asarray(getattr(grads[L], name))[place]
        assert found == pytest.approx((losses[0] - losses[1]) / 2e-6, abs=1e-8)
    at_zero = core.l1_penalty(XP, empty, zero, empty, 0.7, 5)[1]
    assert not any(np.any(leaf) for leaf in leaves(at_zero))


@pytest.mark.parametrize("init", INITS)
def test_initial_weights_have_their_variance(init: str) -> None:
    n_in, n_out = 400, 300
    W, b = map(np.asarray, draw_params((n_in, n_out), 0, init=init)[0])
    name, kind = init.split("_")
    variance = VARIANCES[name](n_in, n_out)
    assert np.var(W) == pytest.approx(variance, rel=0.02)
    assert abs(np.mean(W)) < 5 * np.sqrt(variance / W.size)
    assert (np.abs(W).max() <= np.sqrt(3 * variance)) == (kind == "uniform")
    np.testing.assert_array_equal(b, 0.0)


def test_same_settings_are_the_same_optimizer() -> None:
    assert clip_by_norm(adam(), 1.0) is clip_by_norm(inner=adam(), limit=1.0)
    assert scheduled(adamw(), "cosine", 10) is scheduled(adamw(0.9), "cosine", 10, 0)
