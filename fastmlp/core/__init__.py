"""The lecture: pure formulas of an explicit array namespace ``xp``, parameters and data.

Read `network`, `activations`, `losses` and `step`, in this order, to follow one training step.
Nothing in here imports an array library.
"""

from __future__ import annotations

from fastmlp.core.activations import Activation
from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.augmentation import Augmentation, Grid, augment, elastic_basis
from fastmlp.core.chance import Chance
from fastmlp.core.dropout import thin
from fastmlp.core.further import ACTIVATIONS, LOSSES, smooth_labels
from fastmlp.core.losses import Loss
from fastmlp.core.more_optimizers import adamw, clip_by_norm, max_norm, rmsprop, scheduled
from fastmlp.core.network import Layer, Params, backprop, forward
from fastmlp.core.optimizers import Optimizer, adam, gradient_descent, momentum, nesterov
from fastmlp.core.regularization import l1_penalty, l2_penalty
from fastmlp.core.step import (
    Carry,
    Recipe,
    evaluate,
    gradient,
    logits,
    predict,
    prepare,
    step,
    update,
)
from fastmlp.core.tree import tree_map

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "Activation",
    "Array",
    "Augmentation",
    "Carry",
    "Chance",
    "Grid",
    "Layer",
    "Loss",
    "Namespace",
    "Optimizer",
    "Params",
    "Recipe",
    "adam",
    "adamw",
    "augment",
    "backprop",
    "clip_by_norm",
    "elastic_basis",
    "evaluate",
    "forward",
    "gradient",
    "gradient_descent",
    "l1_penalty",
    "l2_penalty",
    "logits",
    "max_norm",
    "momentum",
    "nesterov",
    "predict",
    "prepare",
    "rmsprop",
    "scheduled",
    "smooth_labels",
    "step",
    "thin",
    "tree_map",
    "update",
]
