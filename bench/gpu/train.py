"""Part "train": the network of the lecture, from three seeds, and how well it learns."""

from __future__ import annotations

from collections.abc import Iterator

from bench.gpu.problems import images_of, mlp_recipe
from bench.gpu.settings import Row, Settings, open_backend, where
from fastmlp.core import gradient_descent
from fastmlp.training import Epoch, Trainer, draw_params, epoch_order, one_hot

LAYER_SIZES, BATCH_SIZE, LEARNING_RATE = (784, 128, 10), 128, 0.1
LEAST_ACCURACY = 0.8  # after little training; chance gives 0.1
FEW_ROWS = 12_000  # for a quick look, and without a GPU


def run(settings: Settings) -> Iterator[Row]:
    """Train from each seed; one row for each."""
    backend = open_backend(settings)
    name, X, y, X_test, y_test = images_of(settings.data_dir)
    n = min(FEW_ROWS, len(X)) if settings.quick or not settings.gpu else len(X)
    X, y = X[:n], one_hot(y[:n], 10)
    for seed in range(1 if settings.quick else 3):
        trainer = Trainer(
            backend,
            mlp_recipe(LAYER_SIZES, gradient_descent()),
            draw_params(LAYER_SIZES, seed),
            learning_rate=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            dtype="float32",
        )
        history: list[Epoch] = []
        epochs = range(1, 4 if settings.quick else 6)
        trainer.run(X, y, (epoch_order(n, seed, epoch) for epoch in epochs), history.append)
        test = trainer.evaluate(X_test, one_hot(y_test, 10))
        yield {
            **where(backend),
            "data": name,
            "rows": n,
            "seed": seed,
            "history": [epoch.values for epoch in history],
            "epoch_s": [epoch.epoch_s for epoch in history],
            "test_loss": test["loss"],
            "test_accuracy": test["accuracy"],
            "ok": test["accuracy"] >= LEAST_ACCURACY,
        }
