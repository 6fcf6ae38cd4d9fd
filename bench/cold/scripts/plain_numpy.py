"""The training loop as one writes it by hand, without any library above NumPy."""

from __future__ import annotations

import numpy as np
from digits import BATCH_SIZE, EPOCHS, LEARNING_RATE, load, report, weights

X, y, X_test, y_test = load()
one_hot = np.eye(10, dtype=np.float32)[y]
(W1, b1), (W2, b2) = weights()
rng = np.random.default_rng(0)
for _ in range(EPOCHS):
    order = rng.permutation(len(X))
    for start in range(0, len(X), BATCH_SIZE):
        rows = order[start : start + BATCH_SIZE]
        x = X[rows]
        a = np.maximum(x @ W1 + b1, 0)
        logits = a @ W2 + b2
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        delta2 = (p - one_hot[rows]) / len(rows)
        delta1 = (delta2 @ W2.T) * (a > 0)
        W2 -= LEARNING_RATE * (a.T @ delta2)
        b2 -= LEARNING_RATE * delta2.sum(axis=0)
        W1 -= LEARNING_RATE * (x.T @ delta1)
        b1 -= LEARNING_RATE * delta1.sum(axis=0)
report((np.maximum(X_test @ W1 + b1, 0) @ W2 + b2).argmax(axis=1), y_test)
