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

Nothing: TypeAlias = tuple[()]
Summed: TypeAlias = Callable[
    [Params, Array | Nothing, Array, "Data"], tuple[Params, tuple[Array, ...]]
]


class Data(NamedTuple):
    """What is learnt from, on the device; () for what there is not."""

    X: Array  # (n, n_features)
    y: Array  # (n, n_outputs)
    weights: Array | Nothing = ()  # (n, 1)
    chance: core.Chance | Nothing = ()  # of dropout
    grid: core.Grid | Nothing = ()  # of augmentation
    places: Array | Nothing = ()  # (n,) rows of X and y that are learnt from, if not all are


class Programs(NamedTuple):
    """Pure functions, jitted where the backend can."""

    epoch: Any  # (carry, data, batches, rest) -> carry, report
    hot_epoch: Any  # the same, after HOT_STEPS steps
    logits: Any  # (params, x) -> logits (n, n_outputs); the scale of x is in W, here and below
    predict: Any  # (params, x) -> outputs (n, n_outputs)
    evaluate: Any  # (params, data) -> loss, *metrics
    objective: Any  # (params, data, rows) -> loss, gradient: W of all layers, then b, end to end
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
    xp, epoch, in_blocks = backend.xp, epoch_of(backend, recipe), _in_blocks(backend, recipe)
    unscaled = backend.tune(recipe._replace(scale=1.0))

    def logits(params: Params, x: Array) -> Array:
        return core.logits(xp, unscaled, params, x)

    def predict(params: Params, x: Array) -> Array:
        return core.predict(xp, unscaled, params, x)

    def evaluate(params: Params, data: Data) -> tuple[Array, ...]:
        return core.evaluate(xp, unscaled, params, data.X, data.y)

    def objective(params: Params, data: Data, rows: Array) -> tuple[Array, Array]:
        grads, (loss, *_) = in_blocks(params, (), rows, data)
        n = _weight(xp, data, rows)
        loss, grads = core.l2_penalty(xp, params, loss, grads, recipe.l2, n)
        loss, grads = core.l1_penalty(xp, params, loss, grads, recipe.l1, n)
        leaves = [*(layer.W for layer in grads), *(layer.b for layer in grads)]
        return loss, xp.concat([xp.reshape(leaf, (-1,)) for leaf in leaves], axis=0)

    def narrow(carry: Carry, kept: Array) -> Carry:
        return cast(Carry, columns.narrow(xp, carry, kept))

    def widen(carry: Carry, before: Carry, back: Array) -> Carry:
        return cast(Carry, columns.widen(xp, carry, before, back))

    first = backend.jit(epoch)
    hot = backend.jit_hot(epoch) if backend.jit_hot else first
    others = (backend.jit(f) for f in (logits, predict, evaluate, objective, narrow, widen))
    return Programs(first, hot, *others)


def epoch_of(backend: Backend, recipe: Recipe) -> Any:
    """Return the function of an epoch, before it is compiled: see `programs`."""
    xp, tuned = backend.xp, backend.tune(recipe)
    in_blocks = _in_blocks(backend, recipe)

    def one_batch(carry: Carry, rows: Array, data: Data) -> tuple[Carry, tuple[Array, ...]]:
        if rows.shape[0] > backend.block_rows:
            grads, values = in_blocks(carry.params, carry.t, rows, data)
            return core.update(xp, tuned, carry, grads, values, _weight(xp, data, rows))
        batch, x, y, weights = _taken(backend, recipe, carry.params, carry.t, rows, data)
        if weights is None:
            return core.step(xp, batch, carry, x, y)
        n = xp.sum(weights)
        grads, values = core.gradient(xp, batch, carry.params, x, y, weights / n)
        return core.update(xp, batch, carry, grads, values, n)

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

    return epoch


def _taken(
    backend: Backend, recipe: Recipe, params: Params, t: Any, rows: Array, data: Data
) -> tuple[Recipe, Array, Array, Array | None]:
    """Return rows of the data as a step sees them: images moved, some units left out."""
    xp = backend.xp
    places = rows if isinstance(data.places, tuple) else xp.take(data.places, rows, axis=0)
    x, y = (xp.take(array, places, axis=0) for array in (data.X, data.y))
    weights = None if isinstance(data.weights, tuple) else xp.take(data.weights, rows, axis=0)
    if recipe.augmentation and data.grid:
        x = core.augment(xp, recipe.augmentation, x, rows, t, data.grid)
    if data.chance:
        recipe, x = core.thin(xp, recipe, params, t, x, rows, data.chance)
    return backend.tune(recipe), x, y, weights


def _weight(xp: Namespace, data: Data, rows: Array) -> Array | int:
    """Return what rows weigh together: their number, if all are alike."""
    if isinstance(data.weights, tuple):
        return rows.shape[0]
    return xp.sum(xp.take(data.weights, rows, axis=0))


def _in_blocks(backend: Backend, recipe: Recipe) -> Summed:
    """Return the gradient of more rows than have room for their activations at a time."""
    xp, size = backend.xp, backend.block_rows

    def add_block(total: Any, rows: Array, shared: tuple[Params, Any, Data]) -> tuple[Any, Nothing]:
        params, t, data = shared
        batch, x, y, weights = _taken(backend, recipe, params, t, rows, data)
        block = core.gradient(xp, batch, params, x, y, 1.0 if weights is None else weights)
        return tree_map(lambda a, b: a + b, total, block), ()

    def in_blocks(
        params: Params, t: Array | Nothing, rows: Array, data: Data
    ) -> tuple[Params, tuple[Array, ...]]:
        shared = params, t, data
        n_full = rows.shape[0] - rows.shape[0] % size
        zero = xp.zeros_like(xp.sum(params[-1].b))
        total: Any = tree_map(xp.zeros_like, params), (zero, *(zero for _ in recipe.loss.metrics))
        if n_full:
            blocks = xp.reshape(rows[:n_full], (n_full // size, size))
            total, _ = backend.scan(add_block, total, blocks, shared)
        if n_full < rows.shape[0]:
            total, _ = add_block(total, rows[n_full:], shared)
        n = _weight(xp, data, rows)
        grads, values = tree_map(lambda a: a / n, total)
        return grads, values

    return in_blocks
