"""Regularization: functions that add a penalty to the loss and its gradient to the gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeAlias

from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.network import Layer, Params

Regularize: TypeAlias = Callable[[Namespace, Params, Array, Params, int], tuple[Array, Params]]


def unregularized(
    xp: Namespace, params: Params, loss: Array, grads: Params, n: int
) -> tuple[Array, Params]:
    """Leave loss and gradient as they are."""
    return loss, grads


@cache
def l2_penalty(l2: float) -> Regularize:
    """``l2 / (2 n) sum ||W||^2`` over the layers, and its gradient ``l2 W / n`` (eq. 17).

    n is the number of rows of the batch, as in scikit-learn; biases are free.
    """

    def regularize(
        xp: Namespace, params: Params, loss: Array, grads: Params, n: int
    ) -> tuple[Array, Params]:
        for layer in params:
            w = xp.reshape(layer.W, (-1,))
            loss = loss + (0.5 * l2 / n) * (w @ w)
        decayed = [
            Layer(W=dW + (l2 / n) * W, b=db) for (W, _), (dW, db) in zip(params, grads, strict=True)
        ]
        return loss, tuple(decayed)

    return regularize
