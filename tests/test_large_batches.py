"""Batches whose activations would not fit are learnt from in blocks, to the same numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import Backend
from fastmlp.core import nesterov


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


@pytest.mark.parametrize("batch_size", [70, 32])
def test_rows_of_large_batches_may_have_weights(backend: Backend, batch_size: int) -> None:
    recipe = make_recipe("softmax_cross_entropy", ("tanh",), nesterov(), l2=0.1)
    X, y = make_problem("softmax_cross_entropy", 70)
    repeats = np.arange(70) % 3  # rows that count 0, 1 and 2 times
    repeated = np.repeat(np.arange(70), repeats)
    trained: list[list[Any]] = []
    for block_rows in (16, 1000):
        own = replace(backend, block_rows=block_rows)
        trainer = make_trainer(recipe, backend=own, batch_size=batch_size)
        trainer.run(X, y, orders(70, 3), weights=repeats.astype(np.float64))
        trained.append(leaves(trainer.params()))
    if batch_size == 70:  # a batch of all rows may as well hold them so often
        trainer = make_trainer(recipe, backend=backend, batch_size=repeated.size)
        trainer.run(X[repeated], y[repeated], [np.arange(repeated.size, dtype=np.int32)] * 3)
        trained.append(leaves(trainer.params()))
    for others in trained[1:]:
        for got, wanted in zip(others, trained[0], strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-13)
