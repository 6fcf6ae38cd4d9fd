"""The multilayer perceptron, written once, trained on NumPy, JAX, CuPy and PyTorch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.certificate import parity
    from fastmlp.estimators import MLPClassifier, MLPRegressor
    from fastmlp.estimators.exchange import ModelFileError, load

__version__ = "0.1.0"
__all__ = ["MLPClassifier", "MLPRegressor", "ModelFileError", "__version__", "load", "parity"]


def __getattr__(name: str) -> Any:
    """Import what costs time, scikit-learn above all, when it is first asked for."""
    if name in ("MLPClassifier", "MLPRegressor"):
        return getattr(import_module("fastmlp.estimators"), name)
    if name in ("ModelFileError", "load"):
        return getattr(import_module("fastmlp.estimators.exchange"), name)
    if name == "parity":
        return getattr(import_module("fastmlp.certificate"), name)
    raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
