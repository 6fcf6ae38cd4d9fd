"""JAX on CPU or GPU: one compiled program per epoch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any, cast

import numpy as np

from fastmlp.backends.record import Backend, BackendUnavailableError, Function
from fastmlp.core.arrays import Array, Namespace


def create(device: str | None) -> Backend:
    """Make the record for ``"cpu"``, ``"gpu"``, ``"gpu:1"``, ...; None is JAX's own choice."""
    import jax

    chosen = _find_device(jax, device)
    place = f"{chosen.platform}:{chosen.id}"

    def scoped(f: Function) -> Function:
        """Run f as the caller's dtypes say: 64-bit allowed, float32 products in full float32."""

        @wraps(f)
        def call(*args: Any) -> Any:
            with ExitStack() as scope:
                scope.enter_context(jax.enable_x64(True))
                scope.enter_context(jax.default_matmul_precision("float32"))
                return f(*args)

        return call

    def to_device(host: Any, dtype: str) -> Array:
        # NumPy memory may be taken over as it is, and its owner may write into it later
        return cast(Array, jax.device_put(np.array(host, dtype=dtype), chosen))

    def scan(
        f: Callable[[Any, Array], tuple[Any, tuple[Array, ...]]], carry: Any, xs: Array
    ) -> tuple[Any, tuple[Array, ...]]:
        return cast(tuple[Any, tuple[Array, ...]], jax.lax.scan(f, carry, xs))

    return Backend(
        name="jax",
        device="cpu" if place == "cpu:0" else place,
        xp=cast(Namespace, jax.numpy),
        jit=lambda f: scoped(jax.jit(f)),
        scan=scan,
        to_device=scoped(to_device),
        to_host=np.array,
        sync=cast(Any, jax).block_until_ready,
    )


def _find_device(jax: Any, device: str | None) -> Any:
    platform, _, index = (device or "").partition(":")
    try:
        if index and not index.isdecimal():
            raise ValueError(index)
        return jax.devices(platform or None)[int(index or 0)]
    except (RuntimeError, IndexError, ValueError, AssertionError) as error:
        known = _platforms(jax)
        if not known:
            raise BackendUnavailableError(
                "jax", f"it finds no device ({error})", "Unset JAX_PLATFORMS, or name another there"
            ) from error
        raise BackendUnavailableError(
            "jax",
            f"device={device!r} is not one of its devices here, expected one of {known}, "
            "with ':0', ':1', ... for one of several",
            "Leave device out, or install the JAX build for it",
        ) from None


def _platforms(jax: Any) -> list[str]:
    try:
        return sorted({device.platform for device in jax.devices()} | {"cpu"})
    except (RuntimeError, AssertionError):
        return []
