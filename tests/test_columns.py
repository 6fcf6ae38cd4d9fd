"""Columns of zeros are left out of a training whose weights come out the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import Backend, get_backend
from fastmlp.core import (
    Optimizer,
    adam,
    adamw,
    gradient_descent,
    max_norm,
    momentum,
    nesterov,
    rmsprop,
    scheduled,
)
from fastmlp.training import Epoch, Trainer, draw_params
from fastmlp.training.columns import live_columns

OPTIMIZERS = (
    gradient_descent(),
    momentum(),
    nesterov(),
    adam(),
    rmsprop(),
    scheduled(momentum(), "cosine", 30),
)
DEAD = [0, 3, 4]


def data(dead: list[int]) -> Any:
    X, y = make_problem("softmax_cross_entropy", 70)
    X[:, dead] = 0.0
    return X, y


def trainer_of(backend: Backend, optimizer: Optimizer, block: int, l2: float = 0.0) -> Trainer:
    """Hidden layers as wide as X, so that shapes tell no layer from another."""
    return Trainer(
        replace(backend, column_block=block),
        make_recipe("softmax_cross_entropy", ("tanh", "tanh"), optimizer, l2),
        draw_params((7, 7, 7, 3), 0),
        learning_rate=0.1,
        batch_size=16,
        dtype="float64",
    )


def assert_close(got: Any, wanted: Any) -> None:
    for new, old in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.name)
def test_weights_and_state_come_out_the_same(backend: Backend, optimizer: Optimizer) -> None:
    X, y = data(DEAD)
    narrow, full = (trainer_of(backend, optimizer, block) for block in (1, 0))
    assert narrow.place(X, y).arrays[0].shape == (70, 4)
    assert full.place(X, y).arrays[0].shape == (70, 7)
    before = narrow.params()[0].W[DEAD]
    for trainer in (narrow, full):
        trainer.run(X, y, orders(70, 3))
    assert_close(backend.fetch(narrow.carry), backend.fetch(full.carry))
    np.testing.assert_array_equal(narrow.params()[0].W[DEAD], before)


def test_all_weights_are_there_after_each_epoch(backend: Backend) -> None:
    X, y = data(DEAD)
    all_inputs, _ = data([])
    seen: list[list[Any]] = []
    for block in (1, 0):
        trainer = trainer_of(backend, adam(), block)
        found: list[Any] = []

        def see(_: Epoch, trainer: Trainer = trainer, found: list[Any] = found) -> None:
            found.append((trainer.predict(all_inputs), trainer.params()))

        trainer.run(X, y, orders(70, 3), see)
        seen.append(found)
    assert len(seen[0]) == 3
    assert_close(tuple(seen[0]), tuple(seen[1]))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.name)
def test_momentum_from_other_data_still_moves_weights(
    backend: Backend, optimizer: Optimizer
) -> None:
    narrow, full = (trainer_of(backend, optimizer, block) for block in (1, 0))
    for trainer in (narrow, full):
        for seed, dead in enumerate(([1], DEAD)):
            X, y = data(dead)
            trainer.run(X, y, orders(70, 2, seed))
    assert_close(backend.fetch(narrow.carry), backend.fetch(full.carry))


def test_state_from_elsewhere_and_data_from_before_are_looked_at(backend: Backend) -> None:
    X, y = data(DEAD)
    dense, _ = data([])
    resumed = trainer_of(backend, momentum(), 1)
    early = resumed.place(X, y)
    assert early.columns is not None
    resumed.run(dense, y, orders(70, 1))
    with pytest.raises(ValueError, match="place them again"):
        resumed.train(early, orders(70, 1))
    other = trainer_of(backend, momentum(), 1)
    other.carry = resumed.carry
    assert other.place(X, y).columns is None


def test_other_optimizers_get_all_columns(backend: Backend) -> None:
    decays = gradient_descent()._replace(name="mine", elementwise=False)
    assert trainer_of(backend, decays, 1).place(*data(DEAD)).columns is None


@pytest.mark.parametrize(
    "changed",
    [
        {"optimizer": adamw(weight_decay=0.5)},
        {"optimizer": max_norm(gradient_descent(), 0.3)},
        {"l1": 0.1},
        {"dropout": (0.5, 0.0, 0.0)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_needs_all_columns_gets_them(changed: dict[str, Any]) -> None:
    X, y = data(DEAD)
    trainers = []
    for block in (1, 0):
        trainer = trainer_of(get_backend("numpy"), gradient_descent(), block)
        recipe = trainer.recipe._replace(**changed)
        trainers.append(make_trainer(recipe, backend=trainer.backend, params=trainer.params()))
        trainers[-1].run(X, y, orders(70, 2))
    assert_close(trainers[0].params(), trainers[1].params())


def test_a_penalty_reaches_all_weights(backend: Backend) -> None:
    X, y = data(DEAD)
    trainer = trainer_of(backend, gradient_descent(), 1, l2=0.1)
    assert trainer.place(X, y).columns is None
    before: Any = trainer.params()[0].W[DEAD]
    trainer.run(X, y, orders(70, 1))
    after: Any = trainer.params()[0].W[DEAD]
    assert (np.abs(after) < np.abs(before)).all()


def test_divergence_keeps_the_weights_of_all_columns(backend: Backend) -> None:
    X, y = data(DEAD)
    trainer = trainer_of(backend, gradient_descent(), 1)
    with pytest.raises(FloatingPointError, match="epoch 1"):
        trainer.run(1e200 * X, y * 1e200, orders(70, 2))
    assert trainer.epoch == 0
    assert_close(trainer.params(), draw_params((7, 7, 7, 3), 0))


@pytest.mark.parametrize(
    ("dead", "block", "kept"),
    [
        (DEAD, 1, [1, 2, 5, 6]),
        (DEAD, 3, [0, 1, 2, 3, 5, 6]),  # filled up with the first dead ones
        (DEAD, 4, [1, 2, 5, 6]),
        (DEAD, 5, [0, 1, 2, 5, 6]),
        (DEAD, 7, None),
        ([], 1, None),
        ([0], 4, None),
        (range(7), 1, [0]),
    ],
)
def test_columns_are_filled_up_to_whole_blocks(
    dead: list[int], block: int, kept: list[int] | None
) -> None:
    X, _ = data(list(dead))
    found = live_columns(X, block)
    if kept is None:
        assert found is None
        return
    assert found is not None
    assert found.kept.tolist() == kept
    both = [*kept, *range(7)]
    assert [both[place] for place in found.back] == list(range(7))
    assert all((place < len(kept)) == (column in kept) for column, place in enumerate(found.back))


def test_a_column_of_nan_is_no_column_of_zeros() -> None:
    X, _ = data(DEAD)
    X[5, 3] = np.nan
    found = live_columns(X, 1)
    assert found is not None
    assert 3 in found.kept
