"""Forms that a backend puts in the place of the core's rows give the core's numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import LOSS_NAMES, leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import Backend, get_backend, numpy_forms
from fastmlp.core import (
    ACTIVATIONS,
    Layer,
    Optimizer,
    adam,
    gradient_descent,
    momentum,
    nesterov,
    tree_map,
)
from fastmlp.training import draw_params

XP: Any = np
OPTIMIZERS = (gradient_descent(), momentum(0.8), nesterov(0.8), adam(0.8, 0.9, 1e-6))
LARGE = (300, numpy_forms.BLOCK // 100)  # three blocks of rows, the last one shorter


def tolerance(dtype: str) -> dict[str, Any]:
    eps = float(np.finfo(dtype).eps)
    return {"rtol": 16 * eps, "atol": 4 * eps}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 5, 128])
def test_softmax_and_accuracy_equal_their_rows(n: int, dtype: str) -> None:
    recipe = make_recipe("softmax_cross_entropy")
    form, row = numpy_forms.tuned(recipe).loss, recipe.loss
    assert form.loss_and_delta is not row.loss_and_delta
    rng = np.random.default_rng(n)
    logits: Any = (20 * rng.normal(size=(n, 10))).astype(dtype)
    y: Any = make_problem("softmax_cross_entropy", n, n_outputs=10).y.astype(dtype)
    before = logits.copy(), y.copy()
    for got, wanted in zip(
        form.loss_and_delta(XP, logits, y), row.loss_and_delta(XP, logits, y), strict=True
    ):
        assert got.dtype == dtype
        np.testing.assert_allclose(XP.asarray(got), XP.asarray(wanted), **tolerance(dtype))
    (_, counted), (_, accuracy) = form.metrics[0], row.metrics[0]
    assert counted is not accuracy
    assert counted(XP, logits, y) == accuracy(XP, logits, y)
    assert counted(XP, logits, y).dtype == dtype
    for kept, old in zip((logits, y), before, strict=True):
        np.testing.assert_array_equal(kept, old)


def test_soft_targets_are_weighed_as_they_are() -> None:
    recipe = make_recipe("softmax_cross_entropy")
    logits: Any = np.random.default_rng(0).normal(size=(6, 4))
    y: Any = np.random.default_rng(1).uniform(size=(6, 4))  # rows that do not add up to 1
    form, row = numpy_forms.tuned(recipe).loss, recipe.loss
    for got, wanted in zip(
        form.loss_and_delta(XP, logits, y), row.loss_and_delta(XP, logits, y), strict=True
    ):
        np.testing.assert_allclose(XP.asarray(got), XP.asarray(wanted), rtol=1e-14, atol=1e-15)


def test_relu_has_the_same_derivative() -> None:
    z: Any = np.asarray([[-1.0, 0.0, 2.0], [np.nan, -0.0, 1e-300]])
    row = ACTIVATIONS["relu"]
    a = row.h(XP, z)
    delta: Any = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(
        delta * numpy_forms.RELU.h_prime(XP, z, a), delta * row.h_prime(XP, z, a)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 2), LARGE])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.name)
def test_updates_in_place_equal_their_rows(
    optimizer: Optimizer, shape: tuple[int, int], dtype: str
) -> None:
    rng = np.random.default_rng(3)

    def draw() -> Any:
        layer: Any = Layer
        return (layer(rng.normal(size=shape).astype(dtype), rng.normal(size=5).astype(dtype)),)

    params, grads, state = draw(), draw(), draw()
    if optimizer.name == "gradient_descent":
        state = ()
    if optimizer.name == "adam":
        state = state, tree_map(np.abs, draw())
    rate: Any = np.asarray(0.1, dtype=dtype)
    t: Any = np.asarray(3.0, dtype=dtype)
    wanted = optimizer.update(XP, params, grads, state, rate, t)
    form = numpy_forms.tuned(make_recipe(optimizer=optimizer)).optimizer
    owned: Any = tree_map(np.array, (params, grads, state))
    got = form.update(XP, owned[0], owned[1], owned[2], rate, t)
    for new, old in zip(leaves(got), leaves(wanted), strict=True):
        assert new.dtype == dtype
        np.testing.assert_allclose(new, old, **tolerance(dtype))
    written = zip(leaves(got[0]), leaves(owned[0]), strict=True)
    assert all(new is old for new, old in written), "the update is not in place"


def test_rows_of_others_are_kept() -> None:
    mine = gradient_descent()._replace(update=lambda *args: args)
    recipe = make_recipe("squared_error", ("tanh",), mine._replace(name="adam", settings=(0.9,)))
    recipe = recipe._replace(optimizer=mine._replace(name="mine"))
    assert numpy_forms.tuned(recipe) == recipe
    named = recipe._replace(optimizer=mine)  # the core's name on somebody else's update
    assert numpy_forms.tuned(named).optimizer is mine


def test_settings_given_in_any_way_make_one_optimizer() -> None:
    assert adam() is adam(0.9) is adam(beta2=0.999) is adam(0.9, 0.999, eps=1e-8)
    assert adam(0.8) is not adam()
    assert momentum() is momentum(momentum=0.9)
    with pytest.raises(TypeError, match="beta3"):
        adam(beta3=0.5)


@pytest.mark.parametrize("loss", LOSS_NAMES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.name)
def test_tuned_training_equals_the_core(loss: str, optimizer: Optimizer) -> None:
    recipe = make_recipe(loss, ("relu", "tanh"), optimizer, l2=0.1)
    X, y = make_problem(loss, 70)
    numpy = get_backend("numpy")
    plain = replace(numpy, tune=lambda recipe: recipe)
    trained: list[list[Any]] = []
    for backend in (numpy, plain):
        params = draw_params((7, 5, 4, 3), 0)
        trainer = make_trainer(recipe, backend=backend, params=params)
        trainer.run(X, y, orders(70, 5))
        trained.append(leaves(trainer.params()))
    for got, wanted in zip(*trained, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("batch_size", "n"), [(70, 70), (32, 70), (30, 70), (64, 60)])
def test_large_batches_are_learnt_from_in_blocks(backend: Backend, batch_size: int, n: int) -> None:
    recipe = make_recipe("softmax_cross_entropy", ("tanh",), nesterov(), l2=0.1)
    X, y = make_problem("softmax_cross_entropy", n)
    trained: list[list[Any]] = []
    reports: list[dict[str, float]] = []
    for block_rows in (16, 1000):
        own = replace(backend, block_rows=block_rows)
        trainer = make_trainer(recipe, backend=own, batch_size=batch_size)
        trainer.run(X, y, orders(n, 3), lambda epoch: reports.append(epoch.values))
        trained.append(leaves(trainer.params()))
    for got, wanted in zip(*trained, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-13)
    for in_blocks, whole in zip(reports[:3], reports[3:], strict=True):
        assert in_blocks == pytest.approx(whole, rel=1e-13)
