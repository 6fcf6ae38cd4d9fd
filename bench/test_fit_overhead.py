"""What the estimator costs on top of the core: ``fit`` against a bare loop over `core.step`.

Both train the same 784-128-10 network for the same epochs, in interleaved rounds within one
process, with one BLAS thread (a second one waits in a loop, and other work on the machine then
shows as noise); the median of the rounds' ratios is what counts.
"""

from __future__ import annotations

import statistics
import time
import warnings
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fastmlp import MLPClassifier, core
from fastmlp.training import draw_params, epoch_order, one_hot

N, EPOCHS, BATCH_SIZE, ROUNDS, LIMIT = 20_000, 3, 128, 15, 1.05


def problem() -> tuple[Any, Any]:
    """Bytes of MNIST's shape; what they show does not matter for the time."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (N, 784), dtype=np.uint8), rng.integers(0, 10, N)


def bare_loop(X: Any, y: Any) -> None:
    """Train with nothing but the core and NumPy."""
    xp: Any = np
    recipe = core.Recipe(
        hidden=(core.ACTIVATIONS["relu"],),
        loss=core.LOSSES["softmax_cross_entropy"],
        optimizer=core.gradient_descent(),
    )
    drawn = draw_params((784, 128, 10), 0)
    params = core.tree_map(lambda array: xp.asarray(array, dtype="float32"), drawn)
    carry = core.Carry(params, (), xp.float32(1e-6), xp.float32(0.0))
    targets = one_hot(y, 10).astype(np.float32)
    for epoch in range(1, EPOCHS + 1):
        order = epoch_order(N, 0, epoch)
        for start in range(0, N, BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            x_batch, y_batch = xp.take(X, rows, axis=0), xp.take(targets, rows, axis=0)
            carry, _ = core.step(xp, recipe, carry, x_batch, y_batch)


def fit(X: Any, y: Any) -> None:
    """Train as a user does; a learning rate that leaves all weights finite, no early end."""
    model = MLPClassifier(
        (128,),
        solver="sgd",
        momentum=0.0,
        alpha=0.0,
        batch_size=BATCH_SIZE,
        learning_rate_init=1e-6,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        backend="numpy",
        dtype="float32",
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not converge, and need not
        model.fit(X, y)
    assert model.n_iter_ == EPOCHS


def test_fit_costs_little_more_than_the_bare_loop() -> None:
    X, y = problem()
    times: dict[Any, list[float]] = {bare_loop: [], fit: []}
    for contender in times:
        contender(X, y)  # warm up
    with threadpool_limits(1):
        for _ in range(ROUNDS):
            for contender, seconds in times.items():
                started = time.perf_counter()
                contender(X, y)
                seconds.append(time.perf_counter() - started)
    ratios = [a / b for a, b in zip(times[fit], times[bare_loop], strict=True)]
    ratio = statistics.median(ratios)
    print(
        f"fit / bare loop: median {ratio:.3f} of {ROUNDS} rounds "
        f"({min(ratios):.3f} to {max(ratios):.3f})"
    )
    assert ratio <= LIMIT
