"""fastmlp's MLPClassifier on NumPy."""

from __future__ import annotations

import numpy as np
from digits import BATCH_SIZE, EPOCHS, LEARNING_RATE, N_TRAIN, SIZES, report

from fastmlp import MLPClassifier
from fastmlp.data import load_digits

digits = load_digits()
model = MLPClassifier(
    SIZES[1:-1],
    solver="sgd",
    momentum=0.0,
    alpha=0.0,
    batch_size=BATCH_SIZE,
    learning_rate_init=LEARNING_RATE,
    max_iter=EPOCHS,
    tol=0.0,
    random_state=0,
    backend="numpy",
)
X, y = digits.X_train[:N_TRAIN], digits.y_train[:N_TRAIN]
model.fit(X * np.float32(digits.scale), y)
report(model.predict(digits.X_test * np.float32(digits.scale)), digits.y_test)
