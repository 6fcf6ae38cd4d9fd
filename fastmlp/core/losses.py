"""Output layer: a table of (output function, loss with its delta, metrics), one row per loss.

Every loss is a mean over the n rows of the batch, and ``delta = (p - y) / n`` in all of them:
each output function is the one that its likelihood asks for (docs/derivation.md).
Shapes: logits, y, p and delta are (n, n_outputs); the loss and the metrics are ().
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastmlp.core.activations import logistic
from fastmlp.core.arrays import Array, Namespace

Metric = Callable[[Namespace, Array, Array], Array]


class Loss(NamedTuple):
    """A row of the table: what the logits become, what is minimised, what is counted."""

    output: Callable[[Namespace, Array], Array]
    loss_and_delta: Callable[[Namespace, Array, Array], tuple[Array, Array]]
    metrics: tuple[tuple[str, Metric], ...]


def softmax(xp: Namespace, logits: Array) -> Array:
    """Class probabilities; the shift by the row's maximum cancels (eq. 7)."""
    e = xp.exp(logits - xp.max(logits, axis=1, keepdims=True))
    return e / xp.sum(e, axis=1, keepdims=True)


def softmax_cross_entropy(xp: Namespace, logits: Array, y: Array) -> tuple[Array, Array]:
    """Mean of -sum(y log p), and (p - y) / n (eq. 8, 9); y holds one 1 per row."""
    n = logits.shape[0]
    shifted = logits - xp.max(logits, axis=1, keepdims=True)
    e = xp.exp(shifted)
    total = xp.sum(e, axis=1, keepdims=True)
    loss = xp.sum(y * (xp.log(total) - shifted)) / n
    return loss, (e / total - y) / n


def sigmoid_cross_entropy(xp: Namespace, logits: Array, y: Array) -> tuple[Array, Array]:
    """Mean of -sum(y log p + (1 - y) log(1 - p)), and (p - y) / n (eq. 10, 11); y is 0 or 1."""
    n = logits.shape[0]
    softplus = xp.maximum(logits, 0.0) + xp.log1p(xp.exp(-xp.abs(logits)))
    return xp.sum(softplus - y * logits) / n, (logistic(xp, logits) - y) / n


def squared_error(xp: Namespace, logits: Array, y: Array) -> tuple[Array, Array]:
    """Mean of half the squared distance, and (output - y) / n (eq. 12, 13)."""
    n = logits.shape[0]
    error = logits - y
    return 0.5 * xp.sum(error * error) / n, error / n


def accuracy(xp: Namespace, logits: Array, y: Array) -> Array:
    """Share of rows whose largest logit is the right class (eq. 23)."""
    hits = xp.equal(xp.argmax(logits, axis=1), xp.argmax(y, axis=1))
    return xp.sum(xp.astype(hits, logits.dtype)) / logits.shape[0]


def subset_accuracy(xp: Namespace, logits: Array, y: Array) -> Array:
    """Share of rows with every output on the right side of p = 1/2 (eq. 23)."""
    hits = xp.all(xp.equal(logits > 0.0, y > 0.5), axis=1)
    return xp.sum(xp.astype(hits, logits.dtype)) / logits.shape[0]


LOSSES: dict[str, Loss] = {
    "softmax_cross_entropy": Loss(softmax, softmax_cross_entropy, (("accuracy", accuracy),)),
    "sigmoid_cross_entropy": Loss(
        logistic, sigmoid_cross_entropy, (("accuracy", subset_accuracy),)
    ),
    "squared_error": Loss(lambda xp, logits: logits, squared_error, ()),
}
