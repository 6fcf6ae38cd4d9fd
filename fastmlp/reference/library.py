"""Keras on TensorFlow: whether it is there, and how it is loaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np

from fastmlp.backends import BackendStatus, BackendUnavailableError

LIBRARIES = ("tensorflow", "keras")
HINT = "pip install 'fastmlp[tensorflow]'"
OTHER_BACKEND_HINT = "Set KERAS_BACKEND=tensorflow, or unset it, before keras is first imported"


def load_keras() -> tuple[Any, Any]:
    """Return the modules (keras, tensorflow).

    Where the environment says nothing else, TensorFlow's start-up messages are left out and
    Keras is told to run on TensorFlow; nothing global to TensorFlow is set.

    Raises
    ------
    BackendUnavailableError
        One of them is not installed, or Keras runs on another backend in this process.
    """
    other = _other_backend()
    if other:
        raise BackendUnavailableError("keras", _runs_on(other), OTHER_BACKEND_HINT)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        tensorflow, keras = (import_module(name) for name in LIBRARIES)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name in LIBRARIES
        reason = f"{error.name} is not installed" if missing else f"cannot be imported ({error})"
        raise BackendUnavailableError("keras", reason, HINT) from error
    return keras, tensorflow


def reference_status() -> BackendStatus:
    """Say whether the reference can run here, and why not.

    It looks the packages up and imports neither, since TensorFlow takes seconds: what is broken
    shows when it is used. The device is TensorFlow's own choice: "auto" until it is imported.

    Returns
    -------
    BackendStatus

    Examples
    --------
    >>> reference_status().name
    'keras'
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        reason = f"{' and '.join(missing)} not installed"
        return BackendStatus("keras", False, "", "", reason, HINT)
    other = _other_backend()
    if other:
        return BackendStatus("keras", False, "", "", _runs_on(other), OTHER_BACKEND_HINT)
    versions = ", ".join(f"{name} {_version(name)}" for name in reversed(LIBRARIES))
    tensorflow = sys.modules.get("tensorflow")
    where = device(tensorflow) if tensorflow else "auto"
    return BackendStatus("keras", True, where, versions, "", "")


def device(tensorflow: Any) -> str:
    """Where TensorFlow computes: "gpu" if it sees one, else "cpu"."""
    return "gpu" if tensorflow.config.list_physical_devices("GPU") else "cpu"


@contextmanager
def full_float32(tensorflow: Any) -> Iterator[None]:
    """No TF32: float32 products in full float32 on a GPU too, as in our own backends."""
    config = tensorflow.config.experimental
    before = config.tensor_float_32_execution_enabled()
    config.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        config.enable_tensor_float_32_execution(before)


def _other_backend() -> str:
    keras = sys.modules.get("keras")
    chosen = keras.config.backend() if keras else os.environ.get("KERAS_BACKEND", "tensorflow")
    return "" if chosen == "tensorflow" else str(chosen)


def _runs_on(other: str) -> str:
    return f"Keras runs on {other!r} in this process, expected 'tensorflow'"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # TensorFlow is distributed under other names as well
        return "of unknown version"


def number(value: float, dtype: str) -> float:
    """A Python float, which TensorFlow takes for float32, or a float64 that stays one."""
    return np.float64(value) if dtype == "float64" else float(value)


def row(table: dict[Any, Any], key: Any, what: str) -> Any:
    """What a part of the recipe is in Keras."""
    if key not in table:
        raise ValueError(
            f"the recipe's {what} {key!r} has no counterpart in the Keras reference, expected one "
            "out of the tables of fastmlp.core."
        )
    return table[key]
