"""Dropout: masks that are the same everywhere and good enough for chance, and what is learnt."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from problems import ACTIVATION_NAMES, leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp import core
from fastmlp.backends import Backend, get_backend
from fastmlp.core import Chance, Recipe, adam, chance, dropout
from fastmlp.core.tree import tree_map
from fastmlp.training import Trainer, draw_params

XP: Any = np
N, SIZES = 70, (7, 5, 6, 3)
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}  # of the norm of each array, as without dropout


def scattered(v: int) -> int:
    """Equation (35) with Python's whole numbers."""
    v = ((v ^ (v >> 16)) * 2146121005) % 2**32
    v = ((v ^ (v >> 15)) * 2221713035) % 2**32
    return v ^ (v >> 16)


def left_out(seed: int, t: int, layer: int, row: int, unit: int, rate: float) -> bool:
    """Equation (34) with Python's whole numbers."""
    key = scattered((scattered((scattered(seed) + t) % 2**32) + layer) % 2**32)
    u = scattered((scattered((key + row) % 2**32) + 2654435769 * unit) % 2**32)
    return (u - 2**32 if u >= 2**31 else u) < rate * 2**32 - 2**31


def masks(backend: Backend, seed: int, t: int, rates: tuple[float, ...], rows: Any) -> list[Any]:
    """What is multiplied with the input and the hidden layers of SIZES, on the host."""
    recipe = make_recipe(hidden=("identity", "identity"))._replace(dropout=rates)
    place = backend.to_device
    params = backend.place(draw_params(SIZES, 0), "float64")
    words = np.asarray([seed], dtype=np.uint32).view(np.int32)
    chance = Chance(place(words, "int32"), place(np.arange(7), "int32"))
    ones = [place(np.ones((len(rows), size)), "float64") for size in SIZES]
    count = place(np.asarray(float(t)), "float64")

    def thinned() -> Any:
        given = params, count, ones[0], place(rows, "int32"), chance
        recipe_of_step, x = core.thin(backend.xp, recipe, *given)
        pairs = zip(recipe_of_step.hidden, ones[1:], strict=False)
        return (x, *(activation.h(backend.xp, one) for activation, one in pairs))

    return [backend.to_host(mask) for mask in backend.jit(thinned)()]


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
def test_masks_are_those_of_the_equations(backend: Backend, seed: int) -> None:
    rates, rows = (0.25, 0.5, 0.9), np.asarray([0, 3, 69, 2**31 - 1])
    for t in (0, 12345):
        found = masks(backend, seed, t, rates, rows)
        for layer, (mask, rate) in enumerate(zip(found, rates, strict=True)):
            expected = [
                [
                    0.0 if left_out(seed, t, layer, row, unit, rate) else 1 / (1 - rate)
                    for unit in range(SIZES[layer])
                ]
                for row in rows.tolist()
            ]
            np.testing.assert_array_equal(mask, np.asarray(expected))


def words(seed: int, t: int, layer: int, rows: int, units: int) -> NDArray[np.int32]:
    """Words of a mask, on NumPy."""
    key = chance.mix(chance.mix(chance.mix(XP.asarray([seed], dtype=np.int32)) + t) + layer)
    numbers = [XP.arange(n, dtype=np.int32) for n in (rows, units)]
    return np.asarray(chance.words(XP, key, *numbers))


def test_words_are_alike_and_independent() -> None:
    """Counts of bits, and agreements between what should have nothing to do with each other."""
    rows, units = 256, 512
    drawn = [
        words(seed, t, layer, rows, units) for seed in (0, 1) for t in (0, 1, 2) for layer in (0, 1)
    ]
    n = rows * units
    for word in drawn:
        counts = np.bincount((word.ravel() >> 24) & 255, minlength=256)
        chi_square = ((counts - n / 256) ** 2).sum() / (n / 256)
        assert abs(chi_square - 255) < 5 * np.sqrt(2 * 255)
        assert len(np.unique(word[0])) == units
        for bit in range(32):
            assert abs(((word >> bit) & 1).mean() - 0.5) < 5 * 0.5 / np.sqrt(n)
        signs = np.sign(word + 0.5)
        for shift in (1, 2, 8, 64):
            for a, b in ((signs[:, shift:], signs[:, :-shift]), (signs[shift:], signs[:-shift])):
                assert abs((a * b).mean()) < 5 / np.sqrt(a.size)
        # of four words at the corners of a rectangle each tells nothing of the others
        corners = signs[:-1, :-1] * signs[1:, :-1] * signs[:-1, 1:] * signs[1:, 1:]
        assert abs(corners.mean()) < 5 / np.sqrt(corners.size)
    for a, b in combinations(drawn, 2):
        assert abs((np.sign(a + 0.5) * np.sign(b + 0.5)).mean()) < 5 / np.sqrt(n)


