"""Regularization: penalties on the loss, and their gradients."""

from __future__ import annotations

from typing import TypeAlias

from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.network import Layer, Params

Weight: TypeAlias = "Array | int"


def l2_penalty(
    xp: Namespace, params: Params, loss: Array, grads: Params, l2: float, n: Weight
) -> tuple[Array, Params]:
    """Add ``l2 / (2 n) sum ||W||^2`` to the loss and ``l2 W / n`` to the gradient (eq. 17).

    n is the number of rows of the batch, as in scikit-learn, or the sum of their weights; biases
    are free.
    """
    if l2 == 0.0:
        return loss, grads
    for layer in params:
        w = xp.reshape(layer.W, (-1,))
        loss = loss + (0.5 * l2 / n) * (w @ w)
    pairs = zip(params, grads, strict=True)
    return loss, tuple(Layer(W=dW + (l2 / n) * W, b=db) for (W, _), (dW, db) in pairs)


def l1_penalty(
    xp: Namespace, params: Params, loss: Array, grads: Params, l1: float, n: Weight
) -> tuple[Array, Params]:
    """Add ``l1 / n sum |W|`` to the loss and ``l1 sign(W) / n`` to the gradient (eq. 36)."""
    if l1 == 0.0:
        return loss, grads
    for layer in params:
        loss = loss + (l1 / n) * xp.sum(xp.abs(layer.W))

    def sign(W: Array) -> Array:  # 0 at 0
        return xp.astype(W > 0.0, W.dtype) - xp.astype(-W > 0.0, W.dtype)

    pairs = zip(params, grads, strict=True)
    return loss, tuple(Layer(W=dW + (l1 / n) * sign(W), b=db) for (W, _), (dW, db) in pairs)
