"""A backend of someone else: NumPy that counts what it brings to its device."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from fastmlp.backends import Backend, BackendUnavailableError, check_precision, get_backend
from fastmlp.core import Array

PLACED = Counter[str]()


def create(device: str | None, precision: str) -> Backend:
    if device not in (None, "toybox"):
        raise BackendUnavailableError("toy", f"device={device!r} is not in the toybox", "Tidy up")
    check_precision("toy", "toybox", precision)
    numpy = get_backend("numpy")

    def to_device(host: Any, dtype: str) -> Array:
        PLACED[dtype] += 1
        return numpy.to_device(host, dtype)

    return replace(numpy, name="toy", device="toybox", to_device=to_device)
