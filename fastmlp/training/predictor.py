"""What a network on one backend says of rows: outputs, loss and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.backends.record import Backend
from fastmlp.core.arrays import Array
from fastmlp.core.network import Params
from fastmlp.core.step import Carry, Recipe
from fastmlp.training.checks import check_rows, check_targets
from fastmlp.training.memory import tells_of_memory
from fastmlp.training.placed import dtype_name, on_device
from fastmlp.training.programs import Data, Programs


class Predictor:
    """The part of a `Trainer` that learns nothing."""

    backend: Backend
    recipe: Recipe
    dtype: str
    carry: Carry
    _programs: Programs
    _ready: tuple[Carry, Params] | None

    @tells_of_memory
    def evaluate(self, X: NDArray[Any] | Array, y: NDArray[Any]) -> dict[str, float]:
        """Loss without penalty, and metrics: means over all rows of X."""
        check_targets(self.carry.params, X, y)
        params, total = self._folded(), np.zeros(1)
        for rows in self._blocks(X.shape[0]):
            data = Data(self._block(X, rows), self.backend.to_device(y[rows], self.dtype))
            values = self.backend.fetch(self._programs.evaluate(params, data))
            total = total + (rows.stop - rows.start) * np.asarray(values, dtype=np.float64)
        return self._named((total / X.shape[0]).tolist())

    @tells_of_memory
    def predict(self, X: NDArray[Any] | Array) -> NDArray[Any]:
        """Outputs (n, n_outputs) on the host: probabilities, or values of a regression."""
        return self._on_host(self._programs.predict, X)

    @tells_of_memory
    def logits(self, X: NDArray[Any] | Array) -> NDArray[Any]:
        """Logits (n, n_outputs): the largest of a row tells its class, without a softmax."""
        return self._on_host(self._programs.logits, X)

    @tells_of_memory
    def answer(self, X: NDArray[Any] | Array) -> Array:
        """Outputs (n, n_outputs) on the device: of an X that lies there, the host sees nothing."""
        found = list(self._of_rows(self._programs.predict, X))
        joined: Array = found[0] if len(found) == 1 else on_device(self.backend).join(found)
        return joined

    def _on_host(self, program: Any, X: NDArray[Any] | Array) -> NDArray[Any]:
        found = [self.backend.to_host(block) for block in self._of_rows(program, X)]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _of_rows(self, program: Any, X: NDArray[Any] | Array) -> Iterator[Array]:
        check_rows(self.carry.params, X)
        params = self._folded()
        return (program(params, self._block(X, rows)) for rows in self._blocks(X.shape[0]))

    def _folded(self) -> Params:
        """Put the scale of X into W, as (scale x) W = x (scale W): once for each carry."""
        if self._ready is None or self._ready[0] is not self.carry:
            first, *others = self.carry.params
            if self.recipe.scale != 1.0:
                W = self.recipe.scale * self.backend.to_host(first.W)
                first = first._replace(W=self.backend.to_device(W, self.dtype))
            self._ready = self.carry, (first, *others)
        return self._ready[1]

    def _blocks(self, n: int) -> Iterator[slice]:
        """Rows whose activations are held at a time."""
        size = self.backend.block_rows
        return (slice(start, min(start + size, n)) for start in range(0, n, size))

    def _block(self, X: NDArray[Any] | Array, rows: slice) -> Array:
        """Rows of X on the device."""
        if isinstance(X, np.ndarray):
            return self._place(X[rows])
        if rows == slice(0, X.shape[0]):
            return X
        places = self.backend.to_device(np.arange(rows.start, rows.stop), "int32")
        block: Array = on_device(self.backend).take(X, places)
        return block

    def _place(self, X: NDArray[Any] | Array) -> Array:
        """X on the device, bytes as bytes, all else in the dtype of the weights."""
        if isinstance(X, np.ndarray):
            return self.backend.to_device(X, "uint8" if X.dtype == np.uint8 else self.dtype)
        if dtype_name(X) in ("uint8", self.dtype):
            return X  # uncopied
        cast: Array = on_device(self.backend).cast(X, self.carry.params[0].W)
        return cast

    def _named(self, values: list[float]) -> dict[str, float]:
        names = ["loss", *(name for name, _ in self.recipe.loss.metrics)]
        return dict(zip(names, values, strict=True))
