"""What a child is told to do, and the backend that it does it with."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.backends import Backend, get_backend

Row = dict[str, Any]  # one JSON line

# Each library's name for the accelerator, where there is a GPU and where there is none.
DEVICES = {
    "numpy": ("cpu", "cpu"),
    "cupy": ("cuda", "cuda"),
    "jax": ("gpu", "cpu"),
    "torch": ("cuda", "cpu"),
}


class Settings(NamedTuple):
    """One part on one backend."""

    part: str
    backend: str
    gpu: bool  # this machine has one
    quick: bool
    data_dir: str | None


def open_backend(settings: Settings) -> Backend:
    """Make the backend on the GPU, or on the CPU of a machine that has none: never in between."""
    with_gpu, without = DEVICES[settings.backend]
    return get_backend(settings.backend, with_gpu if settings.gpu else without)


def where(backend: Backend) -> Row:
    """Begin a row: which library, on what."""
    return {"backend": backend.name, "device": backend.device}
