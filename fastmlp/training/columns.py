"""Inputs that are always zero: left out while training, their weights put back after it.

Where a column of X is zero in every row, so is its row of dW = X^T delta (eq. 14): without a
penalty those weights stay as they were drawn, and the products can do without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.network import Layer
from fastmlp.core.step import Recipe


class Columns(NamedTuple):
    """Which columns of X are trained on, and where each column's weights are found again."""

    kept: NDArray[np.int32]
    back: NDArray[np.int32]  # places in: weights of the kept columns, then those of all columns


def live_columns(X: NDArray[Any], block: int) -> Columns | None:
    """Columns of X that hold more than zeros, filled up to a multiple of block; None for all.

    Examples
    --------
    >>> live_columns(np.asarray([[0, 1, 0, 2], [0, 3, 0, 0]]), block=1)
    Columns(kept=array([1, 3], dtype=int32), back=array([2, 0, 4, 1], dtype=int32))
    """
    n_columns = X.shape[1]
    live = X.any(axis=0)
    n_kept = -(-int(np.count_nonzero(live)) // block) * block
    if n_kept >= n_columns:
        return None
    order = np.argsort(~live, kind="stable")  # the live ones first
    kept = np.sort(order[: max(n_kept, 1)]).astype(np.int32)
    back = kept.size + np.arange(n_columns, dtype=np.int32)
    back[kept] = np.arange(kept.size)
    return Columns(kept, back)


def narrow(xp: Namespace, tree: Any, kept: Array) -> Any:
    """Take the first layer's weights of the kept columns, wherever the tree has parameters."""
    return _first_weights(lambda W: xp.take(W, kept, axis=0), tree)


def widen(xp: Namespace, tree: Any, before: Any, back: Array) -> Any:
    """Put trained weights of the kept columns back in between those of before."""

    def put_back(W: Array, W_before: Array) -> Array:
        return xp.take(xp.concat([W, W_before], axis=0), back, axis=0)

    return _first_weights(put_back, tree, before)


def _first_weights(f: Callable[..., Any], *trees: Any) -> Any:
    """Apply f to W of the first layer in every tuple of layers; keep all else of the first tree."""
    first = trees[0]
    if not isinstance(first, tuple) or not first:
        return first
    if isinstance(first[0], Layer):
        return (first[0]._replace(W=f(*(tree[0].W for tree in trees))), *first[1:])
    branches = [_first_weights(f, *branch) for branch in zip(*trees, strict=True)]
    return type(first)(*branches) if hasattr(first, "_fields") else tuple(branches)


def keeps_unused(recipe: Recipe) -> bool:
    """Tell whether weights of columns without values stay, and columns need no names."""
    penalized = recipe.l2 != 0.0 or recipe.l1 != 0.0
    # an input is left out by its number, a pixel moves to another place
    by_name = any(recipe.dropout[:1]) or recipe.augmentation is not None
    return recipe.optimizer.elementwise and recipe.optimizer.rests and not (penalized or by_name)


def moves_others(columns: Columns, state: Any) -> bool:
    """Tell whether an optimizer's state, on the host, still moves weights of the other columns."""
    others = columns.back[columns.back >= columns.kept.size] - columns.kept.size
    moving: list[bool] = []

    def look(W: NDArray[Any]) -> NDArray[Any]:
        moving.append(bool(np.any(W[others])))
        return W

    _first_weights(look, (state,))
    return any(moving)
