"""The programs that a backend runs, compiled once for each (backend, recipe)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, cast

from fastmlp import core
from fastmlp.backends.record import Backend
from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.network import Params
from fastmlp.core.step import Carry, Recipe
from fastmlp.core.tree import tree_map
from fastmlp.training import columns

Data: TypeAlias = tuple[Array, Array]  # X (n, n_features), y (n, n_outputs), on the device
Step: TypeAlias = Callable[[Carry, Array, Data], tuple[Carry, tuple[Array, ...]]]


class Programs(NamedTuple):
    """Pure functions, jitted where the backend can."""

    epoch: Any  # (carry, data, batches, rest) -> carry, report
    hot_epoch: Any  # the same, after HOT_STEPS steps
    logits: Any  # (params, x) -> logits (n, n_outputs); the scale of x is in W, here and below
    predict: Any  # (params, x) -> outputs (n, n_outputs)
    evaluate: Any  # (params, data) -> loss, *metrics
    narrow: Any  # (carry, kept) -> carry of an X of these columns
    widen: Any  # (carry, before, back) -> carry of all columns


@lru_cache(maxsize=64)
def programs(backend: Backend, recipe: Recipe) -> Programs:
    """Build the programs of a recipe; the recipe is closed over, arrays are arguments.

    ``batches`` (n_batches, batch_size) holds row numbers of the data, batch by batch, and
    ``rest`` (n_rest,) those of a last, smaller batch; either may be empty. The ``report`` of an
    epoch holds the means over its samples of loss and metrics, then the sum of all absolute
    weights, which is finite if they all are.

    Examples
    --------
    >>> from fastmlp.backends import get_backend
    >>> from fastmlp.core import LOSSES, Recipe, gradient_descent
    >>> linear = Recipe((), LOSSES["squared_error"], gradient_descent())
    >>> programs(get_backend("numpy"), linear) is programs(get_backend("numpy"), linear)
    True
    """
    xp, recipe = backend.xp, backend.tune(recipe)
    large_batch = _large_batch(backend, recipe)

    def one_batch(carry: Carry, rows: Array, data: Data) -> tuple[Carry, tuple[Array, ...]]:
        if rows.shape[0] > backend.block_rows:
            return large_batch(carry, rows, data)
        return core.step(xp, recipe, carry, *_take(xp, data, rows))

    def epoch(carry: Carry, data: Data, batches: Array, rest: Array) -> tuple[Carry, Array]:
        (n_batches, batch_size), n_rest = batches.shape, rest.shape[0]
        n = n_batches * batch_size + n_rest
        means: list[list[Array]] = []
        for rows in (batches, xp.reshape(rest, (1, n_rest))):
            if rows.shape[0] and rows.shape[1]:
                carry, values = backend.scan(one_batch, carry, rows, data)
                means.append([xp.sum(value) * (rows.shape[1] / n) for value in values])
        report = [sum(parts[1:], parts[0]) for parts in zip(*means, strict=True)]
        sizes = [xp.sum(xp.abs(array)) for layer in carry.params for array in layer]
        return carry, xp.stack([*report, xp.sum(xp.stack(sizes))])

    unscaled = recipe._replace(scale=1.0)

    def logits(params: Params, x: Array) -> Array:
        return core.logits(xp, unscaled, params, x)

    def predict(params: Params, x: Array) -> Array:
        return core.predict(xp, unscaled, params, x)

    def evaluate(params: Params, data: Data) -> tuple[Array, ...]:
        return core.evaluate(xp, unscaled, params, *data)

    def narrow(carry: Carry, kept: Array) -> Carry:
        return cast(Carry, columns.narrow(xp, carry, kept))

    def widen(carry: Carry, before: Carry, back: Array) -> Carry:
        return cast(Carry, columns.widen(xp, carry, before, back))

    first = backend.jit(epoch)
    hot = backend.jit_hot(epoch) if backend.jit_hot else first
    others = (backend.jit(f) for f in (logits, predict, evaluate, narrow, widen))
    return Programs(first, hot, *others)


def _take(xp: Namespace, data: Data, rows: Array) -> Data:
    X, y = data
    return xp.take(X, rows, axis=0), xp.take(y, rows, axis=0)


def _large_batch(backend: Backend, recipe: Recipe) -> Step:
    """Return a step for batches whose activations would not fit: mean of its blocks' gradients."""
    xp, size = backend.xp, backend.block_rows

    def add_block(total: Any, rows: Array, shared: tuple[Params, Data]) -> tuple[Any, tuple[()]]:
        params, data = shared
        block = core.gradient(xp, recipe, params, *_take(xp, data, rows))
        return tree_map(lambda a, b: a + b, total, block), ()

    def large_batch(carry: Carry, rows: Array, data: Data) -> tuple[Carry, tuple[Array, ...]]:
        n, shared = rows.shape[0], (carry.params, data)
        n_full = n - n % size
        zero = xp.zeros_like(carry.t)
        zeros = tree_map(xp.zeros_like, carry.params), (zero, *(zero for _ in recipe.loss.metrics))
        blocks = xp.reshape(rows[:n_full], (n_full // size, size))
        total, _ = backend.scan(add_block, zeros, blocks, shared)
        total = tree_map(lambda a: (size / n) * a, total)
        if n_full < n:
            rest, _ = add_block(zeros, rows[n_full:], shared)
            total = tree_map(lambda a, b: a + ((n - n_full) / n) * b, total, rest)
        grads, values = total
        return core.update(xp, recipe, carry, grads, values, n)

    return large_batch
