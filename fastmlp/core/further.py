"""The tables in full: the lecture's rows, and more of the same kind."""

from __future__ import annotations

import math

from fastmlp.core import activations, losses
from fastmlp.core.activations import Activation, logistic
from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.losses import Loss, Share, Values

SLOPE = 0.01  # of leaky_relu below 0
C, D = math.sqrt(2.0 / math.pi), 0.044715


def _gelu_tanh(xp: Namespace, z: Array) -> Array:
    z = _near(xp, z)
    return xp.tanh(C * z * (1.0 + D * (z * z)))


def _near(xp: Namespace, z: Array) -> Array:
    """Cut z to where tanh is +-1 to the last digit of float64 by then, so that z^2 stays finite."""
    return xp.minimum(xp.maximum(z, -10.0), 10.0)


def _gelu_prime(xp: Namespace, z: Array, a: Array) -> Array:
    z = _near(xp, z)
    t = _gelu_tanh(xp, z)
    return 0.5 * (1.0 + t) + 0.5 * C * z * (1.0 - t * t) * (1.0 + 3.0 * D * (z * z))


def _silu_prime(xp: Namespace, z: Array, a: Array) -> Array:
    s = logistic(xp, z)
    return s + a * (1.0 - s)


ACTIVATIONS: dict[str, Activation] = {
    **activations.ACTIVATIONS,
    "leaky_relu": Activation(  # eq. 27
        lambda xp, z: xp.maximum(z, 0.0) - SLOPE * xp.maximum(-z, 0.0),
        lambda xp, z, a: SLOPE + (1.0 - SLOPE) * xp.astype(a > 0.0, a.dtype),
    ),
    "elu": Activation(  # eq. 28
        lambda xp, z: xp.maximum(z, 0.0) + xp.expm1(xp.minimum(z, 0.0)),
        lambda xp, z, a: 1.0 + xp.minimum(a, 0.0),
    ),
    "gelu": Activation(lambda xp, z: 0.5 * z * (1.0 + _gelu_tanh(xp, z)), _gelu_prime),  # eq. 29
    "silu": Activation(lambda xp, z: z * logistic(xp, z), _silu_prime),  # eq. 30
    "softplus": Activation(  # eq. 31
        lambda xp, z: xp.maximum(z, 0.0) + xp.log1p(xp.exp(-xp.abs(z))),
        lambda xp, z, a: logistic(xp, z),
    ),
}


def poisson(xp: Namespace, logits: Array, y: Array, v: Share) -> Values:
    """Mean of half the Poisson deviance, and v (p - y) (eq. 25, 26); y is not negative."""
    p = xp.exp(logits)
    y_log_y = y * xp.log(xp.maximum(y, 1e-37))  # 0 where y is
    return xp.sum(v * (y_log_y - y * logits - y + p)), v * (p - y)


LOSSES: dict[str, Loss] = {
    **losses.LOSSES,
    "poisson": Loss(lambda xp, logits: xp.exp(logits), poisson, ()),
}


def smooth_labels(y: Array, label_smoothing: float, n_classes: int) -> Array:
    """``(1 - s) y + s / k`` of targets (n, n_outputs) for k classes (eq. 32)."""
    return (1.0 - label_smoothing) * y + label_smoothing / n_classes
