"""The programs that a backend runs, compiled once for each (backend, recipe)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from fastmlp import core
from fastmlp.backends.record import Backend
from fastmlp.core.arrays import Array
from fastmlp.core.network import Params
from fastmlp.core.step import Carry, Recipe

Data: TypeAlias = tuple[Array, Array]  # X (n, n_features), y (n, n_outputs), on the device


class Programs(NamedTuple):
    """Three pure functions, jitted where the backend can."""

    epoch: Any  # (carry, data, order) -> carry, (loss, *metrics) of each batch, sum |W|
    predict: Any  # (params, x) -> outputs (n, n_outputs)
    evaluate: Any  # (params, data) -> loss, *metrics


@lru_cache(maxsize=64)
def programs(backend: Backend, recipe: Recipe) -> Programs:
    """Build the programs of a recipe; the recipe is closed over, arrays are arguments.

    ``order`` (n_batches, batch_size) holds row numbers of the data, batch by batch. The sum of
    all absolute weights is there to be looked at once an epoch: it is finite if they all are.

    Examples
    --------
    >>> from fastmlp.backends import get_backend
    >>> from fastmlp.core import LOSSES, Recipe, gradient_descent
    >>> linear = Recipe((), LOSSES["squared_error"], gradient_descent())
    >>> programs(get_backend("numpy"), linear) is programs(get_backend("numpy"), linear)
    True
    """
    xp = backend.xp

    def epoch(carry: Carry, data: Data, order: Array) -> tuple[Carry, tuple[Array, ...], Array]:
        X, y = data

        def one_batch(carry: Carry, rows: Array) -> tuple[Carry, tuple[Array, ...]]:
            x_batch, y_batch = xp.take(X, rows, axis=0), xp.take(y, rows, axis=0)
            return core.step(xp, recipe, carry, x_batch, y_batch)

        carry, values = backend.scan(one_batch, carry, order)
        sizes = [xp.sum(xp.abs(array)) for layer in carry.params for array in layer]
        return carry, values, xp.sum(xp.stack(sizes))

    def predict(params: Params, x: Array) -> Array:
        return core.predict(xp, recipe, params, x)

    def evaluate(params: Params, data: Data) -> tuple[Array, ...]:
        return core.evaluate(xp, recipe, params, *data)

    return Programs(backend.jit(epoch), backend.jit(predict), backend.jit(evaluate))
