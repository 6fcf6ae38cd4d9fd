"""Backends that refuse what the real ones let pass, each of them so that a test can see it.

array-api-strict on a fake second device is the stand-in for a GPU where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import array_api_strict as xp
import numpy as np
import pytest

from fastmlp.backends import Backend, get_backend
from fastmlp.backends.standard import standard_backend
from fastmlp.core import Array

DEVICE = xp.Device("device1")
# np.asarray(a) is refused by the fake device itself, these are not.
HOST_TRIPS = ("__bool__", "__complex__", "__dlpack__", "__float__", "__index__", "__int__")


def read_only_numpy() -> Backend:
    """NumPy whose placed arrays refuse every write in place."""

    def to_device(host: Any, dtype: str) -> Array:
        array = np.array(host, dtype=dtype)
        array.flags.writeable = False
        return cast(Array, array)

    return replace(get_backend("numpy"), name="numpy-readonly", to_device=to_device)


def fake_device() -> Backend:
    """array-api-strict, all of it on the fake device."""
    standard = standard_backend(xp.asarray(0.0, device=DEVICE))
    assert standard is not None

    def to_host(array: Any) -> Any:
        assert array.device == DEVICE, "a result is not on the device of the data"
        return standard.to_host(array)

    return replace(standard, name="strict", to_host=to_host)


@contextmanager
def strict_device(*, static_shapes: bool) -> Iterator[Backend]:
    """Give the backend and refuse all that the standard 2024.12 does not promise on a device.

    float(a), if a: and the like raise, as they would stop a GPU; with static_shapes so do the
    operations whose shape depends on the data, as they would stop a compiler.
    """
    flags = xp.ArrayAPIStrictFlags(
        api_version="2024.12",
        data_dependent_shapes=not static_shapes,
        boolean_indexing=not static_shapes,
    )
    array_type = type(xp.asarray(0.0))
    with flags, pytest.MonkeyPatch.context() as patch:
        for name in HOST_TRIPS:
            patch.setattr(array_type, name, _refused(name, getattr(array_type, name)))
        yield fake_device()


def _refused(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.device == DEVICE:
            raise RuntimeError(f"{name} of an array on {DEVICE}: a silent trip to the host")
        return original(self, *args, **kwargs)

    return method
