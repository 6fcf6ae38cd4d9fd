"""What the core costs on top of NumPy's own expressions, for one row at a time.

Both stop at the logits and take the scale of the inputs from the first W. Turns are interleaved in
one process; the median of their ratios counts.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from bench.peers.configs import CONFIGS, make_problem
from bench.peers.prediction import folded_weights
from bench.peers.verify import layers, mlp_recipe
from fastmlp import core
from fastmlp.backends import get_backend

TURNS, LIMIT = 40, 1.4


def test_one_row_costs_little_more_than_the_expressions() -> None:
    problem = make_problem(CONFIGS["predict-1"], None, threads=1)
    (W1, b1), (W2, b2) = folded_weights(problem)
    xp: Any = get_backend("numpy").xp
    recipe, params = mlp_recipe(problem)._replace(scale=1.0), layers(folded_weights(problem))

    def expressions(x: Any) -> Any:
        return np.maximum(x.astype(np.float32) @ W1 + b1, 0) @ W2 + b2

    def through_core(x: Any) -> Any:
        return core.logits(xp, recipe, params, x)

    rows = [problem.X[i : i + 1] for i in range(500)]
    for x in rows:
        np.testing.assert_allclose(expressions(x), through_core(x), rtol=1e-5, atol=1e-6)
    ratios = []
    for _ in range(TURNS):
        times = []
        for predict in (expressions, through_core):
            started = time.perf_counter()
            for x in rows:
                predict(x)
            times.append(time.perf_counter() - started)
        ratios.append(times[1] / times[0])
    ratio = statistics.median(ratios)
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"one row through the core / expressions: {ratio:.2f} ({spread})")
    assert ratio <= LIMIT
