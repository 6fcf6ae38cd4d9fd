"""Losses as scikit-learn reports them; the gradients are the core's.

In the loss, a probability below eps counts as eps, so that a sample costs -log(eps) at most; the
squared error is a mean over the outputs, too.
"""

from __future__ import annotations

import math

from fastmlp.core import LOSSES, Array, Namespace
from fastmlp.core.activations import logistic
from fastmlp.core.losses import (
    Share,
    log_softmax,
    sigmoid_surprise,
    squared_error,
)


def _most(xp: Namespace, logits: Array) -> float:
    return -math.log(float(xp.finfo(logits.dtype).eps))


def _capped_softmax(xp: Namespace, logits: Array, y: Array, v: Share) -> tuple[Array, Array]:
    surprise, p = log_softmax(xp, logits)
    return xp.sum(v * (y * xp.minimum(surprise, _most(xp, logits)))), v * (p - y)


def _capped_sigmoid(xp: Namespace, logits: Array, y: Array, v: Share) -> tuple[Array, Array]:
    surprise = sigmoid_surprise(xp, logits, y)
    delta = v * (logistic(xp, logits) - y)
    return xp.sum(v * xp.minimum(surprise, _most(xp, logits))), delta


def _mean_squared(xp: Namespace, logits: Array, y: Array, v: Share) -> tuple[Array, Array]:
    loss, delta = squared_error(xp, logits, y, v)
    return loss / logits.shape[1], delta


REPORTED = {
    **LOSSES,
    **{
        name: LOSSES[name]._replace(loss_and_delta=form)
        for name, form in (
            ("softmax_cross_entropy", _capped_softmax),
            ("sigmoid_cross_entropy", _capped_sigmoid),
            ("squared_error", _mean_squared),
        )
    },
}
