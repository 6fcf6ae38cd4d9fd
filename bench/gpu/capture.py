"""Part "capture": each rung of the ladder by itself, against the formulas operation by operation.

The captured step and the one launched call by call are the same kernels: their weights must be the
same to the last bit. Against the lowest rung float64 must stay within 1e-12, float32 within 1e-5.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.gpu.agree import LAYER_SIZES, LIMITS, error, trained
from bench.gpu.rungs import RUNGS, on_rung, rung_of
from bench.gpu.settings import Row, Settings, open_backend, where
from fastmlp.backends import BackendUnavailableError
from fastmlp.backends.ladder import PLAIN
from fastmlp.core import ACTIVATIONS, LOSSES, Recipe, adam, gradient_descent
from fastmlp.core.tree import tree_leaves

OPTIMIZERS = ((gradient_descent(), 0.02), (adam(), 0.001))


def run(settings: Settings) -> Iterator[Row]:
    """One row per optimizer, dtype and rung."""
    backend = open_backend(settings)
    if backend.device == "cpu":
        raise BackendUnavailableError(backend.name, "nothing is captured on a CPU", "")
    hidden = (ACTIVATIONS["tanh"],) * (len(LAYER_SIZES) - 2)
    for optimizer, learning_rate in OPTIMIZERS[:1] if settings.quick else OPTIMIZERS:
        recipe = Recipe(hidden, LOSSES["softmax_cross_entropy"], optimizer, l2=0.1, scale=1 / 255)
        for dtype, limit in LIMITS.items():
            wanted = trained(on_rung(backend, PLAIN), dtype, recipe, learning_rate)
            above: Any = None
            for rung in RUNGS[backend.name][:-1]:
                standing = on_rung(backend, rung)
                started = time.perf_counter()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)  # the row says it
                    got = trained(standing, dtype, recipe, learning_rate)
                seconds = time.perf_counter() - started
                found = error(got, wanted)
                same = None if above is None else _same(got, above)
                above = got
                yield {
                    **where(backend),
                    "optimizer": optimizer.name,
                    "dtype": dtype,
                    "asked": rung,
                    **rung_of(standing),
                    "error": found if math.isfinite(found) else None,
                    "limit": limit,
                    "same_as_rung_above": same,
                    "first_training_s": seconds,
                    "ok": found <= limit and same is not False and standing.rung().name == rung,
                }


def _same(one: Any, other: Any) -> bool:
    pairs = zip(tree_leaves(one), tree_leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
