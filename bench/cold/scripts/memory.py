"""fastmlp on NumPy, an epoch of the bytes in two files: what it holds beyond them.

The files are read straight into the arrays, so that nothing before the training holds more than
what is there when it begins, and the peak of the process is the training's.
"""

from __future__ import annotations

import sys

import numpy as np
from digits import memory, report

from fastmlp.backends import get_backend
from fastmlp.core import ACTIVATIONS, LOSSES, Recipe, gradient_descent
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

backend = get_backend("numpy")
imported = memory().get("rss_bytes")
X, labels = np.load(sys.argv[1]), np.load(sys.argv[2])
y = one_hot(labels, 10)
recipe = Recipe(
    (ACTIVATIONS["relu"],), LOSSES["softmax_cross_entropy"], gradient_descent(), scale=1 / 255
)
trainer = Trainer(
    backend,
    recipe,
    draw_params((X.shape[1], 128, 10), 0),
    learning_rate=0.1,
    batch_size=128,
    dtype="float32",
)
trainer.run(X, y, [epoch_order(len(X), 0, 1)])
trained = memory().get("peak_rss_bytes")
known = imported is not None and trained is not None
extra = trained - imported - X.nbytes - y.nbytes if known else None
report(trainer.predict(X[:10_000]).argmax(axis=1), labels[:10_000], extra_bytes=extra)
