"""A fitted estimator as what other libraries need to know of it."""

from __future__ import annotations

from typing import Any, NamedTuple

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
    check_is_fitted(model, "coefs_")
    layers = tuple(map(Layer, model.coefs_, model.intercepts_))
    return Network(layers, model._made_of[0], model.out_activation_, model.coefs_[0].dtype.name)
