"""Many networks in one pass: what differs between them is data of one program.

Networks of one recipe differ in their weights, learning rates, orders, masks and rows. All of that
are arrays, so that one program learns all of them at once, along a first axis, from one X and y.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.backends.memory import first_line, is_out_of_memory
from fastmlp.backends.record import Backend, Many
from fastmlp.core.arrays import Array
from fastmlp.core.augmentation import Grid
from fastmlp.core.chance import Chance
from fastmlp.core.step import Carry, Recipe
from fastmlp.core.tree import tree_map
from fastmlp.training.chance import seed_words
from fastmlp.training.checks import check_batches, check_order, check_weights
from fastmlp.training.memory import DeviceMemoryError
from fastmlp.training.programs import Data, epoch_of
from fastmlp.training.protocol import DivergenceError, Epoch, OnEpoch, diverged
from fastmlp.training.trainer import Trainer


@dataclass
class Learner:
    """One of many networks: where it starts, what it learns from, and where it ends."""

    trainer: Trainer  # has the network's own start, and in the end its last complete epoch
    orders: Iterator[NDArray[np.int32]]  # of its own rows; as many epochs as the others
    on_epoch: OnEpoch
    learning_rates: Iterator[float]
    rows: NDArray[np.int32] | None = None  # of X and y, that are its own, if not all are
    weights: NDArray[Any] | None = None  # (n,), one for each of its own rows
    looks: bool = False  # whether on_epoch looks into the trainer
    order: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    error: DivergenceError | None = None


class ManyPrograms(NamedTuple):
    """Compiled functions of trees that have a first axis for the networks."""

    epoch: Any  # (carry, data, batches, rest) -> carry, report
    pick: Any  # (tree, number) -> the tree of the network with that number, of shape (1,)


@lru_cache(maxsize=64)
def many_programs(backend: Backend, recipe: Recipe, own: Data) -> ManyPrograms:
    """Build the programs; ``own`` has 0 for what of the data each network has of its own."""
    xp, many = backend.xp, _many(backend)
    as_written = replace(backend, scan=many.scan, tune=lambda recipe: recipe)

    def pick(tree: Any, number: Array) -> Any:
        def taken(array: Array) -> Array:
            return xp.reshape(xp.take(array, number, axis=0), array.shape[1:])

        return tree_map(taken, tree)

    epoch = many.vmap(epoch_of(as_written, recipe), (0, own, 0, 0))
    return ManyPrograms(backend.jit(epoch), backend.jit(pick))


def train_many(learners: Sequence[Learner], X: NDArray[Any] | Array, y: NDArray[Any]) -> None:
    """Train networks of one recipe and one shape at once, on a backend that can.

    Parameters
    ----------
    learners : sequence of Learner
        Alike in recipe, batch size, dtype, number of rows and epochs, and in whether they have
        weights. Each one is trained until its on_epoch says so or its orders end, and then has in
        its trainer what `Trainer.run` would have left there. One that diverges keeps the epoch
        before, and its ``error``; the others do not notice.
    X : (n, n_features) array
    y : (n, n_outputs) array

    Raises
    ------
    DeviceMemoryError
        The device has no room for so many networks; nothing has been learnt that is not in the
        trainers.
    """
    try:
        _Training(learners, X, y).run()
    except Exception as error:
        if isinstance(error, DeviceMemoryError) or not is_out_of_memory(error):
            raise
        cause, first = error.with_traceback(None), learners[0].trainer
    else:
        return
    raise DeviceMemoryError(
        f"{first.name} on {first.device!r} has no memory for {len(learners)} networks at once "
        f"({first_line(cause)}): train fewer at a time."
    ) from cause


class _Training:
    """State of a pass: which networks still learn, and what has been started for all of them."""

    def __init__(
        self, learners: Sequence[Learner], X: NDArray[Any] | Array, y: NDArray[Any]
    ) -> None:
        first = learners[0].trainer
        self.learners, self.backend, self.batch_size = learners, first.backend, first.batch_size
        self.dtype, self.learning = first.dtype, list(range(len(learners)))
        rows = learners[0].rows
        self.n_rows = X.shape[0] if rows is None else rows.size
        self.data, own = self._place(first, X, y)
        self.programs = many_programs(first.backend, first.recipe, own)
        carries = [learner.trainer.backend.fetch(learner.trainer.carry) for learner in learners]
        stacked: Any = tree_map(lambda *arrays: np.stack(arrays), *carries)
        self.start: Carry = self.backend.place(stacked, self.dtype)
        self.kept = [self.start] * len(learners)  # the last that each one has heard of
        self.rates: list[float] = stacked.learning_rate.tolist()
        self.last_s = 0.0

    def run(self) -> None:
        overlaps = all(learner.trainer.overlap for learner in self.learners)
        ahead, carry = self.backend.ahead if overlaps else 0, self.start
        running: deque[tuple[Carry, Any, float]] = deque()
        try:
            while self.learning and self._draw():
                started = time.perf_counter()
                carry, report = self._start(carry)
                running.append((carry, report, started))
                if len(running) > ahead:
                    self._hear(*running.popleft())
            while self.learning and running:
                self._hear(*running.popleft())
        finally:
            for number in list(self.learning):
                self._stop(number)

    def _place(
        self, trainer: Trainer, X: NDArray[Any] | Array, y: NDArray[Any]
    ) -> tuple[Data, Data]:
        """Bring one X and y to the device, and what each network has of its own; say what is."""
        shared = trainer.place(X, y, whole=True).arrays
        to_device = self.backend.to_device
        own: dict[str, Any] = {}
        axes: dict[str, Any] = {}
        rows: Any = [learner.rows for learner in self.learners]
        if rows[0] is not None:
            own["places"], axes["places"] = to_device(np.stack(rows), "int32"), 0
        weights: Any = [learner.weights for learner in self.learners]
        for found in weights:
            check_weights(found, self.n_rows, self.dtype)
        if weights[0] is not None:
            own["weights"] = to_device(np.stack(weights)[:, :, None], self.dtype)
            axes["weights"] = 0
        words = seed_words([learner.trainer.seed for learner in self.learners])
        seeds = to_device(words.reshape(-1, 1), "int32")
        if isinstance(shared.chance, Chance):
            own["chance"] = shared.chance._replace(seed=seeds)
            axes["chance"] = Chance(0, None)  # type: ignore[arg-type]
        if isinstance(shared.grid, Grid):
            own["grid"] = shared.grid._replace(chance=shared.grid.chance._replace(seed=seeds))
            axes["grid"] = Grid(Chance(0, None), None, None, None)  # type: ignore[arg-type]
        return shared._replace(**own), Data(None, None, **axes)  # type: ignore[arg-type]

    def _draw(self) -> bool:
        """Take an order and a rate for each network that still learns; False where they end."""
        for number in self.learning:
            learner = self.learners[number]
            order = next(learner.orders, None)
            if order is None:
                return False
            check_order(order, self.n_rows)
            check_batches(learner.weights, order, self.batch_size)
            learner.order = order
        return True

    def _start(self, carry: Carry) -> tuple[Carry, Any]:
        """Start an epoch of all networks; those that have ended go on, unheard."""
        rates = list(self.rates)
        for number in self.learning:
            rates[number] = next(self.learners[number].learning_rates)
        to_device = self.backend.to_device
        if rates != self.rates:
            self.rates = rates
            carry = carry._replace(learning_rate=to_device(np.asarray(rates), self.dtype))
        order = np.stack([learner.order for learner in self.learners])
        n_networks, n = order.shape
        n_full = n - n % self.batch_size
        batches = order[:, :n_full].reshape(n_networks, -1, self.batch_size)
        placed = to_device(batches, "int32"), to_device(order[:, n_full:], "int32")
        after, report = self.programs.epoch(carry, self.data, *placed)
        return after, report

    def _hear(self, after: Carry, report: Any, started: float) -> None:
        """Let each network that still learns hear of its epoch."""
        values: list[list[float]] = self.backend.to_host(report).tolist()
        since, self.last_s = max(started, self.last_s), time.perf_counter()
        epoch_s = (self.last_s - since) / len(values)
        for number in list(self.learning):
            learner, trainer = self.learners[number], self.learners[number].trainer
            found = values[number]
            trainer.learning_rate = self.rates[number]
            if not all(math.isfinite(value) for value in found):
                learner.error = diverged(trainer.epoch + 1, found[0], trainer.learning_rate)
                self._stop(number)
                continue
            self.kept[number], trainer.epoch = after, trainer.epoch + 1
            if learner.looks:
                trainer.carry = self._own(number)
            if learner.on_epoch(Epoch(trainer.epoch, trainer._named(found[:-1]), epoch_s)):
                self._stop(number)

    def _own(self, number: int) -> Carry:
        """Take the last carry that a network has heard of out of that of all."""
        place = self.backend.to_device(np.asarray([number]), "int32")
        carry: Carry = self.programs.pick(self.kept[number], place)
        return carry

    def _stop(self, number: int) -> None:
        """Leave a network as it is, and let it hear no more."""
        self.learners[number].trainer.carry = self._own(number)
        self.learning.remove(number)


def _many(backend: Backend) -> Many:
    if backend.many is None:
        raise ValueError(
            f"backend {backend.name!r} does not train many networks at once: train one after the "
            "other."
        )
    return backend.many
