"""One training step: forward, backprop, update."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.augmentation import Augmentation
from fastmlp.core.losses import Loss, Share
from fastmlp.core.network import Hidden, Params, backprop, forward
from fastmlp.core.optimizers import Optimizer
from fastmlp.core.regularization import Weight, l1_penalty, l2_penalty


class Recipe(NamedTuple):
    """What a step is made of; fixed while training, so a compiler may look into it."""

    hidden: Hidden
    loss: Loss
    optimizer: Optimizer
    l2: float = 0.0
    scale: float = 1.0  # of X: 1/255 turns bytes into 0..1
    l1: float = 0.0
    dropout: tuple[float, ...] = ()  # of the input and of each hidden layer; () for none, see thin
    augmentation: Augmentation | None = None  # of x, an image per row; see augment


class Carry(NamedTuple):
    """What a step changes, all of it arrays, so that a captured step stays right."""

    params: Params
    state: Any  # of the optimizer
    learning_rate: Array  # ()
    t: Array  # (), steps done so far


def step(
    xp: Namespace, recipe: Recipe, carry: Carry, x: Array, y: Array
) -> tuple[Carry, tuple[Array, ...]]:
    """Learn from one batch (eq. 1-21).

    Parameters
    ----------
    xp : array namespace
    recipe : Recipe
    carry : Carry
    x : (n, n_features) array
        In the library's own kind and on the device of the parameters; bytes are scaled here.
    y : (n, n_outputs) array

    Returns
    -------
    Carry
        After the update.
    tuple of () arrays
        The loss of the batch before the update, penalty included, then the loss's metrics.
    """
    n = x.shape[0]
    grads, values = gradient(xp, recipe, carry.params, x, y, 1.0 / n)
    return update(xp, recipe, carry, grads, values, n)


def gradient(
    xp: Namespace, recipe: Recipe, params: Params, x: Array, y: Array, v: Share
) -> tuple[Params, tuple[Array, ...]]:
    """Gradient of the loss without penalty, then the loss and its metrics (eq. 1-16, 23, 24)."""
    x = prepare(xp, recipe, params, x)
    trace = forward(xp, params, x, recipe.hidden)
    loss, delta = recipe.loss.loss_and_delta(xp, trace.logits, y, v)
    metrics = [metric(xp, trace.logits, y, v) for _, metric in recipe.loss.metrics]
    return backprop(xp, params, trace, delta, recipe.hidden), (loss, *metrics)


def update(
    xp: Namespace, recipe: Recipe, carry: Carry, grads: Params, values: tuple[Array, ...], n: Weight
) -> tuple[Carry, tuple[Array, ...]]:
    """Add penalties for rows that weigh n, and let the optimizer take its step (eq. 17-21)."""
    params, state, learning_rate, t = carry
    loss, grads = l2_penalty(xp, params, values[0], grads, recipe.l2, n)
    loss, grads = l1_penalty(xp, params, loss, grads, recipe.l1, n)
    t = t + 1.0
    params, state = recipe.optimizer.update(xp, params, grads, state, learning_rate, t)
    return Carry(params, state, learning_rate, t), (loss, *values[1:])


def prepare(xp: Namespace, recipe: Recipe, params: Params, x: Array) -> Array:
    """Bring x to the dtype of the weights and to its scale, batch by batch."""
    x = xp.astype(x, params[0].W.dtype, copy=False)
    return x if recipe.scale == 1.0 else x * recipe.scale


def logits(xp: Namespace, recipe: Recipe, params: Params, x: Array) -> Array:
    """The last z (n, n_outputs) for x: the largest one tells the class (eq. 1, 2)."""
    return forward(xp, params, prepare(xp, recipe, params, x), recipe.hidden).logits


def predict(xp: Namespace, recipe: Recipe, params: Params, x: Array) -> Array:
    """Outputs (n, n_outputs) for x: probabilities, or values of a regression (eq. 1, 2, 7)."""
    return recipe.loss.output(xp, logits(xp, recipe, params, x))


def evaluate(
    xp: Namespace, recipe: Recipe, params: Params, x: Array, y: Array
) -> tuple[Array, ...]:
    """Loss without penalty and metrics of x against y, nothing learnt (eq. 8, 10, 12, 23)."""
    z, v = logits(xp, recipe, params, x), 1.0 / x.shape[0]
    loss, _ = recipe.loss.loss_and_delta(xp, z, y, v)
    return (loss, *[metric(xp, z, y, v) for _, metric in recipe.loss.metrics])
