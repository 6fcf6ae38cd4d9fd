"""scikit-learn's MLPClassifier on float32 rows."""

from __future__ import annotations

import warnings

from digits import BATCH_SIZE, EPOCHS, LEARNING_RATE, SIZES, load, report
from sklearn.neural_network import MLPClassifier

X, y, X_test, y_test = load()
model = MLPClassifier(
    SIZES[1:-1],
    solver="sgd",
    momentum=0.0,
    alpha=0.0,
    batch_size=BATCH_SIZE,
    learning_rate_init=LEARNING_RATE,
    max_iter=EPOCHS,
    tol=0.0,
    n_iter_no_change=EPOCHS,
    random_state=0,
)
warnings.simplefilter("ignore")  # it does not converge, and need not
model.fit(X, y)
report(model.predict(X_test), y_test)
