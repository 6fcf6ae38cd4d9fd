"""fastmlp's MLPClassifier on NumPy."""

from __future__ import annotations

import numpy as np
from digits import BATCH_SIZE, EPOCHS, LEARNING_RATE, SIZES, report

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
model.fit(digits.X_train * np.float32(digits.scale), digits.y_train)
report(model.predict(digits.X_test * np.float32(digits.scale)), digits.y_test)
