"""What every trainer is asked, what it tells of an epoch, and how it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp.core.network import Params


class Epoch(NamedTuple):
    """What one epoch did."""

    epoch: int  # counted from 1
    values: dict[str, float]  # loss and metrics: means over the epoch's samples as they were seen
    epoch_s: float


OnEpoch: TypeAlias = Callable[[Epoch], bool | None]


class DivergenceError(FloatingPointError, ValueError):
    """The loss or a weight is no longer finite; the trainer keeps the epoch before."""


def diverged(epoch: int, loss: float, learning_rate: float) -> DivergenceError:
    """Make the error that says in which epoch training diverged, and what to try."""
    return DivergenceError(
        f"training diverged in epoch {epoch} (loss {loss:g}): try a smaller learning rate than "
        f"{learning_rate:g}, or scale X to 0..1. The weights of epoch {epoch - 1} are kept."
    )


class TrainerLike(Protocol):
    """What estimators and comparisons ask of a trainer: `Trainer`, or the reference's."""

    name: str
    device: str
    epoch: int

    def run(  # noqa: D102
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        orders: Iterable[NDArray[np.int32]],
        on_epoch: OnEpoch | None = None,
        *,
        weights: NDArray[Any] | None = None,
        learning_rates: Iterable[float] | None = None,
    ) -> None: ...
    def evaluate(self, X: NDArray[Any], y: NDArray[Any]) -> dict[str, float]: ...  # noqa: D102
    def predict(self, X: NDArray[Any]) -> NDArray[Any]: ...  # noqa: D102
    def params(self) -> Params: ...  # noqa: D102
    def set_params(self, params: Params) -> None: ...  # noqa: D102
