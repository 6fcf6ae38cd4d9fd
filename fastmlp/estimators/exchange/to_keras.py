"""To a Sequential model of Keras."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from fastmlp.core.further import SLOPE, C, D
from fastmlp.estimators.exchange.errors import library
from fastmlp.estimators.exchange.network import network_of

# Name of an activation or an output -> Keras' name for it.
NAMES = {
    "relu": "relu",
    "tanh": "tanh",
    "logistic": "sigmoid",
    "identity": "linear",
    "elu": "elu",
    "silu": "silu",
    "softplus": "softplus",
    "softmax": "softmax",
    "exp": "exponential",
}


def to_keras(model: Any) -> Any:
    """Return a keras.Sequential of a model; see `Exchange.to_keras`."""
    keras = library("keras", "tensorflow", "to_keras")
    layers, activation, output, dtype = network_of(model)
    parts: list[Any] = [keras.Input((model.n_features_in_,), dtype=dtype)]
    behind = [activation] * (len(layers) - 1) + [output]
    for (_, b), name in zip(layers, behind, strict=True):
        within = "linear" if name == "leaky_relu" else gelu() if name == "gelu" else NAMES[name]
        # zeros until the weights are set: Keras' other initializers draw a seed
        parts.append(
            keras.layers.Dense(
                b.shape[0], activation=within, kernel_initializer="zeros", dtype=dtype
            )
        )
        if name == "leaky_relu":
            parts.append(keras.layers.LeakyReLU(negative_slope=SLOPE, dtype=dtype))
    network = keras.Sequential(parts)
    network.set_weights([np.array(array) for layer in layers for array in layer])
    return network


@cache
def gelu() -> Any:
    """Make the tanh form of GELU, for which Keras has no name that a file could hold."""
    keras = library("keras", "tensorflow", "gelu")

    @keras.saving.register_keras_serializable(package="fastmlp")  # type: ignore[untyped-decorator]
    def gelu_tanh(z: Any) -> Any:
        return 0.5 * z * (1.0 + keras.ops.tanh(C * z * (1.0 + D * z * z)))

    return gelu_tanh
