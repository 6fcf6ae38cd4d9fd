"""A fitted estimator as what other libraries need to know of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastmlp.core import Layer, Params


class Network(NamedTuple):
    """Layers on the host, and the names of what stands between and behind them."""

    layers: Params
    activation: str  # of the hidden layers
    output: str  # "softmax", "logistic", "identity" or "exp"
    dtype: str


def network_of(model: Any) -> Network:
    """Return the network of a fitted estimator, as it was trained."""
    layers = layers_of(model)
    return Network(layers, model._made_of[0], model.out_activation_, model.coefs_[0].dtype.name)


def layers_of(model: Any) -> Params:
    """Return the layers of a fitted estimator; ValueError where they are of no use elsewhere."""
    check_is_fitted(model, "coefs_")
    layers = tuple(map(Layer, model.coefs_, model.intercepts_))
    check_finite(layers)
    return layers


def check_finite(layers: Iterable[Any]) -> None:
    """Raise ValueError for weights that are NaN or infinite."""
    for number, layer in enumerate(layers, start=1):
        if not all(np.isfinite(array).all() for array in layer):
            raise ValueError(
                f"layer {number} has weights that are not finite, expected numbers that a network "
                "can answer with: train again, or look at coefs_ and intercepts_ themselves."
            )
