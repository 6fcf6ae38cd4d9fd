"""Who is measured: our backends, the Keras reference, scikit-learn and PyTorch.

All of them get one `Problem`: the same data, initial weights and batches. PyTorch and scikit-learn
are used in the forms that `bench.peers` found to be their best documented ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.peers.adapters import fastmlp_, sklearn_, torch_
from bench.peers.problem import Problem, Weights
from bench.peers.verify import layers, mlp_recipe
from fastmlp.backends import backend_names, backend_status, get_backend
from fastmlp.compare.config import REFERENCE
from fastmlp.reference import KerasTrainer, reference_status
from fastmlp.training import one_hot


class Contender(Protocol):
    """A library with the problem's data and weights, ready to train and to predict."""

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Train one epoch per order, and wait until all is computed."""

    def weights(self) -> Weights:
        """Weights as they are now, as NumPy arrays."""

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """Labels (n,) of rows (n, n_features) of bytes, on the host."""


class Entry(NamedTuple):
    """One of the contenders, there or not."""

    name: str
    kind: str  # "fastmlp", "reference" or "peer"
    description: str
    make: Callable[[Problem], Contender]
    device: str
    version: str
    reason: str  # why it is not there; "" if it is

    @property
    def available(self) -> bool:
        """Whether it can run here."""
        return not self.reason


class OfBackend(fastmlp_.Epochs):
    """`fastmlp.training.Trainer` on a backend."""

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the largest logit's label."""
        labels: NDArray[Any] = self.trainer.logits(X).argmax(axis=1)
        return labels


class OfKeras:
    """The reference, `fastmlp.reference.KerasTrainer`."""

    def __init__(self, problem: Problem) -> None:
        self.X, self.y = problem.X, one_hot(problem.y, problem.layer_sizes[-1])
        self.trainer = KerasTrainer(
            mlp_recipe(problem),
            layers(problem.weights),
            learning_rate=problem.optimization.learning_rate,
            batch_size=problem.batch_size,
            dtype="float32",
        )

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Train on the data, which it places on its device anew."""
        self.trainer.run(self.X, self.y, orders)

    def weights(self) -> Weights:
        """Fetch them."""
        weights: Any = self.trainer.params()
        return list(weights)

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the most probable label."""
        labels: NDArray[Any] = self.trainer.predict(X).argmax(axis=1)
        return labels


class OfSklearn(sklearn_.Fit):
    """scikit-learn's own network."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.scale = np.float32(problem.scale)
        # of a number it would make the same orders anew in each call
        self.model.set_params(random_state=np.random.RandomState(0))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """Scale the rows, as it wants them, and ask."""
        return np.asarray(self.model.predict(X * self.scale))


class OfTorch(torch_.Network):
    """PyTorch with automatic differentiation."""

    def __init__(self, problem: Problem) -> None:
        super().__init__("tuned", problem)
        self.scale = np.float32(problem.scale)

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """Compute without gradients."""
        with self.torch.inference_mode():
            scaled = self.torch.from_numpy(X * self.scale)
            labels: NDArray[Any] = self.model(scaled).argmax(1).numpy()
            return labels


def names() -> tuple[str, ...]:
    """All contenders, in the order of tables."""
    return (*backend_names(), REFERENCE, *PEERS)


def find(name: str) -> Entry:
    """Look one up, there or not; no library but its own is asked."""
    if name in PEERS:
        package, words, make = PEERS[name]
        number = _version(package)
        why = "" if number else f"not installed. pip install {package}"
        return Entry(name, "peer", words, make, "cpu", number, why)
    is_reference = name == REFERENCE
    status = reference_status() if is_reference else backend_status(name)
    why = "" if status.available else f"{status.reason}. {status.hint}"
    where = status.device, status.version, why
    if is_reference:
        return Entry(name, "reference", "the reference: Keras on TensorFlow", OfKeras, *where)
    return Entry(name, "fastmlp", f"fastmlp on {name}", partial(_make, name), *where)


def _make(name: str, problem: Problem) -> Contender:
    return OfBackend(get_backend(name), problem)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


PEERS: Mapping[str, tuple[str, str, Callable[[Problem], Contender]]] = {
    "scikit-learn": ("scikit-learn", "MLPClassifier, fit with a warm start", OfSklearn),
    "pytorch": ("torch", "eager, automatic differentiation, fused optimizer", OfTorch),
}
