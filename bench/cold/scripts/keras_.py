"""Keras on TensorFlow: fit with the steps of an epoch in one execution, no XLA for so few."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
from digits import BATCH_SIZE, EPOCHS, LEARNING_RATE, SIZES, load, report

X, y, X_test, y_test = load()
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input(SIZES[:1]),
        keras.layers.Dense(SIZES[1], activation="relu"),
        keras.layers.Dense(SIZES[2]),
    ]
)
model.compile(
    keras.optimizers.SGD(LEARNING_RATE),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    steps_per_execution=-(-len(X) // BATCH_SIZE),
    jit_compile=False,
)
model.fit(X, y, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
report(model.predict_on_batch(X_test).argmax(axis=1), y_test)
