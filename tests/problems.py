"""Small problems: data, recipes and weights, made on the host from a seed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.backends import Backend, get_backend
from fastmlp.core import ACTIVATIONS, LOSSES, Carry, Optimizer, Params, Recipe, gradient_descent
from fastmlp.core.tree import tree_leaves
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

LOSS_NAMES = tuple(LOSSES)
BOUNDED_LOSSES = tuple(name for name in LOSSES if name != "poisson")  # for any logits
ACTIVATION_NAMES = tuple(ACTIVATIONS)
leaves = tree_leaves


class Problem(NamedTuple):
    """What a network is trained on."""

    X: NDArray[Any]  # (n, n_features)
    y: NDArray[Any]  # (n, n_outputs): one-hot rows, zeros and ones, or numbers


def make_problem(
    loss: str, n: int = 70, n_features: int = 7, n_outputs: int = 3, seed: int = 0
) -> Problem:
    """Inputs around 0 with targets that have nothing to do with them.

    No network can learn them, so the gradients stay of the order of 1 for all of a training.
    """
    rng = np.random.default_rng((seed, n, n_features, n_outputs))
    X = rng.normal(size=(n, n_features))
    y: NDArray[Any]
    if loss == "softmax_cross_entropy":
        y = one_hot(rng.integers(n_outputs, size=n), n_outputs)
    elif loss == "sigmoid_cross_entropy":
        y = rng.integers(2, size=(n, n_outputs)).astype(np.uint8)
    elif loss == "poisson":
        y = rng.poisson(1.0, size=(n, n_outputs)).astype(np.float64)
    else:
        y = rng.normal(size=(n, n_outputs))
    return Problem(X, y)


def make_recipe(
    loss: str = "softmax_cross_entropy",
    hidden: tuple[str, ...] = ("relu",),
    optimizer: Optimizer | None = None,
    l2: float = 0.0,
    scale: float = 1.0,
) -> Recipe:
    """Put a recipe together by names."""
    activations = tuple(ACTIVATIONS[name] for name in hidden)
    return Recipe(activations, LOSSES[loss], optimizer or gradient_descent(), l2, scale)


def make_carry(backend: Backend, recipe: Recipe, params: Params, lr: float, dtype: str) -> Carry:
    """Start of a training, on the device."""
    xp: Any = np
    state = recipe.optimizer.init(xp, params)
    carry: Carry = backend.place(Carry(params, state, xp.asarray(lr), xp.asarray(0.0)), dtype)
    return carry


def make_trainer(
    recipe: Recipe,
    *,
    backend: Backend | None = None,
    params: Params | None = None,
    learning_rate: float = 0.1,
    batch_size: int = 16,
    dtype: str = "float64",
) -> Trainer:
    """Put a trainer together: 7 features, 5 hidden units, 3 outputs unless params say more."""
    return Trainer(
        backend or get_backend("numpy"),
        recipe,
        params or draw_params((7, 5, 3), 0),
        learning_rate=learning_rate,
        batch_size=batch_size,
        dtype=dtype,
    )


def orders(n: int, epochs: int, seed: int = 0) -> list[NDArray[np.int32]]:
    """Order of the samples in the first epochs."""
    return [epoch_order(n, seed, epoch) for epoch in range(1, epochs + 1)]
