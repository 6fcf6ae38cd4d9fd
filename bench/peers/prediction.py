"""The task "predict": labels of rows as they come, timed call by call and checked before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.peers.problem import Problem, Weights
from bench.peers.verify import WrongResultsError, logits

# uint8 rows (n, n_features) -> labels (n,): what a predict form makes of a problem
Predict: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
LEAST_MARGIN = 1e-5  # of the largest logit: float32 cannot tell classes that are closer


class Calls:
    """A contender that predicts all rows, batch_size at a time, once per order."""

    def __init__(self, predict: Predict, problem: Problem) -> None:
        self.predict = predict
        starts = range(0, problem.X.shape[0], problem.batch_size)
        self.batches = [problem.X[start : start + problem.batch_size] for start in starts]

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Predict as often as there are orders; the rows keep the data's own order."""
        for _ in orders:
            for x in self.batches:
                self.predict(x)

    def labels(self) -> NDArray[Any]:
        """Labels of all rows, from the calls that are timed."""
        return np.concatenate([np.asarray(self.predict(x)) for x in self.batches])

    def weights(self) -> Weights:
        """Say that nothing is learnt."""
        raise NotImplementedError("a prediction trains nothing")


def folded_weights(problem: Problem) -> Weights:
    """Weights that take X as it is: the scale is in the first W, and costs nothing per call."""
    (W, b), *others = problem.weights
    return [(W * np.float32(problem.scale), b), *others]


def check_labels(predict: Predict, problem: Problem) -> None:
    """Compare the labels of all rows with those of NumPy in float64.

    Raises
    ------
    WrongResultsError
        They are no (n,) whole numbers, or not those of the largest logits.
    """
    got, n = Calls(predict, problem).labels(), problem.X.shape[0]
    z = logits(problem, problem.weights)
    if got.shape != (n,) or got.dtype.kind not in "iu" or not set(got) <= set(range(z.shape[1])):
        raise WrongResultsError(
            f"labels have shape {got.shape} and dtype {got.dtype}, expected ({n},) whole numbers "
            f"from 0 to {z.shape[1] - 1}"
        )
    lost = z.max(axis=1) - z[np.arange(n), got]
    n_other = int((lost > LEAST_MARGIN * np.abs(z).max()).sum())
    if n_other:
        raise WrongResultsError(f"{n_other} of {n} rows get another label than from float64")
