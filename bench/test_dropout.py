"""What dropout costs: an epoch with masks on the input and both hidden layers, beside one without.

Turns are interleaved in one process; the median of their ratios counts.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest

from fastmlp.backends import get_backend
from fastmlp.core import ACTIVATIONS, LOSSES, Recipe, momentum
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

TURNS = 9
SIZES = (784, 800, 800, 10)
N, BATCH_SIZE = 2048, 128


@pytest.mark.parametrize(("name", "limit"), [("jax", 1.5), ("numpy", 1.5), ("torch", 1.5)])
def test_masks_are_a_small_part_of_a_step(name: str, limit: float) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.random((N, SIZES[0]), dtype=np.float32), one_hot(rng.integers(10, size=N), 10)
    plain = Recipe((ACTIVATIONS["relu"],) * 2, LOSSES["softmax_cross_entropy"], momentum())
    runs = []
    for recipe in (plain, plain._replace(dropout=(0.2, 0.5, 0.5))):
        trainer = Trainer(
            get_backend(name),
            recipe,
            draw_params(SIZES, 0),
            learning_rate=0.01,
            batch_size=BATCH_SIZE,
            dtype="float32",
        )
        runs.append((trainer, trainer.place(X, y)))
    order = [epoch_order(N, 0, 1)]
    ratios = []
    for turn in range(TURNS + 2):  # two to warm up and compile
        times = []
        for trainer, data in runs:
            started = time.perf_counter()
            trainer.train(data, order)
            trainer.backend.sync(trainer.carry)
            times.append(time.perf_counter() - started)
        if turn > 1:
            ratios.append(times[1] / times[0])
    ratio = statistics.median(ratios)
    print(f"{name}: with dropout / without: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    assert ratio <= limit
