"""The network of the suites, 784-128-10, and its images."""

from __future__ import annotations

import numpy as np

from bench.gpu.problems import SCALE, Images
from bench.peers.problem import Optimization, Problem
from fastmlp.training import draw_params

LAYER_SIZES, BATCH_SIZE = (784, 128, 10), 128
LEARNING_RATES = {"mnist": 0.2, "generated": 0.1}  # the latter has more noise
TARGET = 0.97  # of the test images


def make_problem(images: Images, rows: int, seed: int, threads: int) -> Problem:
    """Put images and the initial weights of a seed together; no batch is smaller than others."""
    n = min(rows, images.X.shape[0])
    n -= n % BATCH_SIZE
    weights = tuple(
        (np.asarray(layer.W, dtype=np.float32), np.asarray(layer.b, dtype=np.float32))
        for layer in draw_params(LAYER_SIZES, seed)
    )
    return Problem(
        LAYER_SIZES,
        BATCH_SIZE,
        Optimization("sgd", LEARNING_RATES[images.name]),
        images.X[:n],
        images.y[:n],
        SCALE,
        weights,
        threads,
    )
