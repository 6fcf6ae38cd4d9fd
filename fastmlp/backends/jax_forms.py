"""What the formulas become for XLA on a CPU: the same numbers from products that it is fast at.

The scan carries every small W turned, as (n_out, n_in); the formulas see W itself, and all turns
cancel.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from fastmlp.core.activations import Activation
from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.losses import LOSSES, Loss
from fastmlp.core.network import Params
from fastmlp.core.optimizers import Optimizer
from fastmlp.core.step import Recipe
from fastmlp.core.tree import tree_map

# Weights of a matrix that is still carried turned; a larger one is faster as it lies.
TURNED = 2**17


class Inputs(NamedTuple):
    """What enters a layer: ``inputs.T @ delta`` is computed as ``(delta.T @ inputs).T``.

    So dW comes out turned like W in the carry, of a product along rows.
    """

    array: Any  # (n, n_in)

    @property
    def T(self) -> TurnedInputs:  # noqa: N802
        """What multiplies delta."""
        return TurnedInputs(self.array)

    def __matmul__(self, W: Any) -> Any:
        return self.array @ W


class TurnedInputs(NamedTuple):
    """Only good for the gradient of W."""

    array: Any  # (n, n_in)

    def __matmul__(self, delta: Any) -> Any:
        if self.array.shape[1] * delta.shape[1] > TURNED:
            return self.array.T @ delta
        return (delta.T @ self.array).T


class Scale(NamedTuple):
    """What X is multiplied by to become the inputs of the first layer."""

    scale: float

    def __rmul__(self, x: Any) -> Inputs:
        return Inputs(x * self.scale)


def turn(tree: Any) -> Any:
    """Transpose every small matrix; XLA makes no copy of it."""

    def turned(array: Any) -> Any:
        return array.T if array.ndim == 2 and array.size <= TURNED else array

    return tree_map(turned, tree)


def tuned(recipe: Recipe) -> Recipe:
    """Let every part of the recipe see what is the fastest for it."""
    return recipe._replace(
        hidden=tuple(map(_hidden, recipe.hidden)),
        loss=_loss(recipe.loss),
        optimizer=_optimizer(recipe.optimizer),
        scale=cast(float, Scale(recipe.scale)),
    )


def _hidden(activation: Activation) -> Activation:
    """Return a = h(z) as the inputs of the next layer."""
    h, h_prime = activation
    return Activation(
        lambda xp, z: cast(Array, Inputs(h(xp, z))),
        lambda xp, z, a: h_prime(xp, z, cast(Inputs, a).array),
    )


def _loss(loss: Loss) -> Loss:
    """Count hits without argmax."""
    ((_, argmax),) = LOSSES["softmax_cross_entropy"].metrics
    return loss._replace(
        metrics=tuple((name, _accuracy if f is argmax else f) for name, f in loss.metrics)
    )


def _accuracy(xp: Any, logits: Any, y: Any, v: Any) -> Any:
    """Compare the places of the first largest logit and target: reductions that XLA fuses."""
    n_classes = logits.shape[1]
    places = xp.arange(n_classes, dtype=logits.dtype)

    def first_largest(a: Any) -> Any:
        is_largest = a == xp.max(a, axis=1, keepdims=True)
        return xp.min(xp.where(is_largest, places, n_classes), axis=1, keepdims=True)

    hits = first_largest(logits) == first_largest(y)
    return xp.sum(v * xp.astype(hits, logits.dtype))


def _optimizer(optimizer: Optimizer) -> Optimizer:
    """Let the update see what the scan carries, if it does not care."""
    if not optimizer.elementwise:
        return optimizer

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        turned = turn(params), turn(grads), turn(state)
        params, state = optimizer.update(xp, *turned, learning_rate, t)
        return turn(params), turn(state)

    return optimizer._replace(update=update)
