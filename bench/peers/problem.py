"""What every contender is given, and what it must be able to do with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from numpy.typing import NDArray

Weights: TypeAlias = Sequence[tuple[NDArray[Any], NDArray[Any]]]  # W (n_in, n_out), b (n_out,)


class Optimization(NamedTuple):
    """How weights are updated: "sgd", "momentum" (0.9) or "adam" (0.9, 0.999, 1e-8)."""

    name: str
    learning_rate: float


class Problem(NamedTuple):
    """A network with ReLU between its layers, softmax with cross-entropy after them, in float32."""

    layer_sizes: tuple[int, ...]
    batch_size: int
    optimization: Optimization
    X: NDArray[Any]  # (n, n_features) uint8; n is a multiple of batch_size
    y: NDArray[Any]  # (n,) int64, 0 to n_classes - 1
    scale: float  # X * scale is what enters the network
    weights: Weights  # initial ones, float32
    threads: int


class Contender(Protocol):
    """A library with the problem's data and weights, ready to train."""

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Train one epoch per order (n,) int32, batch by batch, and wait until all is computed."""

    def weights(self) -> Weights:
        """Weights as they are now, as NumPy arrays in the shapes of the problem's."""


class Form(NamedTuple):
    """One way of using a library; `Unsupported` raised by make says why a problem is left out.

    ``make(problem)`` returns a `Contender`, or for the task "predict" a `prediction.Predict`.
    """

    name: str  # "torch:compile"
    kind: str  # "fastmlp", "peer" or "floor"
    package: str  # as pip knows it
    description: str  # what is special about the form, in one line
    make: Callable[[Problem], Any]
    task: str = "train"  # or "predict"


class Unsupported(Exception):  # noqa: N818
    """A form cannot, or need not, run a problem; the message says why."""
