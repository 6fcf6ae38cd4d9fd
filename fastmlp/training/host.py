"""What chance decides, drawn on the host, so that every backend gets the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.core.arrays import Array
from fastmlp.core.network import Layer, Params

VARIANCES = {
    "glorot": lambda n_in, n_out: 2.0 / (n_in + n_out),
    "he": lambda n_in, n_out: 2.0 / n_in,
    "lecun": lambda n_in, n_out: 1.0 / n_in,
}
INITS = tuple(f"{name}_{kind}" for name in VARIANCES for kind in ("uniform", "normal"))


def draw_params(
    layer_sizes: Sequence[int],
    random: int | np.integer[Any] | np.random.Generator | np.random.RandomState,
    *,
    activation: str = "relu",
    init: str = "auto",
) -> Params:
    """Draw initial weights: uniform in +-sqrt(6 / (n_in + n_out)), W then b per layer (eq. 22).

    Parameters
    ----------
    layer_sizes : sequence of int
        n_features, the hidden layers, n_outputs.
    random : int, Generator or RandomState
        A seed, or the generator to draw from.
    activation : str
        "logistic" takes 2 instead of 6, as scikit-learn does.
    init : str
        "auto" for the above, or one of `INITS`, with biases of 0 (eq. 44).

    Returns
    -------
    tuple of Layer
        float64 NumPy arrays: W (n_in, n_out), b (n_out,).

    Examples
    --------
    >>> [layer.W.shape for layer in draw_params((64, 32, 10), 0)]
    [(64, 32), (32, 10)]

    References
    ----------
    Glorot and Bengio (2010), AISTATS 9, 249-256. He et al. (2015), arXiv:1502.01852.
    """
    if len(layer_sizes) < 2 or any(size < 1 for size in layer_sizes):
        raise ValueError(
            f"layer_sizes={tuple(layer_sizes)} must hold at least the number of features and of "
            "outputs, each at least 1."
        )
    if init not in ("auto", *INITS):
        raise ValueError(f"init={init!r} is not known, expected 'auto' or one of {INITS}.")
    rng = _stream(int(random), 0) if isinstance(random, int | np.integer) else random
    layers = []
    for n_in, n_out in pairwise(layer_sizes):
        if init == "auto":
            bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (n_in + n_out))
            W, b = rng.uniform(-bound, bound, (n_in, n_out)), rng.uniform(-bound, bound, n_out)
        else:
            name, kind = init.split("_")
            deviation, b = np.sqrt(VARIANCES[name](n_in, n_out)), np.zeros(n_out)
            bound = np.sqrt(3.0) * deviation
            if kind == "uniform":
                W = rng.uniform(-bound, bound, (n_in, n_out))
            else:
                W = rng.normal(0.0, deviation, (n_in, n_out))
        layers.append(Layer(W=cast(Array, W), b=cast(Array, b)))
    return tuple(layers)


def epoch_order(n_samples: int, seed: int, epoch: int) -> NDArray[np.int32]:
    """Permutation of the samples in an epoch (counted from 1), a function of (seed, epoch) alone.

    Training resumed at any epoch sees the batches that it would have seen.

    Examples
    --------
    >>> sorted(epoch_order(5, seed=0, epoch=1).tolist())
    [0, 1, 2, 3, 4]
    """
    if epoch < 1:
        raise ValueError(f"epoch={epoch} must be at least 1: epochs are counted from 1.")
    return _stream(seed, epoch).permutation(n_samples).astype(np.int32)


def _stream(seed: int, number: int) -> np.random.Generator:
    """Streams of a seed: 0 draws the weights, each epoch has its own, default_rng(seed) none."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))


def one_hot(labels: ArrayLike, n_classes: int) -> NDArray[np.uint8]:
    """Class numbers (n,) as rows with a single 1, (n, n_classes).

    Examples
    --------
    >>> one_hot([2, 0], 3).tolist()
    [[0, 0, 1], [1, 0, 0]]
    """
    labels = np.asarray(labels)
    if labels.size and not (labels.min() >= 0 and labels.max() < n_classes):
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, expected 0 to "
            f"{n_classes - 1}: an index out of range means something else on every device."
        )
    return np.asarray(labels[:, None] == np.arange(n_classes), dtype=np.uint8)
