"""What the scripts share: the data as NumPy reads them, and the line that they end with."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from typing import Any

import numpy as np

EPOCHS, BATCH_SIZE, LEARNING_RATE = 20, 32, 0.1
SIZES = (64, 32, 10)
N_TRAIN = 44 * BATCH_SIZE  # whole batches, so that a smaller one is compiled by nobody


def load() -> tuple[Any, Any, Any, Any]:
    """Return X_train, y_train, X_test, y_test of the file in the first argument, X as 0..1."""
    with np.load(sys.argv[1]) as arrays:
        images, y = arrays["images"], arrays["labels"].astype(np.int64)
    X = images.reshape(-1, SIZES[0]) * np.float32(1 / 16)
    is_test = np.arange(len(y)) % 5 == 4
    return X[~is_test][:N_TRAIN], y[~is_test][:N_TRAIN], X[is_test], y[is_test]


def weights() -> list[tuple[Any, Any]]:
    """Draw W (n_in, n_out) and b (n_out,) of each layer, float32."""
    rng = np.random.default_rng(0)
    layers = []
    for n_in, n_out in pairwise(SIZES):
        bound = (6 / (n_in + n_out)) ** 0.5
        W = rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32)
        layers.append((W, np.zeros(n_out, np.float32)))
    return layers


def report(labels: Any, y: Any, **figures: Any) -> None:
    """Print the accuracy, and the peak memory where the system tells it, as a line of JSON."""
    print(json.dumps({"accuracy": float((labels == y).mean()), **memory(), **figures}))


def memory() -> dict[str, int]:
    """Return the memory that this process holds, and the most that it held, in bytes."""
    names = {"VmRSS": "rss_bytes", "VmHWM": "peak_rss_bytes"}
    try:
        with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123 (no import)
            pairs = [line.split(":") for line in file]
    except OSError:
        return {}
    return {names[name]: 1024 * int(text.split()[0]) for name, text in pairs if name in names}
