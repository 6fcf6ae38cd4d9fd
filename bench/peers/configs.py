"""The configurations that contenders are compared on, and their data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.gpu.problems import generated_images
from bench.peers.problem import Optimization, Problem
from fastmlp.data import load_digits, load_mnist
from fastmlp.training import draw_params

SGD = Optimization("sgd", 0.1)
CHECK_ROWS = 512


class Config(NamedTuple):
    """A network and the rows of an epoch: as many as fill batches, so that none is smaller.

    In the task "predict" an epoch is n_rows predicted once, batch_size rows per call.
    """

    layer_sizes: tuple[int, ...]
    batch_size: int
    n_rows: int
    optimization: Optimization = SGD
    task: str = "train"  # or "predict"


CONFIGS = {
    "s": Config((784, 128, 10), 128, 59_904),
    "sb": Config((784, 128, 10), 32, 60_000),
    "m": Config((784, 512, 256, 10), 128, 19_968),
    "l": Config((784, 2048, 2048, 10), 512, 4_096),
    "tiny": Config((64, 32, 10), 32, 1_792),
    "gd": Config((784, 128, 10), 60_000, 60_000),
    "s-mom": Config((784, 128, 10), 128, 59_904, Optimization("momentum", 0.1)),
    "s-adam": Config((784, 128, 10), 128, 59_904, Optimization("adam", 0.001)),
    "predict-1": Config((784, 128, 10), 1, 500, task="predict"),
    "predict-10k": Config((784, 128, 10), 10_000, 10_000, task="predict"),
}
QUICK_ROWS = 6_400  # of s, with --quick


def data_of(config: Config, data_dir: str | None) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return X (n, n_features) uint8, y (n,) and the scale that takes X to 0..1.

    Networks of 64 inputs get the digits, those of 784 the MNIST of the folder, or, without one,
    images generated in its size, with an empty margin as wide as MNIST's.
    """
    n = config.n_rows
    if config.layer_sizes[0] == 64:
        digits = load_digits()
        X = np.concatenate([digits.X_train, digits.X_test])
        y = np.concatenate([digits.y_train, digits.y_test])
        return X[:n], y[:n], digits.scale
    if data_dir is None:
        return *generated_images(n, 0), 1 / 255
    mnist = load_mnist(data_dir)
    return mnist.X_train[:n], mnist.y_train[:n], mnist.scale


def make_problem(config: Config, data_dir: str | None, threads: int) -> Problem:
    """Put data and initial weights to a configuration: the same ones in every process."""
    X, y, scale = data_of(config, data_dir)
    weights = tuple(
        (np.asarray(layer.W, dtype=np.float32), np.asarray(layer.b, dtype=np.float32))
        for layer in draw_params(config.layer_sizes, 0)
    )
    return Problem(
        config.layer_sizes, config.batch_size, config.optimization, X, y, scale, weights, threads
    )


def check_problem(problem: Problem) -> Problem:
    """Return the same with few rows as one batch, whose order cannot matter."""
    n = min(CHECK_ROWS, problem.X.shape[0])
    return problem._replace(X=problem.X[:n], y=problem.y[:n], batch_size=n)
