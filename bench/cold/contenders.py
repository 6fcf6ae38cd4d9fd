"""Who is started: a script each, and what it needs to be there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).parent / "scripts"


class Contender(NamedTuple):
    """A script in `SCRIPTS`, or elsewhere if its path is absolute, and its last arguments."""

    name: str
    task: str  # "start": the digits from import to labels; "memory": an epoch of 60,000 images
    package: str  # as pip knows it
    description: str
    script: str
    arguments: tuple[str, ...] = ()  # after the files of the data


CONTENDERS = (
    Contender("python:empty", "start", "numpy", "imports NumPy and loads the data", "empty.py"),
    Contender("numpy:plain", "start", "numpy", "a loop written by hand", "plain_numpy.py"),
    Contender(
        "fastmlp:numpy", "start", "numpy", "without scikit-learn", "fastmlp_trainer.py", ("numpy",)
    ),
    Contender("fastmlp:estimator", "start", "scikit-learn", "on NumPy", "fastmlp_estimator.py"),
    Contender("sklearn", "start", "scikit-learn", "MLPClassifier", "sklearn_.py"),
    Contender(
        "fastmlp:jax", "start", "jax", "without scikit-learn", "fastmlp_trainer.py", ("jax",)
    ),
    Contender("optax:scan", "start", "optax", "an epoch is one jitted scan", "optax_.py"),
    Contender("torch", "start", "torch", "eager, fused optimizer", "torch_.py"),
    Contender("keras", "start", "keras", "fit, an epoch in one execution", "keras_.py"),
    Contender("fastmlp:numpy", "memory", "numpy", "an epoch of Trainer.run", "memory.py"),
)
