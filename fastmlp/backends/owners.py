"""Arrays of libraries that have a backend of their own: on which device they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _jax_device(X: Any) -> str:
    return f"{X.device.platform}:{X.device.id}"


# Top-level package of an array's type -> the backend that it decides for, and its device there.
ARRAY_PACKAGES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "jax": ("jax", _jax_device),
    "jaxlib": ("jax", _jax_device),
    "cupy": ("cupy", lambda X: f"cuda:{X.device.id}"),
    "torch": ("torch", lambda X: str(X.device)),
}


def find_owner(X: Any, name: str) -> tuple[str, str] | None:
    """Return the backend and device of an array, or None.

    Raises
    ------
    TypeError, ValueError
        The array has no values, not all of them, or not on one device; ``name`` is its name there.
    """
    owner = ARRAY_PACKAGES.get(type(X).__module__.partition(".")[0])
    if owner is None:
        return None
    backend, device_of = owner
    if "Tracer" in type(X).__name__:
        raise TypeError(
            f"{name} is a {type(X).__name__} of JAX, expected an array with values: the methods of "
            "estimators check what they are given and cannot be called within jax.jit, jax.grad or "
            "jax.vmap. Call them from outside, as they compile what they compute; what is to be "
            "traced can be written with coefs_ and intercepts_."
        )
    if backend == "jax" and not hasattr(X.device, "platform"):  # a sharding
        devices = sorted(f"{device.platform}:{device.id}" for device in X.devices())
        raise ValueError(
            f"{name} lies on {len(devices)} devices of JAX, {devices}, expected one: give "
            f"jax.device_put({name}, jax.devices()[0])."
        )
    if backend == "torch":
        if str(X.layout) != "torch.strided":
            raise ValueError(
                f"{name} is a tensor with layout {X.layout}, expected a dense one: give "
                f"{name}.to_dense(), or a sparse matrix of SciPy."
            )
        if X.device.type == "meta":
            raise ValueError(
                f"{name} is a tensor on device 'meta', which has a shape and no numbers, expected "
                "one on 'cpu', 'cuda' or 'mps': give the tensor that holds the data."
            )
    return backend, device_of(X)