def test_share_of_units_left_out_is_the_rate() -> None:
    for rate in (0.1, 0.2, 0.5, 0.8):
        drawn = XP.asarray(words(7, 3, 1, 1000, 1000))
        mask = np.asarray(dropout.kept(XP, drawn, rate, np.float64))
        assert abs((mask == 0).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / 1e6)
        assert mask.mean() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_gradient_through_masks_equals_central_differences(name: str) -> None:
    recipe = make_recipe("softmax_cross_entropy", (name, name))._replace(dropout=(0.3, 0.5, 0.2))
    params = draw_params(SIZES, 4)
    X, y = (
        XP.asarray(array, dtype=np.float64) for array in make_problem("softmax_cross_entropy", 9)
    )
    rows = XP.arange(9, dtype=np.int32)
    chance = Chance(XP.asarray([5], dtype=np.int32), XP.arange(7, dtype=np.int32))

    def loss_and_gradient(params: Any) -> tuple[float, Any]:
        batch, x = core.thin(XP, recipe, params, XP.asarray(3.0), X, rows, chance)
        grads, (loss, _) = core.gradient(XP, batch, params, x, y, 1 / 9)
        return float(np.asarray(loss)), grads

    def loss_at(direction: Any, h: float) -> float:
        return loss_and_gradient(tree_map(lambda w, d: w + h * d, params, direction))[0]

    _, grads = loss_and_gradient(params)
    rng, h = np.random.default_rng(0), 1e-5
    for _ in range(4):
        direction: Any = tree_map(lambda w: rng.normal(size=w.shape), params)
        near = loss_at(direction, h) - loss_at(direction, -h)
        far = loss_at(direction, 2 * h) - loss_at(direction, -2 * h)
        pairs = zip(leaves(grads), leaves(direction), strict=True)
        slope = (8 * near - far) / (12 * h)
        assert sum(np.sum(g * d) for g, d in pairs) == pytest.approx(slope, rel=1e-7, abs=1e-9)


RECIPE = make_recipe("softmax_cross_entropy", ("tanh", "relu"), adam(), l2=0.1)._replace(
    dropout=(0.2, 0.5, 0.5)
)


def trained(backend: Backend, dtype: str, recipe: Recipe = RECIPE, batch_size: int = 16) -> Trainer:
    trainer = Trainer(
        backend,
        recipe,
        draw_params(SIZES, 1),
        learning_rate=0.01,
        batch_size=batch_size,
        dtype=dtype,
        seed=2**40 + 9,
    )
    trainer.run(*make_problem("softmax_cross_entropy", N), orders(N, 40))
    return trainer


@cache
def expected() -> Any:
    """Weights after the same 200 steps in a plain loop, with masks from Python's whole numbers."""
    X, y = make_problem("softmax_cross_entropy", N)
    params: Any = draw_params(SIZES, 1)
    state, t = RECIPE.optimizer.init(XP, params), 0
    for order in orders(N, 40):
        for first in range(0, N, 16):
            rows = order[first : first + 16].tolist()
            a, n, zs, inputs = X[rows], len(rows), [], []
            drawn = [
                np.asarray([[left_out(9, t, L, r, j, q) for j in range(size)] for r in rows])
                for L, (size, q) in enumerate(zip(SIZES, RECIPE.dropout, strict=False))
            ]
            m = [(~out) / (1 - q) for out, q in zip(drawn, RECIPE.dropout, strict=True)]
            a = a * m[0]
            for L, (W, b) in enumerate(params):
                inputs.append(a)
                zs.append(a @ W + b)
                if L < 2:
                    a = (np.tanh, lambda z: np.maximum(z, 0))[L](zs[-1]) * m[L + 1]
            e = np.exp(zs[-1] - zs[-1].max(axis=1, keepdims=True))
            delta = (e / e.sum(axis=1, keepdims=True) - y[rows]) / n
            grads: Any = []
            for L in (2, 1, 0):
                W = params[L].W
                grads.insert(0, core.Layer(inputs[L].T @ delta + 0.1 / n * W, delta.sum(axis=0)))
                if L:
                    slope = (1 - np.tanh(zs[0]) ** 2, zs[1] > 0)[L - 1] * m[L]
                    delta = delta @ W.T * slope
            t += 1
            rate, count = XP.asarray(0.01), XP.asarray(float(t))
            update = RECIPE.optimizer.update
            params, state = update(XP, params, tuple(grads), state, rate, count)
    return params


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weights_after_200_steps(backend: Backend, dtype: str) -> None:
    for found, wanted in zip(
        leaves(trained(backend, dtype).params()), leaves(expected()), strict=True
    ):
        assert found.dtype == dtype
        assert np.linalg.norm(found - wanted) <= TOLERANCE[dtype] * np.linalg.norm(wanted)


def test_blocks_of_a_large_batch_are_thinned_as_the_batch() -> None:
    backend = get_backend("numpy")
    small = Backend(**{**vars(backend), "block_rows": 9})
    for a, b in zip(
        leaves(trained(backend, "float64", batch_size=50).params()),
        leaves(trained(small, "float64", batch_size=50).params()),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_nothing_is_left_out_of_evaluation_and_prediction() -> None:
    trainer = trained(get_backend("numpy"), "float64")
    whole = make_trainer(RECIPE._replace(dropout=()), params=trainer.params())
    X, y = make_problem("softmax_cross_entropy", N)
    np.testing.assert_array_equal(trainer.predict(X), whole.predict(X))
    assert trainer.evaluate(X, y) == whole.evaluate(X, y)


def test_training_goes_on_with_the_masks_that_it_would_have_had() -> None:
    X, y = make_problem("softmax_cross_entropy", N)
    trainer = make_trainer(RECIPE, params=draw_params(SIZES, 1), learning_rate=0.01)
    for order in orders(N, 4):
        trainer.run(X, y, [order])
    at_once = make_trainer(RECIPE, params=draw_params(SIZES, 1), learning_rate=0.01)
    at_once.run(X, y, orders(N, 4))
    for a, b in zip(leaves(trainer.params()), leaves(at_once.params()), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rates", [(0.5,), (0.0, 0.0, 1.0), (-0.1, 0.0, 0.0), (float("nan"),) * 3])
def test_rates_that_are_none_are_refused(rates: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"recipe\.dropout=.* must be \(\), or hold 3 rates"):
        make_trainer(RECIPE._replace(dropout=rates), params=draw_params(SIZES, 1))
