"""Output layer: a table of (output function, loss with its delta, metrics), one row per loss.

Every loss is a mean over the n rows of the batch, and ``delta = v (p - y)`` in all of them: each
output function is the one that its likelihood asks for (docs/derivation.md). v is what a row
counts in the mean: 1 / n, or an array (n, 1) whose sum is 1 where rows are weighted (eq. 24).
Shapes: logits, y, p and delta are (n, n_outputs); the loss and the metrics are ().
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from fastmlp.core.activations import logistic
from fastmlp.core.arrays import Array, Namespace

Share: TypeAlias = "Array | float"
Values: TypeAlias = tuple[Array, Array]
Metric = Callable[[Namespace, Array, Array, Share], Array]


class Loss(NamedTuple):
    """A row of the table: what the logits become, what is minimised, what is counted."""

    output: Callable[[Namespace, Array], Array]
    loss_and_delta: Callable[[Namespace, Array, Array, Share], Values]
    metrics: tuple[tuple[str, Metric], ...]


def softmax(xp: Namespace, logits: Array) -> Array:
    """Class probabilities; the shift by the row's maximum cancels (eq. 7)."""
    e = xp.exp(logits - xp.max(logits, axis=1, keepdims=True))
    return e / xp.sum(e, axis=1, keepdims=True)


def softmax_cross_entropy(xp: Namespace, logits: Array, y: Array, v: Share) -> Values:
    """Mean of -sum(y log p), and v (p - y) (eq. 8, 9); y holds one 1 per row."""
    surprise, p = log_softmax(xp, logits)
    return xp.sum(v * (y * surprise)), v * (p - y)


def log_softmax(xp: Namespace, logits: Array) -> tuple[Array, Array]:
    """-log p and p of `softmax`, from the same exponentials."""
    shifted = logits - xp.max(logits, axis=1, keepdims=True)
    e = xp.exp(shifted)
    total = xp.sum(e, axis=1, keepdims=True)
    return xp.log(total) - shifted, e / total


def sigmoid(xp: Namespace, logits: Array) -> Array:
    """Probability of 1, in the form that keeps its digits near 0 (eq. 5)."""
    return xp.exp(xp.minimum(logits, 0.0)) / (1.0 + xp.exp(-xp.abs(logits)))


def sigmoid_cross_entropy(xp: Namespace, logits: Array, y: Array, v: Share) -> Values:
    """Mean of -sum(y log p + (1 - y) log(1 - p)), and v (p - y) (eq. 10, 11); y is 0 or 1."""
    return xp.sum(v * sigmoid_surprise(xp, logits, y)), v * (logistic(xp, logits) - y)


def sigmoid_surprise(xp: Namespace, logits: Array, y: Array) -> Array:
    """-(y log p + (1 - y) log(1 - p)) of each output, in the form that cannot overflow."""
    softplus = xp.maximum(logits, 0.0) + xp.log1p(xp.exp(-xp.abs(logits)))
    return softplus - y * logits


def squared_error(xp: Namespace, logits: Array, y: Array, v: Share) -> Values:
    """Mean of half the squared distance, and v (output - y) (eq. 12, 13)."""
    error = logits - y
    return 0.5 * xp.sum(v * (error * error)), v * error


def accuracy(xp: Namespace, logits: Array, y: Array, v: Share) -> Array:
    """Share of rows whose largest logit is the right class (eq. 23)."""
    found, right = (xp.argmax(a, axis=1, keepdims=True) for a in (logits, y))
    return xp.sum(v * xp.astype(xp.equal(found, right), logits.dtype))


def subset_accuracy(xp: Namespace, logits: Array, y: Array, v: Share) -> Array:
    """Share of rows with every output on the right side of p = 1/2 (eq. 23)."""
    hits = xp.all(xp.equal(logits > 0.0, y > 0.5), axis=1, keepdims=True)
    return xp.sum(v * xp.astype(hits, logits.dtype))


LOSSES: dict[str, Loss] = {
    "softmax_cross_entropy": Loss(softmax, softmax_cross_entropy, (("accuracy", accuracy),)),
    "sigmoid_cross_entropy": Loss(sigmoid, sigmoid_cross_entropy, (("accuracy", subset_accuracy),)),
    "squared_error": Loss(lambda xp, logits: logits, squared_error, ()),
}
