"""A network in training on one backend: data in, epochs run, numbers out."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.backends.record import HOT_STEPS, Backend
from fastmlp.core.arrays import Array
from fastmlp.core.network import Params
from fastmlp.core.step import Carry, Recipe
from fastmlp.training.chance import chance_of
from fastmlp.training.checks import (
    check_batches,
    check_order,
    check_settings,
    check_targets,
    check_weights,
    plain_augmentation,
)
from fastmlp.training.columns import Columns, keeps_unused, live_columns, moves_others
from fastmlp.training.memory import tells_of_memory
from fastmlp.training.predictor import Predictor
from fastmlp.training.programs import Data, programs
from fastmlp.training.protocol import DivergenceError, Epoch, OnEpoch, diverged


class Placed(NamedTuple):
    """Data of a training on the device."""

    arrays: Data
    n_rows: int
    columns: Columns | None  # of X that are there, if not all are
    weights: NDArray[Any] | None = None  # (n,) on the host, if rows have some


class Trainer(Predictor):
    """A network, its optimizer's state and its data's way to one backend.

    Parameters
    ----------
    backend : Backend
    recipe : Recipe
    params : tuple of Layer
        Initial weights on the host, see `draw_params`.
    learning_rate : float
    batch_size : int
    dtype : str
        "float32" or "float64", of the weights and of all computation.
    overlap : bool
        Let ``on_epoch`` hear of an epoch when the next one is already under way, on a library that
        computes while Python goes on; if it then ends the training, that one is dropped.
    seed : int
        Of dropout's masks and of the ways that images are moved; counts modulo 2^32.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.backends import get_backend
    >>> from fastmlp.core import LOSSES, Recipe, gradient_descent
    >>> from fastmlp.training import Trainer, draw_params, epoch_order
    >>> X = np.asarray([[0.0], [1.0], [2.0], [3.0]])
    >>> linear = Recipe((), LOSSES["squared_error"], gradient_descent())
    >>> trainer = Trainer(
    ...     get_backend("numpy"), linear, draw_params((1, 1), 0),
    ...     learning_rate=0.1, batch_size=2, dtype="float64",
    ... )
    >>> trainer.run(X, 2.0 * X + 1.0, [epoch_order(4, 0, epoch) for epoch in range(1, 201)])
    >>> trainer.predict(np.asarray([[10.0]])).round(3)
    array([[21.]])
    """

    @tells_of_memory
    def __init__(
        self,
        backend: Backend,
        recipe: Recipe,
        params: Params,
        *,
        learning_rate: float,
        batch_size: int,
        dtype: str,
        overlap: bool = False,
        seed: int = 0,
    ) -> None:
        check_settings(recipe, params, batch_size, dtype)
        recipe = recipe._replace(
            l2=float(recipe.l2),
            scale=float(recipe.scale),
            l1=float(recipe.l1),
            dropout=tuple(map(float, recipe.dropout)),
            augmentation=plain_augmentation(recipe.augmentation),
        )
        self.backend, self.recipe, self.batch_size, self.dtype = backend, recipe, batch_size, dtype
        self.learning_rate, self.overlap, self.seed = learning_rate, overlap, int(seed)
        self.name, self.device = backend.name, backend.device
        self.epoch = 0  # complete ones, the carry is the last one's
        xp: Any = np  # the host's
        state = recipe.optimizer.init(xp, params)
        host = Carry(params, state, xp.asarray(learning_rate), xp.asarray(0.0))
        self.carry: Carry = backend.place(host, dtype)
        self._programs = programs(backend, recipe)
        self._ready: tuple[Carry, Params] | None = None
        self._no_rest = backend.to_device(np.empty(0), "int32")

    def run(
        self,
        X: NDArray[Any] | Array,
        y: NDArray[Any],
        orders: Iterable[NDArray[np.int32]],
        on_epoch: OnEpoch | None = None,
        *,
        weights: NDArray[Any] | None = None,
        learning_rates: Iterable[float] | None = None,
    ) -> None:
        """Train for one epoch per order.

        Parameters
        ----------
        X : (n, n_features) array
            Of NumPy, or of the backend on its own device, where it is used as it lies there. uint8
            stays uint8 on the device; anything else becomes dtype.
        y : (n, n_outputs) array
        orders : iterable of (n,) int arrays
            Row numbers of each epoch, cut into batches as they come.
        on_epoch : callable, optional
            Called after each epoch, outside its time unless ``overlap``; a true answer ends the
            training.
        weights : (n,) array, optional
            What each row counts in the mean of its batch (eq. 24); left out, all count alike.
        learning_rates : iterable of float, optional
            One for each epoch, asked for when the epoch begins; left out, the rate stays.

        Raises
        ------
        DivergenceError
            Names the epoch; ``carry`` stays that of the epoch before.
        DeviceMemoryError
            The device has no room for the data, or for a batch; ``carry`` stays that of the last
            complete epoch.
        """
        self.train(self.place(X, y, weights), orders, on_epoch, learning_rates)

    @tells_of_memory
    def place(
        self,
        X: NDArray[Any] | Array,
        y: NDArray[Any],
        weights: NDArray[Any] | None = None,
        *,
        whole: bool = False,
    ) -> Placed:
        """Bring the data of a training to the device, for `train`; ``whole``: all columns."""
        check_targets(self.carry.params, X, y)
        check_weights(weights, X.shape[0], self.dtype)
        used = None
        if isinstance(X, np.ndarray) and not whole and keeps_unused(self.recipe):
            block = self.backend.column_block
            used = live_columns(X, block) if block else None
        if self._moves_unused(used):
            used = None
        data = self._place(X if used is None else X[:, used.kept])
        to_device, params = self.backend.to_device, self.carry.params
        rest = chance_of(self.backend, self.recipe, params, self.seed, self.dtype)
        if weights is not None:
            rest["weights"] = to_device(weights.reshape(-1, 1), self.dtype)
        return Placed(Data(data, to_device(y, self.dtype), **rest), X.shape[0], used, weights)

    @tells_of_memory
    def train(
        self,
        data: Placed,
        orders: Iterable[NDArray[np.int32]],
        on_epoch: OnEpoch | None = None,
        learning_rates: Iterable[float] | None = None,
    ) -> None:
        """Train for one epoch per order, as `run`, on data that have been placed.

        Without ``on_epoch``, or with ``overlap``, an epoch is started before the one before it is
        known to have ended well, so that the device need not wait for the host.
        """
        if self._moves_unused(data.columns):
            raise ValueError(
                "data were placed before a training that now moves weights of columns that are "
                "zero in them: place them again."
            )
        carry, is_wide = self.carry, True
        ahead = 0 if on_epoch and not self.overlap else self.backend.ahead
        try:
            rates = repeat(None) if learning_rates is None else learning_rates
            for ended, values, epoch_s in self._epochs(
                data, zip(orders, rates, strict=False), ahead
            ):
                carry, is_wide, self.epoch = ended, False, self.epoch + 1
                if on_epoch:
                    carry, is_wide = self._widened(carry, data.columns), True
                    self.carry = carry
                    is_enough = on_epoch(Epoch(self.epoch, self._named(values[:-1]), epoch_s))
                    if self.carry is not carry:
                        raise RuntimeError(
                            "on_epoch put another carry into the trainer, which a running training "
                            "does not see: let on_epoch return True, change it, and run again."
                        )
                    if is_enough:
                        break
        finally:
            self.carry = carry if is_wide else self._widened(carry, data.columns)

    def _epochs(
        self,
        data: Placed,
        orders: Iterable[tuple[NDArray[np.int32], float | None]],
        ahead: int,
    ) -> Iterator[tuple[Carry, list[float], float]]:
        """Carry, report and time of each epoch that ended well; ``ahead`` more are under way."""
        running: deque[tuple[Carry, Any, float]] = deque()
        carry, last_s, error = self._narrowed(self.carry, data.columns), 0.0, None
        last_rate: float | None = None

        def ended() -> tuple[Carry, list[float], float]:
            nonlocal last_s
            after, report, started = running.popleft()
            values = self.backend.to_host(report).tolist()
            since, last_s = max(started, last_s), time.perf_counter()
            if not all(math.isfinite(value) for value in values):
                raise diverged(self.epoch + 1, values[0], self.learning_rate)
            return after, values, last_s - since

        try:
            for order, rate in orders:
                check_order(order, data.n_rows)
                check_batches(data.weights, order, self.batch_size)
                if rate is not None and rate != last_rate:
                    self.learning_rate = last_rate = rate
                    placed = self.backend.to_device(np.asarray(rate), self.dtype)
                    carry = carry._replace(learning_rate=placed)
                started = time.perf_counter()
                n_before = self.epoch + len(running)
                carry, report = self._start(carry, data.arrays, order, n_before)
                running.append((carry, report, started))
                if len(running) > ahead:
                    yield ended()
        except DivergenceError:
            raise
        except (Exception, KeyboardInterrupt) as raised:
            error = raised  # of the orders, say: what is under way by now is kept
        while running:
            yield ended()
        if error:
            raise error

    def _start(
        self, carry: Carry, data: Data, order: NDArray[np.int32], n_before: int
    ) -> tuple[Carry, Any]:
        """Full batches, then the rest as a batch of its own: two shapes at most."""
        n_full = order.size - order.size % self.batch_size
        batches, rest = order[:n_full].reshape(-1, self.batch_size), order[n_full:]
        place = self.backend.to_device
        placed = place(batches, "int32"), place(rest, "int32") if rest.size else self._no_rest
        # the training's own count, not the process': the same training is rounded the same way
        is_hot = n_before * math.ceil(order.size / self.batch_size) >= HOT_STEPS
        program = self._programs.hot_epoch if is_hot else self._programs.epoch
        after, report = program(carry, data, *placed)
        return after, report

    def _moves_unused(self, used: Columns | None) -> bool:
        """Tell whether the optimizer has momentum from other data for columns that are left out."""
        return used is not None and moves_others(used, self.backend.fetch(self.carry.state))

    def _narrowed(self, carry: Carry, used: Columns | None) -> Carry:
        if used is None:
            return carry
        narrow: Carry = self._programs.narrow(carry, self.backend.to_device(used.kept, "int32"))
        return narrow

    def _widened(self, carry: Carry, used: Columns | None) -> Carry:
        if used is None:
            return carry
        back = self.backend.to_device(used.back, "int32")
        wide: Carry = self._programs.widen(carry, self.carry, back)
        return wide

    @tells_of_memory
    def params(self) -> Params:
        """Weights and biases of the last complete epoch, on the host."""
        params: Params = self.backend.fetch(self.carry.params)
        return params

    @tells_of_memory
    def set_params(self, params: Params) -> None:
        """Go on with other weights and biases of the same shapes; all else stays."""
        self.carry = self.carry._replace(params=self.backend.place(params, self.dtype))
