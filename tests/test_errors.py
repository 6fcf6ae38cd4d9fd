"""Bad input to the functional interface: one exception that says what was expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from problems import leaves, make_recipe, make_trainer, orders

from fastmlp.backends import Backend
from fastmlp.core import Layer, Params
from fastmlp.training import draw_params, epoch_order, one_hot
from fastmlp.training.checks import check_params

XP: Any = np


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_params((5,), 0), r"layer_sizes=\(5,\) must hold at least the number of"),
        (lambda: draw_params((), 0), r"layer_sizes=\(\) must hold at least"),
        (lambda: draw_params((5, 0, 3), 0), r"layer_sizes=\(5, 0, 3\) must .* each at least 1"),
        (lambda: epoch_order(5, 0, 0), r"epoch=0 must be at least 1: epochs are counted from 1"),
        (lambda: one_hot([0, 3], 3), r"labels run from 0 to 3, expected 0 to 2"),
        (lambda: one_hot([-1, 2], 3), r"labels run from -1 to 2, expected 0 to 2"),
        (lambda: one_hot([np.nan, 1.0], 3), r"labels run from nan to nan, expected 0 to 2"),
        (lambda: make_trainer(make_recipe(), batch_size=0), r"batch_size=0 must be a whole number"),
        (
            lambda: make_trainer(make_recipe(), batch_size=2.5),  # type: ignore[arg-type]
            r"batch_size=2.5 must be a whole",
        ),
        (
            lambda: make_trainer(make_recipe(), dtype="float16"),
            r"dtype='float16' must be 'float32'",
        ),
    ],
)
def test_bad_argument(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def layer(w_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> Layer:
    return Layer(W=XP.zeros(w_shape), b=XP.zeros(b_shape))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            (layer((6, 5), (5,)),),
            r"layer 1: W has shape \(6, 5\), expected \(7, n_out\): n_in must equal the number of "
            r"features of X\.",
        ),
        (
            (layer((7, 5), (5,)), layer((4, 3), (3,))),
            r"layer 2: W has shape \(4, 3\), expected \(5, n_out\): n_in must equal n_out of "
            r"layer 1\.",
        ),
        ((layer((7,), (1,)),), r"layer 1: W has shape \(7,\), expected \(7, n_out\)"),
        (
            (layer((7, 5), (7,)),),
            r"layer 1: b has shape \(7,\), expected \(5,\): one bias per column of W\.",
        ),
        ((layer((7, 5), (1, 5)),), r"layer 1: b has shape \(1, 5\), expected \(5,\)"),
    ],
)
def test_layers_that_do_not_fit(params: Params, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_params(params, 7)
    recipe = make_recipe(hidden=("relu",) * (len(params) - 1))
    trainer = make_trainer(recipe, params=params)
    with pytest.raises(ValueError, match=message):
        trainer.run(np.zeros((4, 7)), np.zeros((4, 3)), orders(4, 1))


def test_layers_that_fit_pass() -> None:
    check_params((layer((7, 5), (5,)), layer((5, 3), (3,))), 7)


def test_number_of_activations_must_fit_the_layers() -> None:
    recipe, params = make_recipe(hidden=("relu", "relu")), draw_params((7, 5, 3), 0)
    with pytest.raises(ValueError, match=r"recipe.hidden has 2 activations, expected 1: one for"):
        make_trainer(recipe, params=params)


@pytest.mark.parametrize(
    ("rows", "y_shape"), [(20, (20, 1)), (20, (10, 3)), (20, (20,)), (20, (20, 4))]
)
def test_targets_that_do_not_fit(backend: Backend, rows: int, y_shape: tuple[int, ...]) -> None:
    trainer = make_trainer(make_recipe("squared_error"), backend=backend)
    X, y = np.ones((rows, 7)), np.ones(y_shape)
    message = rf"y has shape \({y_shape[0]},.*expected \({rows}, 3\)"
    with pytest.raises(ValueError, match=message):
        trainer.run(X, y, [np.arange(rows, dtype=np.int32)])
    with pytest.raises(ValueError, match=message):
        trainer.evaluate(X, y)


@pytest.mark.parametrize("shape", [(0, 7), (7,), (2, 7, 1)])
def test_rows_that_are_none(shape: tuple[int, ...]) -> None:
    trainer = make_trainer(make_recipe("squared_error"))
    for use in (trainer.predict, lambda X: trainer.evaluate(X, np.ones((0, 3)))):
        with pytest.raises(ValueError, match=r"X has shape .* expected \(n, n_features\)"):
            use(np.ones(shape))


def test_features_that_do_not_fit() -> None:
    trainer = make_trainer(make_recipe("squared_error"))
    with pytest.raises(ValueError, match=r"layer 1: W has shape .* expected \(6, n_out\)"):
        trainer.predict(np.ones((2, 6)))


@pytest.mark.parametrize("order", [[0, 20], [-1, 3], []])
def test_order_beyond_the_rows(backend: Backend, order: list[int]) -> None:
    trainer = make_trainer(make_recipe("squared_error"), backend=backend)
    with pytest.raises(ValueError, match=r"must hold row numbers from 0 to 19, one or more"):
        trainer.run(np.ones((20, 7)), np.ones((20, 3)), [np.asarray(order, dtype=np.int32)])


def test_numpy_integer_is_a_seed() -> None:
    ours, theirs = leaves(draw_params((2, 1), np.int64(3))), leaves(draw_params((2, 1), 3))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("order", [[True, False], [0.5, 1.0]])
def test_order_of_no_whole_numbers(order: list[float]) -> None:
    trainer = make_trainer(make_recipe("squared_error"))
    with pytest.raises(ValueError, match=r"an order \((bool|float64), shape \(2,\)\) must hold"):
        trainer.run(np.ones((20, 7)), np.ones((20, 3)), [np.asarray(order)])


def test_rows_that_are_no_numbers() -> None:
    trainer = make_trainer(make_recipe("squared_error"))
    with pytest.raises(ValueError, match="dtype datetime64"):
        trainer.predict(np.zeros((2, 7), dtype="M8[D]"))
