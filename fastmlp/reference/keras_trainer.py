"""A network in training by Keras on TensorFlow, with the face of `fastmlp.training.Trainer`.

The form is the fastest of Keras' documented ones that were measured on the digits and on MNIST:
one ``fit`` over all epochs, ``steps_per_execution`` of a whole epoch, and one input pipeline for
all epochs, which hands out the data and the places of each batch; the rows are taken inside a
custom ``train_step``. Slower were fewer steps per execution, rows taken in the pipeline or
permuted by NumPy, and an iterator per epoch. ``jit_compile`` is on where it gains: on a GPU, and
on a CPU from a number of weights on; Keras' own choice on a CPU is off. The weights are copied
to the host between epochs, outside their time.

Faster than all of these is a loop over the epoch's batches written in TensorFlow inside one
``train_step``: it takes the place of Keras' own loop, so it is not what a ratio to Keras means.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.core import Layer, Params, Recipe
from fastmlp.reference.library import device, full_float32, load_keras
from fastmlp.reference.network import build_network
from fastmlp.reference.optimizer import build_optimizer
from fastmlp.training import Epoch, OnEpoch
from fastmlp.training.checks import (
    check_batches,
    check_order,
    check_rows,
    check_settings,
    check_targets,
    check_weights,
)
from fastmlp.training.protocol import diverged

BLOCK = 4096  # rows that predict and evaluate hold at a time
XLA_PAYS_FROM = 2**16  # weights; with fewer, launching the compiled step costs more than it gains


class KerasTrainer:
    """A network, its optimizer's state and its data's way to TensorFlow.

    Parameters
    ----------
    recipe : Recipe
    params : tuple of Layer
        Initial weights on the host, see `fastmlp.training.draw_params`.
    learning_rate : float
    batch_size : int
    dtype : str
        "float32" or "float64", of the weights and of all computation.
    seed : int
        Of dropout's masks.

    Raises
    ------
    ValueError
        The recipe has an augmentation, or another part that is not in Keras' words.
    BackendUnavailableError
        Keras or TensorFlow is missing, or Keras runs on another backend.
    """

    def __init__(
        self,
        recipe: Recipe,
        params: Params,
        *,
        learning_rate: float,
        batch_size: int,
        dtype: str,
        seed: int = 0,
    ) -> None:
        check_settings(recipe, params, batch_size, dtype)
        if recipe.augmentation is not None:
            raise ValueError(
                f"augmentation={recipe.augmentation}: the Keras reference trains on images as they "
                "are. Leave augmentation out, or train on a backend of fastmlp.MLPClassifier."
            )
        self.batch_size, self.dtype, self.learning_rate = batch_size, dtype, learning_rate
        self._keras, self._tf = keras, tf = load_keras()
        self.name, self.device = "keras", device(tf)
        self._names = ["loss", *(name for name, _ in recipe.loss.metrics)]
        self._order = tf.Variable(np.zeros(0, np.int32), shape=(None,), trainable=False)
        self._rate = tf.Variable(learning_rate, dtype=dtype, trainable=False)
        self._network = build_network(keras, tf, recipe, params, self._order, dtype, seed)
        weights = self._network.trainable_variables
        biases = weights[1::2]
        self._optimizer = build_optimizer(keras, recipe.optimizer, self._rate, biases, dtype)
        self._optimizer.build(weights)
        self._compile(steps_per_execution=1)
        self._variables = [*weights, *self._optimizer.variables]
        self._kept = self._fetch()
        self.epoch = 0  # complete ones, the variables are the last one's

    def run(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        orders: Iterable[NDArray[np.int32]],
        on_epoch: OnEpoch | None = None,
        *,
        weights: NDArray[Any] | None = None,
        learning_rates: Iterable[float] | None = None,
    ) -> None:
        """Train for one epoch per order.

        Parameters
        ----------
        X : (n, n_features) array
            uint8 stays uint8 until a batch needs it; anything else becomes dtype.
        y : (n, n_outputs) array
        orders : iterable of (n,) int arrays
            Row numbers of each epoch, cut into batches as they come; asked for one at a time.
        on_epoch : callable, optional
            Called after each epoch, outside its time; a true answer ends the training.
        weights : (n,) array, optional
            What each row counts in the mean of its batch (eq. 24); left out, all count alike.
        learning_rates : iterable of float, optional
            One for each epoch, asked for when the epoch begins; left out, the rate stays.

        Raises
        ------
        DivergenceError
            Names the epoch; the weights stay those of the epoch before, as on any other
            exception.
        """
        check_targets(self.params(), X, y)
        check_weights(weights, X.shape[0], self.dtype)
        rates = iter(repeat(None) if learning_rates is None else learning_rates)
        waiting = same_sizes(orders, X.shape[0], weights, self.batch_size)
        order, started = next(waiting, None), 0.0
        if order is None:
            return

        def begin(epoch: int, logs: dict[str, float]) -> None:
            nonlocal started
            self._order.assign(order)
            if (rate := next(rates)) is not None:
                self.learning_rate = rate
                self._rate.assign(rate)
            started = time.perf_counter()

        def end(epoch: int, logs: dict[str, float]) -> None:
            nonlocal order
            epoch_s = time.perf_counter() - started
            values = {name: logs[name] for name in self._names}
            self._keep(values)
            stop = on_epoch and on_epoch(Epoch(self.epoch, values, epoch_s))
            order = None if stop else next(waiting, None)
            self._network.stop_training = order is None

        n_batches = math.ceil(order.size / self.batch_size)
        if n_batches != self._network.steps_per_execution:
            self._compile(n_batches)
        clock = self._keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
        try:
            with full_float32(self._tf):
                self._network.fit(
                    self._batches(order.size, X, y, *([] if weights is None else [weights])),
                    epochs=sys.maxsize,  # the clock ends it: orders need not know how many
                    steps_per_epoch=n_batches,
                    shuffle=False,
                    verbose=0,
                    callbacks=[clock],
                )
        except BaseException:
            for variable, value in zip(self._variables, self._kept, strict=True):
                variable.assign(value)
            raise

    def evaluate(self, X: NDArray[Any], y: NDArray[Any]) -> dict[str, float]:
        """Loss without penalty, and metrics: means over all rows of X."""
        check_targets(self.params(), X, y)
        with full_float32(self._tf):
            values = self._network.evaluate(self._blocks(X, y), return_dict=True, verbose=0)
        return {name: values[name] for name in self._names}

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """Outputs (n, n_outputs): probabilities, or values of a regression."""
        check_rows(self.params(), X)
        with full_float32(self._tf):
            return np.asarray(self._network.predict(self._blocks(X), verbose=0))

    def params(self) -> Params:
        """Weights and biases of the last complete epoch, on the host."""
        arrays = iter(self._network.get_weights())
        return tuple(Layer(W, b) for W, b in zip(arrays, arrays, strict=True))

    def set_params(self, params: Params) -> None:
        """Go on with other weights and biases of the same shapes; all else stays."""
        self._network.set_weights([array for layer in params for array in layer])
        self._kept = self._fetch()

    def _compile(self, steps_per_execution: int) -> None:
        n_weights = self._network.count_params()
        self._network.compile(
            optimizer=self._optimizer,
            jit_compile=self.device == "gpu" or n_weights >= XLA_PAYS_FROM,
            steps_per_execution=steps_per_execution,
        )

    def _batches(self, n: int, X: NDArray[Any], *others: NDArray[Any]) -> Any:
        """((X, y, ...), places of a batch in the order), epoch after epoch, without an end."""
        Dataset = self._tf.data.Dataset
        data = Dataset.from_tensors(self._place(X, *others))  # handed on by reference
        places = Dataset.range(n).batch(self.batch_size)
        return Dataset.zip(data.repeat(), places.repeat())

    def _blocks(self, *arrays: NDArray[Any]) -> Any:
        return self._tf.data.Dataset.from_tensor_slices(self._place(*arrays)).batch(BLOCK)

    def _place(self, X: NDArray[Any], *y: NDArray[Any]) -> Any:
        """X, or (X, y), as tensors; bytes stay bytes."""
        X = self._tf.constant(X, "uint8" if X.dtype == np.uint8 else self.dtype)
        return (X, *(self._tf.constant(array, self.dtype) for array in y)) if y else X

    def _fetch(self) -> list[NDArray[Any]]:
        return [variable.numpy() for variable in self._variables]

    def _keep(self, values: dict[str, float]) -> None:
        """Count the epoch and keep its state, if all of it is finite."""
        state = self._fetch()
        finite = [math.isfinite(value) for value in values.values()]
        if not all(finite + [bool(np.isfinite(array).all()) for array in state]):
            raise diverged(self.epoch + 1, values["loss"], self.learning_rate)
        self._kept, self.epoch = state, self.epoch + 1


def same_sizes(
    orders: Iterable[NDArray[np.int32]], n: int, weights: NDArray[Any] | None, batch_size: int
) -> Iterator[NDArray[np.int32]]:
    """Hand orders on; raise ValueError where one is not as long as the first: steps are counted."""
    size = None
    for order in orders:
        check_order(order, n)
        check_batches(weights, order, batch_size)
        size = size or order.size
        if order.size != size:
            raise ValueError(
                f"an order has shape {order.shape}, expected ({size},) as the first one: the steps "
                "of an epoch are counted once."
            )
        yield order
