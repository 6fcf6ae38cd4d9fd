"""Optimizers: pairs of pure functions, ``init(xp, params)`` and ``update(...)``.

The learning rate and the step count t are arrays, so that a compiled step stays right when
they change. Each factory returns the same object for the same arguments, so that programs
compiled with it are found again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, wraps
from inspect import signature
from typing import Any, NamedTuple

from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.network import Params
from fastmlp.core.tree import tree_map


class Optimizer(NamedTuple):
    """``state = init(xp, params)``; ``params, state = update(xp, params, grads, state, lr, t)``.

    name and settings say which factory made it of what, for those who build it elsewhere.
    elementwise promises that each weight is updated from its own gradient and state alone: then a
    backend may arrange weights as it likes. rests promises that it stays where it is when both are
    zero.
    """

    init: Callable[[Namespace, Params], Any]
    update: Callable[[Namespace, Params, Params, Any, Array, Array], tuple[Params, Any]]
    name: str
    settings: tuple[Any, ...] = ()
    elementwise: bool = False
    rests: bool = False
    inner: Optimizer | None = None  # what this one is put around


def remembered(factory: Callable[..., Optimizer]) -> Callable[..., Optimizer]:
    """Return the same optimizer for the same settings, whether given by name, place or default."""
    make = cache(factory)
    accepted = signature(factory)

    @wraps(factory)
    def remember(*args: Any, **kwargs: Any) -> Optimizer:
        given = accepted.bind(*args, **kwargs)
        given.apply_defaults()
        return make(*given.args)

    return remember


@remembered
def gradient_descent() -> Optimizer:
    """``W <- W - learning_rate dW`` (eq. 18)."""

    def init(xp: Namespace, params: Params) -> tuple[()]:
        return ()

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        return tree_map(lambda w, g: w - learning_rate * g, params, grads), state

    return Optimizer(init, update, "gradient_descent", elementwise=True, rests=True)


def _velocity(velocity: Any, grads: Params, momentum: float, learning_rate: Array) -> Any:
    """``v <- momentum v - learning_rate dW`` (eq. 19): the learning rate is inside."""
    return tree_map(lambda v, g: momentum * v - learning_rate * g, velocity, grads)


def _zeros(xp: Namespace, params: Params) -> Any:
    return tree_map(xp.zeros_like, params)


@remembered
def momentum(momentum: float = 0.9) -> Optimizer:
    """``v <- momentum v - learning_rate dW``, ``W <- W + v`` (eq. 19)."""

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        velocity = _velocity(state, grads, momentum, learning_rate)
        return tree_map(lambda w, v: w + v, params, velocity), velocity

    return Optimizer(_zeros, update, "momentum", (momentum,), elementwise=True, rests=True)


@remembered
def nesterov(momentum: float = 0.9) -> Optimizer:
    """V as in `momentum`, then ``W <- W + momentum v - learning_rate dW`` (eq. 20)."""

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        velocity = _velocity(state, grads, momentum, learning_rate)
        ahead = _velocity(velocity, grads, momentum, learning_rate)
        return tree_map(lambda w, v: w + v, params, ahead), velocity

    return Optimizer(_zeros, update, "nesterov", (momentum,), elementwise=True, rests=True)


def adam_rate(
    xp: Namespace, learning_rate: Array, t: Array, beta1: float, beta2: float, eps: float
) -> Array:
    """``learning_rate sqrt(1 - beta2^t) / (1 - beta1^t)``: both means begin at 0 (eq. 21)."""
    # 1 - beta^t: expm1 keeps the digits that 1 - exp(t ln beta) loses in float32
    correction1 = -xp.expm1(t * _log(beta1))
    correction2 = -xp.expm1(t * _log(beta2))
    return learning_rate * xp.sqrt(correction2) / correction1


def _log(beta: float) -> float:
    return math.log(beta) if beta > 0.0 else -math.inf


@remembered
def adam(beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    """Adam as scikit-learn and Keras write it (eq. 21).

    eps is added to the uncorrected root of v; PyTorch and Optax add it to the corrected one.

    References
    ----------
    Kingma and Ba (2015), Adam: a method for stochastic optimization, arXiv:1412.6980.
    """

    def init(xp: Namespace, params: Params) -> tuple[Any, Any]:
        return _zeros(xp, params), _zeros(xp, params)

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        m, v = state
        m = tree_map(lambda m, g: beta1 * m + (1.0 - beta1) * g, m, grads)
        v = tree_map(lambda v, g: beta2 * v + (1.0 - beta2) * (g * g), v, grads)
        rate = adam_rate(xp, learning_rate, t, beta1, beta2, eps)
        params = tree_map(lambda w, m, v: w - rate * m / (xp.sqrt(v) + eps), params, m, v)
        return params, (m, v)

    return Optimizer(init, update, "adam", (beta1, beta2, eps), elementwise=True, rests=True)
