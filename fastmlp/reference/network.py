"""A recipe in the words of Keras: the same layers, loss, metrics and optimizer."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from fastmlp.core import ACTIVATIONS, LOSSES, Optimizer, Params, Recipe
from fastmlp.core.further import SLOPE, C, D


def _ops() -> Any:
    """Keras' functions, where it is loaded by now."""
    return import_module("keras").ops


HIDDEN: dict[Any, Any] = {
    ACTIVATIONS["relu"]: "relu",
    ACTIVATIONS["tanh"]: "tanh",
    ACTIVATIONS["logistic"]: "sigmoid",
    ACTIVATIONS["identity"]: "linear",
    # two whose constants TensorFlow would round to float32
    ACTIVATIONS["leaky_relu"]: lambda z: _ops().maximum(z, SLOPE * z),
    ACTIVATIONS["elu"]: "elu",
    ACTIVATIONS["gelu"]: lambda z: 0.5 * z * (1.0 + _ops().tanh(C * z * (1.0 + D * z * z))),
    ACTIVATIONS["silu"]: "silu",
    ACTIVATIONS["softplus"]: "softplus",
}


class Output(NamedTuple):
    """Keras' activation of the logits; ``losses`` and ``hits`` of (keras, y, logits) are (n,)."""

    activation: str
    losses: Callable[[Any, Any, Any], Any]
    hits: Callable[[Any, Any, Any], Any] | None


def _subset_hits(keras: Any, y: Any, logits: Any) -> Any:
    return keras.ops.all(keras.ops.equal(logits > 0.0, y > 0.5), axis=1)


# Keras takes the mean over the outputs where the lecture takes the sum.
OUTPUTS = {
    LOSSES["softmax_cross_entropy"]: Output(
        "softmax",
        lambda keras, y, z: keras.losses.categorical_crossentropy(y, z, from_logits=True),
        lambda keras, y, z: keras.metrics.categorical_accuracy(y, z),
    ),
    LOSSES["sigmoid_cross_entropy"]: Output(
        "sigmoid",
        lambda keras, y, z: z.shape[1] * keras.losses.binary_crossentropy(y, z, from_logits=True),
        _subset_hits,
    ),
    LOSSES["squared_error"]: Output(
        "linear",
        lambda keras, y, z: 0.5 * z.shape[1] * keras.losses.mean_squared_error(y, z),
        None,
    ),
    LOSSES["poisson"]: Output(
        "exponential",
        lambda keras, y, z: keras.ops.sum(
            y * keras.ops.log(keras.ops.maximum(y, 1e-37)) - y * z - y + keras.ops.exp(z), axis=1
        ),
        None,
    ),
}
OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "gradient_descent": lambda keras, rate: keras.optimizers.SGD(rate),
    "momentum": lambda keras, rate, m: keras.optimizers.SGD(rate, momentum=m),
    "nesterov": lambda keras, rate, m: keras.optimizers.SGD(rate, momentum=m, nesterov=True),
    "adam": lambda keras, rate, beta1, beta2, eps: keras.optimizers.Adam(
        rate, beta_1=beta1, beta_2=beta2, epsilon=eps
    ),
}


def build_network(
    keras: Any, tf: Any, recipe: Recipe, params: Params, order: Any, dtype: str
) -> Any:
    """Build the Keras model of a recipe, with the given weights.

    Parameters
    ----------
    keras, tf : module
    recipe : Recipe
    params : tuple of Layer
    order : (n,) int32 tf.Variable
        Row numbers of the epoch in training.
    dtype : str
        Of every layer; Keras' global float type is not touched.

    Returns
    -------
    keras.Model
        Not compiled. It trains on elements ((X, y), batch), or ((X, y, weights), batch), where
        batch holds places in order; it is evaluated on (x, y), and predicts from x.

    Raises
    ------
    ValueError
        A part of the recipe is none of the core's tables.
    """
    output = _row(OUTPUTS, recipe.loss, "loss")
    names = ["loss", *(name for name, _ in recipe.loss.metrics)]
    means = [keras.metrics.Mean(name=name, dtype="float64") for name in names]

    class Network(keras.Model):  # type: ignore[misc]
        """The steps of ``fit``, ``evaluate`` and ``predict``."""

        @property
        def metrics(self) -> list[Any]:
            return means

        def train_step(self, data: Any) -> dict[str, Any]:
            data, batch = data
            rows = tf.gather(order, batch)
            x, y, *weights = (tf.gather(array, rows) for array in data)
            n = tf.cast(tf.shape(x)[0], dtype)
            weight = tf.reduce_sum(weights[0]) if weights else n
            counts = weights[0] * (n / weight) if weights else 1.0
            with tf.GradientTape() as tape:
                logits = self(x, training=True)
                losses = counts * output.losses(keras, y, logits) + self.penalty(weight)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return self.seen(losses, y, logits, counts)

        def test_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            logits = self(x, training=False)
            return self.seen(output.losses(keras, y, logits), y, logits, 1.0)

        def predict_step(self, x: Any) -> Any:
            return keras.activations.get(output.activation)(self(x, training=False))

        def penalty(self, n: Any) -> Any:
            """``l2 / (2 n) sum ||W||^2``; a regularizer of Keras does not know n."""
            if recipe.l2 == 0.0:
                return 0.0
            kernels = [w for w in self.trainable_variables if len(w.shape) == 2]
            return recipe.l2 / n * sum(tf.nn.l2_loss(w.value) for w in kernels)

        def seen(self, losses: Any, y: Any, logits: Any, counts: Any) -> dict[str, Any]:
            means[0].update_state(losses)
            if output.hits:
                means[1].update_state(counts * tf.cast(output.hits(keras, y, logits), dtype))
            return {mean.name: mean.result() for mean in means}

    inputs = keras.Input((params[0].W.shape[0],), dtype=dtype)
    a = inputs
    if recipe.scale != 1.0:
        a = keras.layers.Rescaling(_number(recipe.scale, dtype), dtype=dtype)(a)
    activations = [*(_row(HIDDEN, h, "activation") for h in recipe.hidden), "linear"]
    for (_, b), activation in zip(params, activations, strict=True):
        # zeros until the weights are set: Keras' other initializers draw a seed
        a = keras.layers.Dense(
            b.shape[0], activation=activation, kernel_initializer="zeros", dtype=dtype
        )(a)
    network = Network(inputs, a)
    network.set_weights([array for layer in params for array in layer])
    return network


def build_optimizer(keras: Any, optimizer: Optimizer, learning_rate: Any, dtype: str) -> Any:
    """Build Keras' optimizer of the same name and settings; its own update rules are ours.

    ``learning_rate`` is a variable.

    Adam's epsilon is added to the uncorrected root in Keras as well.

    Raises
    ------
    ValueError
        The optimizer is none of the core's.
    """
    settings = [_number(setting, dtype) for setting in optimizer.settings]
    # as a function: as a number it would become a float32 variable
    return _row(OPTIMIZERS, optimizer.name, "optimizer")(keras, lambda: learning_rate, *settings)


def _number(value: float, dtype: str) -> float:
    """A Python float, which TensorFlow takes for float32, or a float64 that stays one."""
    return np.float64(value) if dtype == "float64" else float(value)


def _row(table: dict[Any, Any], key: Any, what: str) -> Any:
    if key not in table:
        raise ValueError(
            f"the recipe's {what} {key!r} has no counterpart in the Keras reference, expected one "
            "out of the tables of fastmlp.core."
        )
    return table[key]
