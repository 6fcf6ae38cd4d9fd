"""What is compared: one network, one data set, one training."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

from fastmlp.backends import backend_names
from fastmlp.data import DATASETS

REFERENCE = "keras"

# Enough to learn each data set in seconds; any other one is taken to be as large as MNIST.
EPOCHS = {"digits": 20, "mnist": 10}
BATCH_SIZE = {"digits": 32, "mnist": 128}


@dataclass(frozen=True)
class Config:
    """Choices of a comparison, checked when they are made.

    Raises
    ------
    ValueError
        Names the choice, its value and what was expected.

    Examples
    --------
    >>> config = Config(dataset="digits", hidden=(128, 64))
    >>> config.epochs, config.batch_size
    (20, 32)
    """

    dataset: str = "digits"
    data_dir: str | None = None
    hidden: tuple[int, ...] = (128,)
    epochs: int = 0  # 0: what suits the data set
    batch_size: int = 0
    learning_rate: float = 0.1
    backends: tuple[str, ...] = ()  # (): all there are, and the reference
    seed: int = 0
    threads: int = 0  # 0: all cores
    grid: str = "FRA"
    activation: str = "relu"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        _require(self.dataset in DATASETS, "dataset", self.dataset, f"one of {list(DATASETS)}")
        defaults = {
            "epochs": EPOCHS.get(self.dataset, EPOCHS["mnist"]),
            "batch_size": BATCH_SIZE.get(self.dataset, BATCH_SIZE["mnist"]),
            "threads": cores(),
        }
        for name, value in defaults.items():
            if getattr(self, name) == 0:
                object.__setattr__(self, name, value)
        _require(
            all(size >= 1 for size in self.hidden), "hidden", self.hidden, "sizes of 1 or more"
        )
        _require(self.epochs >= 1, "epochs", self.epochs, "1 or more")
        _require(self.batch_size >= 1, "batch_size", self.batch_size, "1 or more")
        _require(
            0.0 < self.learning_rate < math.inf,
            "learning_rate",
            self.learning_rate,
            "a positive number",
        )
        _require(self.seed >= 0, "seed", self.seed, "0 or more")
        _require(
            1 <= self.threads <= cores(), "threads", self.threads, f"1 to {cores()}, the cores here"
        )
        known = (*backend_names(), REFERENCE)
        for name in self.backends:
            _require(name in known, "backends", name, f"names out of {list(known)}")
        _require(
            len(set(self.backends)) == len(self.backends),
            "backends",
            self.backends,
            "no name twice",
        )

    @property
    def contenders(self) -> tuple[str, ...]:
        """Who takes part: those asked for, or all backends and the reference."""
        return self.backends or (*backend_names(), REFERENCE)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _require(right: bool, name: str, value: Any, expected: str) -> None:
    if not right:
        raise ValueError(f"{name}={value!r} is not possible, expected {expected}.")
