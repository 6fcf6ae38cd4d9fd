"""What chance decides: weights and orders, the same for every backend."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from problems import ACTIVATION_NAMES, leaves, make_problem

from fastmlp.core import activations
from fastmlp.training import draw_params, epoch_order, one_hot


def test_order_is_a_permutation_and_a_function_of_seed_and_epoch_alone() -> None:
    seen = set()
    for seed, epoch in product(range(12), range(1, 13)):
        order = epoch_order(50, seed, epoch)
        assert order.dtype == np.int32
        np.testing.assert_array_equal(np.sort(order), np.arange(50))
        np.testing.assert_array_equal(epoch_order(50, seed, epoch), order)
        seen.add(order.tobytes())
    assert len(seen) == 12 * 12


def test_orders_are_fair() -> None:
    """Every row is as often in the first batch as any other."""
    first = np.concatenate([epoch_order(20, seed, 1)[:5] for seed in range(400)])
    counts = np.bincount(first, minlength=20)
    chi_square = np.sum((counts - 100) ** 2 / 100)  # 19 degrees of freedom, less for the draw
    assert chi_square < 43.8  # exceeded once in a thousand


def test_weights_orders_and_data_of_a_seed_come_from_different_streams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Data made with default_rng(0) must not hold the same numbers as the weights of seed 0."""
    default_rng, states = np.random.default_rng, list[str]()

    def recorded(*args: Any) -> np.random.Generator:
        generator = default_rng(*args)
        states.append(str(generator.bit_generator.state))
        return generator

    monkeypatch.setattr(np.random, "default_rng", recorded)
    seeds = [*range(8), 5 + 3 * 2**32]
    for seed in seeds:
        np.random.default_rng(seed)
        draw_params((2, 1), seed)
        for epoch in range(1, 9):
            epoch_order(5, seed, epoch)
    assert len(states) == len(seeds) * 10
    assert len(set(states)) == len(states)


def test_same_seed_same_weights_and_another_seed_others() -> None:
    one, same, other = (leaves(draw_params((5, 4, 3), seed)) for seed in (1, 1, 2))
    for a, b, c in zip(one, same, other, strict=True):
        assert a.dtype == np.float64
        np.testing.assert_array_equal(a, b)
        assert (a != c).all()


def test_a_generator_is_drawn_from_as_it_is() -> None:
    generator = np.random.default_rng(4)
    first, second = draw_params((5, 2), generator), draw_params((5, 2), generator)
    bound = math.sqrt(6 / 7)
    W = np.random.default_rng(4).uniform(-bound, bound, (5, 2))
    np.testing.assert_array_equal(first[0].W, W)
    assert (np.asarray(second[0].W) != W).all()


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_weights_fill_the_interval_of_glorot(activation: str) -> None:
    layers = draw_params((300, 200, 100), 0, activation=activation)
    for layer, width in zip(layers, (500, 300), strict=True):
        bound = math.sqrt((2 if activation == "logistic" else 6) / width)
        for array in layer:
            largest = np.abs(np.asarray(array)).max()
            assert 0.95 * bound < largest < bound
        assert abs(np.mean(np.asarray(layer.W))) < 0.02 * bound


@pytest.mark.parametrize("activation", activations.ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(5,), (5, 4)])
def test_random_state_draws_the_weights_of_scikit_learn(
    hidden: tuple[int, ...], activation: str
) -> None:
    neural_network = pytest.importorskip("sklearn.neural_network")
    X, _ = make_problem("squared_error", 12)
    # a rate that is lost in rounding leaves the initial weights as they were drawn
    theirs = neural_network.MLPClassifier(
        hidden_layer_sizes=hidden,
        activation=activation,
        solver="sgd",
        alpha=0.0,
        learning_rate_init=1e-300,
        max_iter=1,
        random_state=7,
        tol=0.0,
    )
    with pytest.warns(match="Maximum iterations"):
        theirs.fit(X, np.arange(12) % 3)
    ours = draw_params((7, *hidden, 3), np.random.RandomState(7), activation=activation)
    for layer, W, b in zip(ours, theirs.coefs_, theirs.intercepts_, strict=True):
        np.testing.assert_array_equal(layer.W, W)
        np.testing.assert_array_equal(layer.b, b)


def test_one_hot_rows() -> None:
    rows = one_hot([2, 0, 1, 2], 4)
    assert rows.dtype == np.uint8
    np.testing.assert_array_equal(rows, np.eye(4)[[2, 0, 1, 2]])
    assert one_hot([], 4).shape == (0, 4)
