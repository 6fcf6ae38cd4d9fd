"""What JAX's record makes of the formulas, and of a small network, changes no number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import Backend, get_backend
from fastmlp.core import ACTIVATIONS, LOSSES, Optimizer, gradient_descent, momentum, tree_map
from fastmlp.training import Epoch, draw_params, trainer

pytest.importorskip("jax")

from fastmlp.backends import jax as jax_backend
from fastmlp.backends import jax_forms


@pytest.fixture
def fresh() -> Backend:
    """A record that has compiled nothing yet."""
    return jax_backend.create("cpu")


def test_hits_are_those_of_argmax_ties_included(fresh: Backend) -> None:
    ((_, argmax),) = LOSSES["softmax_cross_entropy"].metrics
    form: Any = jax_forms.tuned(make_recipe("softmax_cross_entropy")).loss.metrics[0][1]
    assert form is not argmax
    rng = np.random.default_rng(0)
    place = fresh.to_device
    for n_classes in (2, 3, 10):
        logits = rng.integers(-1, 2, size=(200, n_classes)).astype("float32")  # many ties
        y = np.eye(n_classes)[rng.integers(n_classes, size=200)]
        y[100:] = 0.8 * y[100:] + 0.2 / n_classes  # smoothed labels
        arrays = place(logits, "float32"), place(y, "float32")
        hits: Any = argmax(fresh.xp, *arrays, 1 / 200)
        assert float(form(fresh.xp, *arrays, 1 / 200)) == float(hits)
        wanted = np.mean(logits.argmax(axis=1) == y.argmax(axis=1))
        assert float(form(fresh.xp, *arrays, 1 / 200)) == pytest.approx(wanted)


def test_metrics_of_others_are_kept() -> None:
    recipe = make_recipe("sigmoid_cross_entropy")
    assert jax_forms.tuned(recipe).loss == recipe.loss


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_see_plain_arrays(name: str) -> None:
    form: Any = jax_forms.tuned(make_recipe(hidden=(name,))).hidden[0]
    row: Any = ACTIVATIONS[name]
    xp, z = get_backend("numpy").xp, np.asarray([[0.5, -1.0], [2.0, 0.25]])
    a = form.h(xp, z)
    assert isinstance(a, jax_forms.Inputs)
    np.testing.assert_array_equal(form.h_prime(xp, z, a), row.h_prime(xp, z, a.array))
    delta = np.asarray([[1.0], [2.0]])
    np.testing.assert_array_equal(a.T @ delta, a.array.T @ delta)


def test_small_matrices_are_carried_turned_and_large_ones_as_they_lie(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted, _ = trained(get_backend("numpy"))
    for limit in (0, 20, 10**6):  # matrices have 35, 20 and 12 weights
        monkeypatch.setattr(jax_forms, "TURNED", limit)
        arrays = [np.zeros(shape) for shape in ((7, 5), (5,), (5, 4), (4,), (4, 3), (3,))]
        for array, other in zip(arrays, jax_forms.turn(tuple(arrays)), strict=True):
            is_turned = array.ndim == 2 and array.size <= limit
            assert other.shape == (array.T.shape if is_turned else array.shape)
        got, _ = trained(jax_backend.create("cpu"))
        for new, old in zip(got, wanted, strict=True):
            np.testing.assert_allclose(new, old, rtol=1e-12, atol=1e-14)


def trained(backend: Backend) -> tuple[list[Any], list[dict[str, float]]]:
    X, y = make_problem("softmax_cross_entropy", 70)
    trainer = make_trainer(
        make_recipe("softmax_cross_entropy", ("tanh", "relu"), momentum()),
        backend=backend,
        params=draw_params((7, 5, 4, 3), 0),
    )
    seen: list[dict[str, float]] = []

    def see(epoch: Epoch) -> None:
        seen.append(epoch.values)

    trainer.run(X, y, orders(70, 3), see)
    return leaves(trainer.params()), seen


def test_a_small_network_that_has_run_long_gets_a_program_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import jax

    programs: list[Any] = []
    jit = jax.jit

    def spy(f: Any, **options: Any) -> Any:
        program = jit(f, **options)

        def call(*args: Any) -> Any:
            programs.append(options.get("compiler_options"))
            return program(*args)

        return call

    monkeypatch.setattr(jax, "jit", spy)
    trained(jax_backend.create("cpu"))
    assert jax_backend.SMALL_OPTIONS not in programs
    monkeypatch.setattr(trainer, "HOT_STEPS", 10)  # two epochs
    programs.clear()
    small, _ = trained(jax_backend.create("cpu"))
    assert programs.count(jax_backend.SMALL_OPTIONS) == 1, "in the third epoch"
    programs.clear()
    monkeypatch.setattr(jax_backend, "SMALL", 0)
    large, _ = trained(jax_backend.create("cpu"))
    assert programs
    assert jax_backend.SMALL_OPTIONS not in programs
    for got, wanted in zip(small, large, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("overlap", [False, True])
def test_the_same_training_changes_its_program_after_the_same_epoch(
    fresh: Backend, overlap: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot: list[int] = []
    epochs = 0

    def counted(f: Any) -> Any:
        def call(carry: Any, *args: Any) -> Any:
            hot.append(round(float(carry.t)))
            return program(carry, *args)

        program = fresh.jit(f)
        return call

    backend = replace(fresh, jit_hot=counted)
    monkeypatch.setattr(trainer, "HOT_STEPS", 10)
    X, y = make_problem("softmax_cross_entropy", 70)
    for parts in ((4,), (4,), (1, 3), (2, 2), (3, 1)):
        mine = make_trainer(make_recipe("softmax_cross_entropy"), backend=backend)
        mine.overlap, epochs = overlap, 0
        for part in parts:
            mine.run(X, y, orders(70, epochs + part)[epochs:], lambda epoch: False)
            epochs += part
        assert hot == [10, 15], "steps before the third epoch, and the fourth"
        hot.clear()


def test_an_xla_without_the_options_trains_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, wanted_values = trained(jax_backend.create("cpu"))
    monkeypatch.setattr(trainer, "HOT_STEPS", 0)
    monkeypatch.setattr(jax_backend, "SMALL_OPTIONS", {"xla_cpu_of_another_year": True})
    got, values = trained(jax_backend.create("cpu"))
    for new, old in zip(got, wanted, strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-12, atol=1e-14)
    assert values[-1] == pytest.approx(wanted_values[-1])


def test_an_optimizer_that_looks_at_whole_matrices_sees_them_as_they_are(fresh: Backend) -> None:
    def update(xp: Any, params: Any, grads: Any, state: Any, rate: Any, t: Any) -> Any:
        def normalized(w: Any, g: Any) -> Any:
            return w - rate * g / (1e-3 + xp.sqrt(xp.sum(g * g, axis=0, keepdims=True)))

        return tree_map(normalized, params, grads), state

    mine = Optimizer(gradient_descent().init, update, "mine")
    X, y = make_problem("softmax_cross_entropy", 70)
    weights = []
    for backend in (fresh, get_backend("numpy")):
        trainer = make_trainer(make_recipe(hidden=("tanh",), optimizer=mine), backend=backend)
        trainer.run(X, y, orders(70, 3))
        weights.append(leaves(trainer.params()))
    for got, wanted in zip(*weights, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-11)
