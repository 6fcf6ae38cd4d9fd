"""Checks of what is handed to a trainer, made once, at its edge."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.core.augmentation import Augmentation
from fastmlp.core.network import Params
from fastmlp.core.step import Recipe
from fastmlp.training.placed import dtype_name

DIGITS = "0123456789"
NUMBERS = ("bool", "int", "uint", "float", "bfloat")  # dtypes without their bits


def check_settings(recipe: Recipe, params: Params, batch_size: int, dtype: str) -> None:
    """Raise ValueError unless recipe and params fit, and batch_size and dtype are possible."""
    if len(recipe.hidden) != len(params) - 1:
        raise ValueError(
            f"recipe.hidden has {len(recipe.hidden)} activations, expected {len(params) - 1}: one "
            f"for each but the last of the {len(params)} layers in params."
        )
    if recipe.dropout and not (
        len(recipe.dropout) == len(params) and all(0.0 <= rate < 1.0 for rate in recipe.dropout)
    ):
        raise ValueError(
            f"recipe.dropout={recipe.dropout} must be (), or hold {len(params)} rates of at least "
            "0 and below 1: one for the input and one for each hidden layer."
        )
    if recipe.augmentation is not None:
        check_augmentation(recipe.augmentation, params[0].W.shape[0])
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ValueError(f"batch_size={batch_size!r} must be a whole number of at least 1.")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype={dtype!r} must be 'float32' or 'float64'.")


def check_augmentation(augmentation: Augmentation, n_features: int) -> None:
    """Raise ValueError unless images of the shape have n_features pixels, and the sizes can be."""
    shape, *sizes, n_points = augmentation
    is_shape = np.shape(shape) == (2,) and all(_is_whole(side, 2) for side in shape)
    if not is_shape or shape[0] * shape[1] != n_features:
        raise ValueError(
            f"augmentation.shape={shape!r} must be height and width of the images in X, whole "
            f"numbers of at least 2, height times width being its {n_features} features."
        )
    are_sizes = all(isinstance(size, Real) and 0.0 <= size < np.inf for size in sizes)
    if not are_sizes or augmentation.scale >= 1.0 or not _is_whole(n_points, 1):
        raise ValueError(
            f"{augmentation} must have sizes of at least 0, a scale below 1, and a whole number of "
            "at least 1 for elastic_points; a size of 0 leaves images as they are."
        )


def plain_augmentation(augmentation: Augmentation | None) -> Augmentation | None:
    """Return it in Python's own numbers: NumPy's would make float64 of float32."""
    if augmentation is None:
        return None
    (height, width), shift_px, rotation_deg, scale, elastic_px, n_points = augmentation
    return Augmentation(
        (int(height), int(width)),
        float(shift_px),
        float(rotation_deg),
        float(scale),
        float(elastic_px),
        int(n_points),
    )


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= least)


def check_params(params: Params, n_features: int) -> None:
    """Raise ValueError unless the layers fit each other and n_features inputs."""
    n_in, giver = n_features, "the number of features of X"
    for number, layer in enumerate(params, start=1):
        if len(layer.W.shape) != 2 or layer.W.shape[0] != n_in:
            raise ValueError(
                f"layer {number}: W has shape {tuple(layer.W.shape)}, expected ({n_in}, n_out): "
                f"n_in must equal {giver}."
            )
        n_out = layer.W.shape[1]
        if tuple(layer.b.shape) != (n_out,):
            raise ValueError(
                f"layer {number}: b has shape {tuple(layer.b.shape)}, expected ({n_out},): "
                "one bias per column of W."
            )
        n_in, giver = n_out, f"n_out of layer {number}"


def check_rows(params: Params, X: Any) -> None:
    """Raise ValueError unless X (n, n_features) has a row, and a column per input of params."""
    if len(X.shape) != 2 or X.shape[0] == 0 or dtype_name(X).rstrip(DIGITS) not in NUMBERS:
        raise ValueError(
            f"X has shape {tuple(X.shape)} and dtype {X.dtype}, expected (n, n_features) numbers "
            "with n at least 1."
        )
    check_params(params, X.shape[1])


def check_targets(params: Params, X: Any, y: NDArray[Any]) -> None:
    """Raise ValueError unless y has a row per row of X and a column per output of params."""
    check_rows(params, X)
    expected = X.shape[0], params[-1].W.shape[1]
    if y.shape != expected:
        raise ValueError(
            f"y has shape {y.shape}, expected {expected}: one row per row of X, one column per "
            "output of the network."
        )


def check_weights(weights: NDArray[Any] | None, n: int, dtype: str) -> None:
    """Raise ValueError unless there is a finite weight for each of n rows, or none at all."""
    if weights is None:
        return
    if weights.shape != (n,) or not np.isfinite(weights).all():
        raise ValueError(
            f"weights have shape {weights.shape}, expected ({n},) finite numbers: one for each row."
        )
    total, limits = float(np.abs(weights.astype(np.float64)).sum()), np.finfo(dtype)
    if total != 0.0 and not float(limits.tiny) <= total <= float(limits.max):
        raise ValueError(
            f"weights sum to {total:g}, which {dtype} cannot hold: multiply them by a number that "
            "brings them to the order of 1."
        )


def check_batches(weights: NDArray[Any] | None, order: NDArray[np.int32], batch_size: int) -> None:
    """Raise ValueError if the rows of a batch weigh nothing together: they have no mean."""
    if weights is None:
        return
    sums = np.add.reduceat(weights[order], np.arange(0, order.size, batch_size))
    if not sums.all():
        raise ValueError(
            f"the weights of the {batch_size} rows of batch {int(np.argmin(sums != 0)) + 1} sum to "
            "zero, so that it has no mean: leave rows of weight zero out, or take larger batches."
        )


def check_order(order: NDArray[np.int32], n: int) -> None:
    """Raise ValueError unless order holds row numbers below n: others differ by device."""
    whole = order.ndim == 1 and order.size > 0 and order.dtype.kind in "iu"
    if not whole or order.min() < 0 or order.max() >= n:
        raise ValueError(
            f"an order ({order.dtype}, shape {order.shape}) must hold row numbers from 0 to "
            f"{n - 1}, one or more."
        )
