"""JAX on CPU or GPU: one compiled program per epoch."""

from __future__ import annotations

from functools import wraps
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from fastmlp.backends.devices import GPU_NAMES
from fastmlp.backends.jax_forms import tuned, turn
from fastmlp.backends.memory import is_out_of_memory
from fastmlp.backends.record import (
    GPU_BLOCK_ROWS,
    Backend,
    BackendUnavailableError,
    Body,
    Function,
    Many,
    check_precision,
)
from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.step import Carry
from fastmlp.core.tree import tree_leaves

# How XLA is to multiply the matrices of a small network on a CPU: by itself, on one thread. To
# call a library for them takes longer than the product; but this takes longer to compile.
SMALL = 2**13  # weights
SMALL_OPTIONS = {
    "xla_cpu_multi_thread_eigen": False,
    "xla_cpu_experimental_ynn_fusion_type": "",
    "xla_cpu_prefer_vector_width": 512,
}

# JAX's names. Left to itself, it would take TF32 where the GPU has it; on a CPU it computes in
# float32 whatever it is told.
PRODUCTS = {"float32": "float32", "tf32": "TF32_TF32_F32", "bfloat16": "BF16_BF16_F32"}


def create(device: str | None, precision: str = "float32") -> Backend:
    """Make the record for ``"cpu"``, ``"gpu"``, ``"gpu:1"``, ...; None is JAX's own choice."""
    import jax

    chosen = _find_device(jax, device)
    place = f"{chosen.platform}:{chosen.id}"
    on_cpu = chosen.platform == "cpu"
    check_precision("jax", place, precision, *(() if on_cpu else PRODUCTS))

    def scoped(f: Function) -> Function:
        """Run f as the caller's dtypes say: 64-bit allowed, products as asked for."""

        @wraps(f)
        def call(*args: Any) -> Any:
            with jax.enable_x64(True), jax.default_matmul_precision(PRODUCTS[precision]):
                return f(*args)

        return call

    def jit(f: Function) -> Function:
        return scoped(jax.jit(f))

    def jit_hot(f: Function) -> Function:
        return scoped(_with_options(jax, f))

    def to_device(host: Any, dtype: str) -> Array:
        # NumPy memory may be taken over as it is, and its owner may write into it later
        return cast(Array, jax.device_put(np.array(host, dtype=dtype), chosen))

    def to_host(array: Any) -> Any:
        # on purpose, even where the caller forbids transfers that nobody asked for
        with jax.transfer_guard_device_to_host("allow"):
            return np.array(array)

    def take(x: Any, indices: Any, /, *, axis: int) -> Any:
        # rows are checked where they come in; JAX's own way with wrong ones takes time
        return jax.numpy.take(x, indices, axis=axis, mode="clip")

    def take_along_axis(x: Any, indices: Any, /, *, axis: int) -> Any:
        return jax.numpy.take_along_axis(x, indices, axis=axis, mode="clip")

    def scan(f: Body, carry: Any, xs: Array, shared: Any) -> tuple[Any, tuple[Array, ...]]:
        loop = cast(Any, jax.lax.scan)
        carry, ys = loop(lambda carry, x: f(carry, x, shared), carry, xs)
        return carry, ys

    def turned_scan(f: Body, carry: Any, xs: Array, shared: Any) -> tuple[Any, tuple[Array, ...]]:
        def turned(carry: Any, x: Array, shared: Any) -> tuple[Any, tuple[Array, ...]]:
            carry, y = f(turn(carry), x, shared)
            return turn(carry), y

        carry, ys = scan(turned, turn(carry), xs, shared)
        return turn(carry), ys

    def vmap(f: Function, axes: Any) -> Function:
        batched: Function = jax.vmap(f, in_axes=axes)
        return batched

    own = {"take": take, "take_along_axis": take_along_axis}
    return Backend(
        name="jax",
        device="cpu" if place == "cpu:0" else place,
        precision=precision,
        xp=cast(Namespace, SimpleNamespace(**{**vars(jax.numpy), **own})),
        jit=jit,
        jit_hot=jit_hot if on_cpu else None,
        scan=turned_scan if on_cpu else scan,
        to_device=scoped(to_device),
        to_host=to_host,
        sync=cast(Any, jax).block_until_ready,
        tune=tuned if on_cpu else lambda recipe: recipe,
        block_rows=1024 if on_cpu else GPU_BLOCK_ROWS,
        column_block=16 if on_cpu else 0,
        ahead=1,
        many=Many(vmap, scan),
    )


def _with_options(jax: Any, f: Function) -> Function:
    """Train small networks by a program of their own, if this XLA has the options for it."""
    program, small = jax.jit(f), jax.jit(f, compiler_options=SMALL_OPTIONS)
    known = True

    @wraps(f)
    def call(carry: Carry, *args: Any) -> Any:
        nonlocal known
        weights: Any = tree_leaves(carry.params)
        if known and sum(array.size for array in weights) < SMALL:
            try:
                return small(carry, *args)
            except jax.errors.JaxRuntimeError as error:
                if "No such compile option" not in str(error):
                    raise
                known = False
        return program(carry, *args)

    return call


def _find_device(jax: Any, device: str | None) -> Any:
    platform, _, index = (device or "").partition(":")
    try:
        if index and not index.isdecimal():
            raise ValueError(index)
        return jax.devices(platform or None)[int(index or 0)]
    except (RuntimeError, IndexError, ValueError, AssertionError) as error:
        if is_out_of_memory(error):
            raise
        known = _platforms(jax)
        if not known:
            raise BackendUnavailableError(
                "jax", f"it finds no device ({error})", "Unset JAX_PLATFORMS, or name another there"
            ) from error
        if isinstance(error, IndexError):
            count = len(jax.devices(platform or None))
            expected = f"expected {platform + ':0'!r} to {f'{platform}:{count - 1}'!r}: "
            expected += f"it sees {count} of them" if count > 1 else "it sees one of them"
            hint = "Leave device out"
        else:
            expected = f"expected one of {known}, with ':0', ':1', ... for one of several"
            hint = "Leave device out, or install the JAX build for it"
            if platform in GPU_NAMES:
                hint += ": pip install 'fastmlp[jax-cuda13]' (CUDA 13) or [jax-cuda12] (CUDA 12)"
        raise BackendUnavailableError(
            "jax", f"device={device!r} is not one of its devices here, {expected}", hint
        ) from None


def _platforms(jax: Any) -> list[str]:
    try:
        return sorted({device.platform for device in jax.devices()} | {"cpu"})
    except (RuntimeError, AssertionError):
        return []
