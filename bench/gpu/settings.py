"""What a child is told to do, and the backend that it does it with."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.backends import PRECISIONS, Backend, get_backend

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


def open_backend(settings: Settings, precision: str = "float32") -> Backend:
    """Make the backend on the GPU, or on the CPU of a machine that has none: never in between."""
    with_gpu, without = DEVICES[settings.backend]
    return get_backend(settings.backend, with_gpu if settings.gpu else without, precision)


def precisions(settings: Settings) -> tuple[str, ...]:
    """Return how float32 is to be multiplied here: on a GPU in every way."""
    if settings.backend == "numpy":
        return ("float32",)
    if settings.gpu:
        return PRECISIONS
    return ("float32", "bfloat16") if settings.backend == "torch" else ("float32",)


def where(backend: Backend) -> Row:
    """Begin a row: which library, on what, and how it multiplies."""
    return {"backend": backend.name, "device": backend.device, "precision": backend.precision}
