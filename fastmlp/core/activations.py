"""Activations of the hidden layers: a table of (h, h'), one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastmlp.core.arrays import Array, Namespace


class Activation(NamedTuple):
    """An activation ``a = h(z)`` and its derivative, elementwise (eq. 2).

    ``h_prime(xp, z, a)`` is given both z and a = h(z) and uses whichever is cheaper.
    """

    h: Callable[[Namespace, Array], Array]
    h_prime: Callable[[Namespace, Array, Array], Array]


def logistic(xp: Namespace, z: Array) -> Array:
    """1 / (1 + exp(-z)), in the form that cannot overflow (eq. 5)."""
    return 0.5 * (1.0 + xp.tanh(0.5 * z))


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(  # eq. 3; a > 0 where z is
        lambda xp, z: xp.maximum(z, 0.0), lambda xp, z, a: xp.astype(a > 0.0, a.dtype)
    ),
    "tanh": Activation(lambda xp, z: xp.tanh(z), lambda xp, z, a: 1.0 - a * a),  # eq. 4
    "logistic": Activation(logistic, lambda xp, z, a: a * (1.0 - a)),  # eq. 5
    "identity": Activation(lambda xp, z: z, lambda xp, z, a: xp.ones_like(z)),  # eq. 6
}
