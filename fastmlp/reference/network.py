"""A recipe in the words of Keras: the same layers, loss, metrics and optimizer."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from fastmlp.core import ACTIVATIONS, LOSSES, Params, Recipe
from fastmlp.core.further import SLOPE, C, D
from fastmlp.reference.dropout import masks
from fastmlp.reference.library import number, row
from fastmlp.reference.optimizer import unwrapped


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


def build_network(
    keras: Any, tf: Any, recipe: Recipe, params: Params, order: Any, dtype: str, seed: int
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
    seed : int
        Of dropout's masks.

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
    output = row(OUTPUTS, recipe.loss, "loss")
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
                logits = self.thinned(x, rows) if recipe.dropout else self(x, training=True)
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

        def thinned(self, x: Any, rows: Any) -> Any:
            """Logits of a step in which units are left out."""
            widths = [W.shape[0] for W, _ in params]
            t = self.optimizer.iterations
            factors = iter(masks(tf, seed, t, rows, widths, recipe.dropout, dtype))
            a = tf.cast(x, dtype)
            for layer in self.layers[1:]:  # the first one is the input
                is_dense = isinstance(layer, keras.layers.Dense)
                a = layer(a * next(factors) if is_dense else a)
            return a

        def penalty(self, n: Any) -> Any:
            """``l2 / (2 n) sum ||W||^2 + l1 / n sum |W|``; Keras' regularizers do not know n."""
            kernels = [w.value for w in self.trainable_variables if len(w.shape) == 2]
            l2 = recipe.l2 / n * sum(map(tf.nn.l2_loss, kernels)) if recipe.l2 else 0.0
            l1 = recipe.l1 / n * sum(tf.reduce_sum(tf.abs(W)) for W in kernels)
            return l2 + l1 if recipe.l1 else l2

        def seen(self, losses: Any, y: Any, logits: Any, counts: Any) -> dict[str, Any]:
            means[0].update_state(losses)
            if output.hits:
                means[1].update_state(counts * tf.cast(output.hits(keras, y, logits), dtype))
            return {mean.name: mean.result() for mean in means}

    class Bound(keras.constraints.Constraint):  # type: ignore[misc]
        """`max_norm` without the epsilon that Keras' own adds."""

        def __call__(self, w: Any) -> Any:
            norm = keras.ops.sqrt(keras.ops.sum(w * w, axis=0))
            return w * (limit / keras.ops.maximum(norm, limit))

    around = unwrapped(recipe.optimizer)[1]
    limit = number(around["max_norm"][0], dtype) if "max_norm" in around else 0.0
    bound = Bound() if limit else None
    inputs = keras.Input((params[0].W.shape[0],), dtype=dtype)
    a = inputs
    if recipe.scale != 1.0:
        a = keras.layers.Rescaling(number(recipe.scale, dtype), dtype=dtype)(a)
    activations = [*(row(HIDDEN, h, "activation") for h in recipe.hidden), "linear"]
    for (_, b), activation in zip(params, activations, strict=True):
        # zeros until the weights are set: Keras' other initializers draw a seed
        a = keras.layers.Dense(
            b.shape[0],
            activation=activation,
            kernel_initializer="zeros",
            kernel_constraint=bound,
            dtype=dtype,
        )(a)
    network = Network(inputs, a)
    network.set_weights([array for layer in params for array in layer])
    return network
