"""In and out: model files, and other libraries' models."""

from __future__ import annotations

from fastmlp.estimators.exchange.errors import ModelFileError
from fastmlp.estimators.exchange.model_file import load

__all__ = ["ModelFileError", "load"]
