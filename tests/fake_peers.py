"""Contenders that misbehave, for the side-by-side's tests: a module with ``FORMS``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.adapters.numpy_ import FORMS as NUMPY_FORMS
from bench.peers.adapters.numpy_ import Loop
from bench.peers.prediction import Predict
from bench.peers.problem import Contender, Form, Problem, Unsupported


class Fake(Loop):
    """An honest contender until the given epoch, in which it does something else."""

    def __init__(self, deed: Callable[[Fake], None], epoch: int, problem: Problem) -> None:
        super().__init__(problem)
        self.deed, self.epoch, self.epochs = deed, epoch, 0

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        for order in orders:
            super().run([order])
            self.epochs += 1
            if self.epochs == self.epoch and self.problem.batch_size != self.problem.X.shape[0]:
                self.deed(self)


class Unfaithful(Loop):
    """Trains with a learning rate that is 1 % too high."""

    def __init__(self, problem: Problem) -> None:
        name, rate = problem.optimization
        super().__init__(
            problem._replace(
                optimization=problem.optimization._replace(name=name, learning_rate=1.01 * rate)
            )
        )


class Mislabelled(Loop):
    """Changes places of two classes in the last layer."""

    def weights(self) -> Any:
        *first, (W, b) = super().weights()
        swapped = np.arange(len(b))
        swapped[:2] = 1, 0
        return [*first, (W[:, swapped], b[swapped])]


def _bare(problem: Problem) -> Predict:
    predict: Predict = next(form for form in NUMPY_FORMS if form.task == "predict").make(problem)
    return predict


def _mislabel(problem: Problem) -> Predict:
    """Give one row of all another label."""
    predict, odd = _bare(problem), problem.X[5]

    def labels(x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(predict(x) ^ (x == odd).all(axis=1))

    return labels


def _raise(_: Fake) -> None:
    raise ValueError("broken cable")


def _absent(problem: Problem) -> Contender:
    raise ModuleNotFoundError("No module named 'absent'")


def _unable(problem: Problem) -> Contender:
    raise Unsupported("it has no such update")


def _fake(deed: Callable[[Fake], None], epoch: int, problem: Problem) -> Contender:
    return Fake(deed, epoch, problem)


FORMS = tuple(
    Form(name, kind, "numpy", "made for tests", make, *task)
    for name, kind, make, *task in (
        ("good", "fastmlp", partial(_fake, lambda fake: None, 0)),
        ("raises", "peer", partial(_fake, _raise, 1)),
        ("dies", "peer", partial(_fake, lambda fake: os._exit(3), 3)),
        ("hangs", "peer", partial(_fake, lambda fake: time.sleep(600), 1)),
        ("unfaithful", "peer", Unfaithful),
        ("mislabelled", "peer", Mislabelled),
        ("absent", "peer", _absent),
        ("unable", "peer", _unable),
        ("good", "fastmlp", _bare, "predict"),
        ("bare", "floor", _bare, "predict"),
        ("mislabels", "floor", _mislabel, "predict"),
        ("probable", "peer", lambda problem: lambda x: x[:, :10] / 16, "predict"),
    )
)
