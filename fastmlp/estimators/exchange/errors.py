"""What goes wrong between fastmlp and the world outside."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class ModelFileError(ValueError):
    """A model file that is not one of ours, is damaged, or is of a newer fastmlp."""


def library(name: str, extra: str, purpose: str) -> Any:
    """Import an optional library, or raise ImportError that says how to get it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {name} ({error}): pip install 'fastmlp[{extra}]'"
        ) from error
