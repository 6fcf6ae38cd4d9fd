"""A look into a network on its own backend: how units, gradients and outputs are on some rows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.backends import Backend
from fastmlp.callbacks.view import EpochView
from fastmlp.core import Array, Params, Recipe, forward, gradient, prepare


class Examination(NamedTuple):
    """What was seen; layers from the first."""

    largest: list[NDArray[Any]]  # output (n_units,) of each hidden unit on any row
    gradient_norms: list[float]  # ||dW|| of the loss without penalty
    weight_norms: list[float]  # ||W||
    loss: float  # of these rows, without penalty, and without dropout: it has no noise
    logits: NDArray[Any]  # (n, n_outputs)
    X: NDArray[Any]
    y: NDArray[Any]


def examine(view: EpochView, n_rows: int) -> Examination:
    """Look at the network of an epoch on n_rows of its rows."""
    X, y = view.rows(n_rows)
    backend, dtype = view.backend, view.dtype
    placed = backend.to_device(X, "uint8" if X.dtype == np.uint8 else dtype)
    targets = backend.to_device(y, dtype)
    params = view.params()
    found = _program(backend, view.recipe)(backend.place(params, dtype), placed, targets)
    largest, gradients, loss, logits = backend.fetch(found)
    return Examination(
        list(largest),
        [float(np.linalg.norm(dW)) for dW in gradients],
        [float(np.linalg.norm(np.asarray(layer.W))) for layer in params],
        float(loss),
        logits,
        X,
        y,
    )


@lru_cache(maxsize=16)
def _program(backend: Backend, recipe: Recipe) -> Any:
    xp = backend.xp

    def look(params: Params, x: Array, y: Array) -> Any:
        trace = forward(xp, params, prepare(xp, recipe, params, x), recipe.hidden)
        grads, (loss, *_) = gradient(xp, recipe, params, x, y, 1.0 / x.shape[0])
        largest = tuple(xp.max(a, axis=0) for a in trace.inputs[1:])
        return largest, tuple(layer.W for layer in grads), loss, trace.logits

    return backend.jit(look)
