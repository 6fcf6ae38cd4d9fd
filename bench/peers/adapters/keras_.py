"""Keras on TensorFlow.

"fit" is what its documentation shows first: ``fit`` on arrays. "tuned" takes its advice for
small models: the steps of an epoch in one execution, rows taken inside ``train_step``, one
pipeline for all epochs, XLA where the network is large enough to gain (see
`fastmlp.reference.keras_trainer`, where the choices were measured).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.prediction import Predict, folded_weights
from bench.peers.problem import Contender, Form, Problem, Weights

XLA_PAYS_FROM = 2**16  # weights, in training
XLA_PAYS_TO = 100  # rows of a call, in prediction


def _load() -> tuple[Any, Any]:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    tf: Any = import_module("tensorflow")

    return import_module("keras"), tf


def _model(keras: Any, weights: Weights, model_class: Any) -> Any:
    inputs = a = keras.Input((weights[0][0].shape[0],))
    for W, _ in weights[:-1]:
        a = keras.layers.Dense(W.shape[1], activation="relu")(a)
    model = model_class(inputs, keras.layers.Dense(weights[-1][0].shape[1])(a))
    model.set_weights([array for layer in weights for array in layer])
    return model


def _compiled(keras: Any, problem: Problem, model_class: Any, **settings: Any) -> Any:
    """Make a model with the problem's weights, a loss and an optimizer."""
    model = _model(keras, problem.weights, model_class)
    name, rate = problem.optimization
    optimizer = {
        "sgd": lambda: keras.optimizers.SGD(rate),
        "momentum": lambda: keras.optimizers.SGD(rate, momentum=0.9),
        "adam": lambda: keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
    }[name]()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, **settings)
    return model


def _gathering(keras: Any, tf: Any, orders: Any) -> Any:
    class Network(keras.Model):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            (X, y), places = data
            rows = tf.gather(orders, places)
            return super().train_step((tf.gather(X, rows), tf.gather(y, rows)))

    return Network


class Fit:
    """``fit`` on arrays; it shuffles by itself."""

    def __init__(self, problem: Problem) -> None:
        keras, _ = _load()
        self.X, self.y = problem.X * np.float32(problem.scale), problem.y
        self.batch_size, self.model = problem.batch_size, _compiled(keras, problem, keras.Model)

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Fit for as many epochs, in orders of its own."""
        self.model.fit(self.X, self.y, batch_size=self.batch_size, epochs=len(orders), verbose=0)

    def weights(self) -> Weights:
        """Take kernel and bias of each layer."""
        arrays = iter(self.model.get_weights())
        return list(zip(arrays, arrays, strict=True))


class Tuned:
    """One call of ``fit`` per turn; its pipeline hands out places in the turn's orders."""

    def __init__(self, problem: Problem) -> None:
        keras, tf = _load()
        n = problem.X.shape[0]
        self.n_batches = n // problem.batch_size
        self.orders = tf.Variable(np.zeros(n, np.int32), shape=(None,), trainable=False)
        self.model = _compiled(
            keras,
            problem,
            _gathering(keras, tf, self.orders),
            steps_per_execution=self.n_batches,
            jit_compile=sum(W.size for W, _ in problem.weights) >= XLA_PAYS_FROM,
        )
        Dataset = tf.data.Dataset
        X = tf.constant(problem.X * np.float32(problem.scale))
        data = Dataset.from_tensors((X, tf.constant(problem.y.astype(np.int32)))).repeat()
        self.batches: Any = lambda rows: Dataset.zip(
            data, Dataset.range(rows).batch(problem.batch_size, drop_remainder=True)
        )

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Fit for as many epochs."""
        order = np.concatenate(orders)
        self.orders.assign(order)
        self.model.fit(
            self.batches(order.size),
            epochs=len(orders),
            steps_per_epoch=self.n_batches,
            shuffle=False,
            verbose=0,
        )

    weights = Fit.weights


def _make(contender: Any, problem: Problem) -> Contender:
    made: Contender = contender(problem)
    return made


def _on_batch(problem: Problem) -> Predict:
    keras, _ = _load()
    model = _model(keras, folded_weights(problem), keras.Model)
    return lambda x: np.asarray(model.predict_on_batch(x.astype(np.float32)).argmax(axis=1))


def _function(problem: Problem) -> Predict:
    keras, tf = _load()
    model = _model(keras, folded_weights(problem), keras.Model)
    few = problem.batch_size <= XLA_PAYS_TO

    @tf.function(jit_compile=few, autograph=False)  # type: ignore[untyped-decorator]
    def labels(x: Any) -> Any:
        return tf.argmax(model(tf.cast(x, tf.float32)), axis=1)

    return lambda x: np.asarray(labels(tf.constant(x)).numpy())


FORMS = (
    Form(
        "keras:predict",
        "peer",
        "keras",
        "predict_on_batch, the scale in W",
        _on_batch,
        task="predict",
    ),
    Form(
        "keras:function",
        "peer",
        "keras",
        "the model in a tf.function, by XLA for few rows, the scale in W",
        _function,
        task="predict",
    ),
    Form("keras:fit", "peer", "keras", "fit on float32 arrays", partial(_make, Fit)),
    Form(
        "keras:tuned",
        "peer",
        "keras",
        "an epoch in one execution, rows taken in train_step, XLA for larger networks",
        partial(_make, Tuned),
    ),
)
