"""JAX on CPU or GPU: one compiled program per epoch."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from fastmlp.backends.record import Backend, BackendUnavailableError, Body, Function
from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.losses import LOSSES
from fastmlp.core.network import Params
from fastmlp.core.step import Carry, Recipe
from fastmlp.core.tree import tree_leaves, tree_map

# How XLA is to multiply the matrices of a small network on a CPU: by itself, on one thread. To
# call a library for them takes longer than the product.
SMALL = 2**13  # weights
SMALL_OPTIONS = {"xla_cpu_multi_thread_eigen": False, "xla_cpu_experimental_ynn_fusion_type": ""}


def create(device: str | None) -> Backend:
    """Make the record for ``"cpu"``, ``"gpu"``, ``"gpu:1"``, ...; None is JAX's own choice."""
    import jax

    chosen = _find_device(jax, device)
    place = f"{chosen.platform}:{chosen.id}"

    def scoped(f: Function) -> Function:
        """Run f as the caller's dtypes say: 64-bit allowed, float32 products in full float32."""

        @wraps(f)
        def call(*args: Any) -> Any:
            with jax.enable_x64(True), jax.default_matmul_precision("float32"):
                return f(*args)

        return call

    def jit(f: Function) -> Function:
        program = jax.jit(f)
        return scoped(_with_options(jax, f, program) if on_cpu else program)

    def to_device(host: Any, dtype: str) -> Array:
        # NumPy memory may be taken over as it is, and its owner may write into it later
        return cast(Array, jax.device_put(np.array(host, dtype=dtype), chosen))

    def take(x: Any, indices: Any, /, *, axis: int) -> Any:
        # rows are checked where they come in; JAX's own way with wrong ones takes time
        return jax.numpy.take(x, indices, axis=axis, mode="clip")

    # XLA on a CPU multiplies faster by weights that lie the other way round
    on_cpu = chosen.platform == "cpu"
    flip = _transpose if on_cpu else _keep

    def scan(f: Body, carry: Any, xs: Array, shared: Any) -> tuple[Any, tuple[Array, ...]]:
        def flipped(carry: Any, x: Array) -> tuple[Any, tuple[Array, ...]]:
            carry, y = f(flip(carry), x, shared)
            return flip(carry), y

        carry, ys = cast(Any, jax.lax.scan(flipped, flip(carry), xs))
        return flip(carry), ys

    return Backend(
        name="jax",
        device="cpu" if place == "cpu:0" else place,
        xp=cast(Namespace, SimpleNamespace(**{**vars(jax.numpy), "take": take})),
        jit=jit,
        scan=scan,
        to_device=scoped(to_device),
        to_host=np.array,
        sync=cast(Any, jax).block_until_ready,
        tune=lambda recipe: _updated_as_it_lies(_counted_without_argmax(recipe), flip),
        column_block=16 if on_cpu else 0,
    )


def _with_options(jax: Any, f: Function, program: Function) -> Function:
    """Train small networks by a program of their own, if this XLA has the options for it."""
    small = jax.jit(f, compiler_options=SMALL_OPTIONS)
    known = True

    @wraps(f)
    def call(*args: Any) -> Any:
        nonlocal known
        if known and isinstance(args[0], Carry):
            weights: Any = tree_leaves(args[0].params)
            if sum(array.size for array in weights) < SMALL:
                try:
                    return small(*args)
                except jax.errors.JaxRuntimeError as error:
                    if "No such compile option" not in str(error):
                        raise
                    known = False
        return program(*args)

    return call


def _counted_without_argmax(recipe: Recipe) -> Recipe:
    """Count hits by the place of the first largest logit: two reductions, which XLA fuses."""
    ((_, argmax),) = LOSSES["softmax_cross_entropy"].metrics

    def accuracy(xp: Any, logits: Any, y: Any) -> Any:
        n, n_classes = logits.shape
        places = xp.arange(n_classes, dtype=logits.dtype)
        is_largest = logits == xp.max(logits, axis=1, keepdims=True)
        first = xp.min(xp.where(is_largest, places, n_classes), axis=1)
        return xp.sum(xp.astype(first == xp.sum(y * places, axis=1), logits.dtype)) / n

    metrics = tuple(
        (name, accuracy if metric is argmax else metric) for name, metric in recipe.loss.metrics
    )
    return recipe._replace(loss=recipe.loss._replace(metrics=metrics))


def _keep(tree: Any) -> Any:
    return tree


def _transpose(tree: Any) -> Any:
    """Turn every matrix; XLA makes no copy of it."""
    return tree_map(lambda array: array.T if array.ndim == 2 else array, tree)


def _updated_as_it_lies(recipe: Recipe, flip: Callable[[Any], Any]) -> Recipe:
    """Let the update see what the scan carries: the product for dW then comes out that way, too.

    The formulas before it see W itself; all flips cancel.
    """
    optimizer = recipe.optimizer

    def update(
        xp: Namespace, params: Params, grads: Params, state: Any, learning_rate: Array, t: Array
    ) -> tuple[Params, Any]:
        turned = flip(params), flip(grads), flip(state)
        params, state = optimizer.update(xp, *turned, learning_rate, t)
        return flip(params), flip(state)

    return recipe._replace(optimizer=optimizer._replace(update=update))


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
