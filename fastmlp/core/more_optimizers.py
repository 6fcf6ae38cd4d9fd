"""More optimizers, and what can be put around one: pairs as in `optimizers`."""

from __future__ import annotations

from typing import Any

from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.network import Layer, Params
from fastmlp.core.optimizers import Optimizer, adam, remembered
from fastmlp.core.schedules import FACTORS
from fastmlp.core.tree import tree_leaves, tree_map


@remembered
def adamw(
    beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.01
) -> Optimizer:
    """Adam, and weights that shrink by themselves: ``W <- W - learning_rate decay W`` (eq. 39).

    Biases do not, as they have no penalty.

    References
    ----------
    Loshchilov and Hutter (2019), Decoupled weight decay regularization, arXiv:1711.05101.
    """
    inner = adam(beta1, beta2, eps)

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        stepped, state = inner.update(xp, params, grads, state, learning_rate, t)
        shrinks = learning_rate * weight_decay
        pairs = zip(stepped, params, strict=True)
        return tuple(Layer(W - shrinks * before.W, b) for (W, b), before in pairs), state

    settings = beta1, beta2, eps, weight_decay
    return Optimizer(inner.init, update, "adamw", settings, elementwise=True)


@remembered
def rmsprop(rho: float = 0.9, eps: float = 1e-7) -> Optimizer:
    """``v <- rho v + (1 - rho) dW^2``, ``W <- W - learning_rate dW / sqrt(v + eps)`` (eq. 40).

    eps stands below the root, as in Keras and Optax; PyTorch has it outside.

    References
    ----------
    Tieleman and Hinton (2012), Coursera: Neural networks for machine learning, lecture 6.5.
    """

    def init(xp: Namespace, params: Params) -> Any:
        return tree_map(xp.zeros_like, params)

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        state = tree_map(lambda v, g: rho * v + (1.0 - rho) * (g * g), state, grads)
        rate = learning_rate
        params = tree_map(lambda w, g, v: w - rate * g / xp.sqrt(v + eps), params, grads, state)
        return params, state

    return Optimizer(init, update, "rmsprop", (rho, eps), elementwise=True, rests=True)


@remembered
def clip_by_norm(inner: Optimizer, limit: float) -> Optimizer:
    """Shorten a gradient that is longer than limit, all layers taken together (eq. 37).

    References
    ----------
    Pascanu, Mikolov and Bengio (2013), On the difficulty of training recurrent neural networks,
    PMLR 28, 1310-1318.
    """

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        squares = [xp.sum(g * g) for g in tree_leaves(grads)]
        norm = xp.sqrt(sum(squares[1:], squares[0]))
        shrink = limit / xp.maximum(norm, limit)
        grads = tree_map(lambda g: g * shrink, grads)
        return inner.update(xp, params, grads, state, learning_rate, t)

    return _around(inner, update, "clip_by_norm", limit)._replace(elementwise=False)


@remembered
def max_norm(inner: Optimizer, limit: float) -> Optimizer:
    """After each step, shorten the weights of a unit that are longer than limit (eq. 38).

    References
    ----------
    Srivastava et al. (2014), J. Mach. Learn. Res. 15, 1929-1958, section 5.1.
    """

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        params, state = inner.update(xp, params, grads, state, learning_rate, t)
        norms = [xp.sqrt(xp.sum(W * W, axis=0)) for W, _ in params]  # (n_out,)
        pairs = zip(params, norms, strict=True)
        shrunk = tuple(Layer(W * (limit / xp.maximum(norm, limit)), b) for (W, b), norm in pairs)
        return shrunk, state

    return _around(inner, update, "max_norm", limit)._replace(elementwise=False, rests=False)


@remembered
def scheduled(inner: Optimizer, kind: str, n_steps: int, n_warm_up: int = 0) -> Optimizer:
    """Multiply the learning rate of each step with a factor of `schedules` (eq. 41-43)."""
    factor = FACTORS[kind]

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        rate = learning_rate * factor(xp, t, n_steps, n_warm_up)
        return inner.update(xp, params, grads, state, rate, t)

    return _around(inner, update, "scheduled", kind, n_steps, n_warm_up)


def _around(inner: Optimizer, update: Any, name: str, *settings: Any) -> Optimizer:
    return inner._replace(update=update, name=name, settings=settings, inner=inner)
