"""fastmlp without scikit-learn, on the backend that the second argument names."""

from __future__ import annotations

import sys

from digits import BATCH_SIZE, EPOCHS, LEARNING_RATE, N_TRAIN, SIZES, report

from fastmlp.backends import get_backend
from fastmlp.core import ACTIVATIONS, LOSSES, Recipe, gradient_descent
from fastmlp.data import load_digits
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

digits = load_digits()
trainer = Trainer(
    get_backend(sys.argv[2], "cpu"),
    Recipe(
        (ACTIVATIONS["relu"],),
        LOSSES["softmax_cross_entropy"],
        gradient_descent(),
        scale=digits.scale,
    ),
    draw_params(SIZES, 0),
    learning_rate=LEARNING_RATE,
    batch_size=BATCH_SIZE,
    dtype="float32",
)
X, y = digits.X_train[:N_TRAIN], one_hot(digits.y_train[:N_TRAIN], SIZES[-1])
trainer.run(X, y, (epoch_order(len(X), 0, epoch) for epoch in range(1, EPOCHS + 1)))
report(trainer.logits(digits.X_test).argmax(axis=1), digits.y_test)
