"""The reference: the same network, trained by Keras on TensorFlow."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastmlp.reference.keras_trainer import KerasTrainer
from fastmlp.reference.library import reference_status

if TYPE_CHECKING:
    from fastmlp.reference.estimators import MLPClassifier, MLPRegressor

__all__ = ["KerasTrainer", "MLPClassifier", "MLPRegressor", "reference_status"]


def __getattr__(name: str) -> Any:
    """Import the estimators, and scikit-learn with them, when they are first asked for."""
    if name in ("MLPClassifier", "MLPRegressor"):
        return getattr(import_module("fastmlp.reference.estimators"), name)
    raise AttributeError(f"module 'fastmlp.reference' has no attribute {name!r}")
