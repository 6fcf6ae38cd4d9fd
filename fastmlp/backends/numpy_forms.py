"""Rows of the core's tables in NumPy's own words: fewer passes, and no memory asked for twice.

A step spends its time outside the matrix products in calls and in temporary arrays. Each form
gives the numbers of the row that it stands for, to the last bit but for the order of sums; the
updates write into the parameters, which are the scan's own copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from fastmlp.core.activations import ACTIVATIONS
from fastmlp.core.losses import LOSSES, Metric
from fastmlp.core.optimizers import (
    Optimizer,
    adam,
    adam_rate,
    gradient_descent,
    momentum,
    nesterov,
)
from fastmlp.core.step import Recipe
from fastmlp.core.tree import tree_map

XP: Any = np
BLOCK = 32_768  # elements: an update of so many stays in the cache from its first pass to its last


def tuned(recipe: Recipe) -> Recipe:
    """Replace what has a form here; a row of somebody else's is kept."""
    loss, relu = recipe.loss, ACTIVATIONS["relu"]
    forward, metrics = loss.loss_and_delta, loss.metrics
    return recipe._replace(
        hidden=tuple(RELU if h is relu else h for h in recipe.hidden),
        loss=loss._replace(
            loss_and_delta=LOSS_FORMS.get(forward, forward),
            metrics=tuple((name, METRIC_FORMS.get(metric, metric)) for name, metric in metrics),
        ),
        optimizer=_in_place(recipe.optimizer),
    )


# --- activation: a mask multiplies as well as a float ---

RELU = ACTIVATIONS["relu"]._replace(h_prime=lambda xp, z, a: z > 0.0)


# --- loss and metric ---


def _softmax_cross_entropy(xp: Any, logits: Any, y: Any) -> tuple[Any, Any]:
    n = logits.shape[0]
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1, keepdims=True)
    np.subtract(np.log(total), shifted, out=shifted)
    loss = np.vdot(y, shifted) / n
    p /= total
    p -= y
    p /= n
    return loss, p


def _accuracy(xp: Any, logits: Any, y: Any) -> Any:
    hits = np.count_nonzero(logits.argmax(axis=1) == y.argmax(axis=1))
    return logits.dtype.type(hits / logits.shape[0])


_CLASSES = LOSSES["softmax_cross_entropy"]
LOSS_FORMS: dict[Callable[..., Any], Callable[..., Any]] = {
    _CLASSES.loss_and_delta: _softmax_cross_entropy
}
METRIC_FORMS: dict[Metric, Metric] = {_CLASSES.metrics[0][1]: _accuracy}


# --- updates ---


def _gradient_descent(w: Any, g: Any, rate: Any) -> None:
    g *= rate
    w -= g


def _momentum(w: Any, g: Any, v: Any, rate: Any, momentum: float) -> None:
    v *= momentum
    g *= rate
    v -= g
    w += v


def _nesterov(w: Any, g: Any, v: Any, rate: Any, momentum: float) -> None:
    v *= momentum
    g *= rate
    v -= g
    w += momentum * v - g


def _adam(
    w: Any, g: Any, m: Any, v: Any, rate: Any, beta1: float, beta2: float, eps: float
) -> None:
    m *= beta1
    m += (1.0 - beta1) * g
    g *= g
    g *= 1.0 - beta2
    v *= beta2
    v += g
    np.sqrt(v, out=g)
    g += eps
    scaled = rate * m
    scaled /= g
    w -= scaled


class Update(NamedTuple):
    """How an optimizer of the core is done in place."""

    factory: Callable[..., Optimizer]
    moments: Callable[[Any], tuple[Any, ...]]  # trees of the state, shaped as the parameters
    write: Callable[..., None]  # (w, g, *moments, rate, *settings)
    rate: Callable[..., Any] = lambda learning_rate, t, *settings: learning_rate


UPDATES = {
    "gradient_descent": Update(gradient_descent, lambda state: (), _gradient_descent),
    "momentum": Update(momentum, lambda state: (state,), _momentum),
    "nesterov": Update(nesterov, lambda state: (state,), _nesterov),
    "adam": Update(adam, lambda state: state, _adam, lambda *args: adam_rate(XP, *args)),
}


@cache
def _in_place(optimizer: Optimizer) -> Optimizer:
    form, settings = UPDATES.get(optimizer.name), optimizer.settings
    if form is None or form.factory(*settings) is not optimizer:
        return optimizer

    def update(
        xp: Any, params: Any, grads: Any, state: Any, learning_rate: Any, t: Any
    ) -> tuple[Any, Any]:
        rate = form.rate(learning_rate, t, *settings)

        def write(*arrays: Any) -> None:
            for block in _blocks(arrays):
                form.write(*block, rate, *settings)

        tree_map(write, params, grads, *form.moments(state))
        return params, state

    return optimizer._replace(update=update)


def _blocks(arrays: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Rows of all arrays that together are worked on; small arrays are one block."""
    n_rows, size = arrays[0].shape[0], arrays[0].size
    if size <= BLOCK:
        yield arrays
        return
    step = max(1, BLOCK * n_rows // size)
    for start in range(0, n_rows, step):
        yield tuple(array[start : start + step] for array in arrays)
