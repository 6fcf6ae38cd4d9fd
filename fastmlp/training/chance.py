"""What chance is made of, on the device: once for a training, nothing in its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.backends.record import Backend
from fastmlp.core.augmentation import N_RIGID, Augmentation, Grid, elastic_basis
from fastmlp.core.chance import Chance
from fastmlp.core.network import Params
from fastmlp.core.step import Recipe


def chance_of(
    backend: Backend, recipe: Recipe, params: Params, seed: int, dtype: str
) -> dict[str, Any]:
    """Bring to the device whatever the steps of a recipe draw from; the fields of `Data`."""
    found: dict[str, Any] = {}
    if any(recipe.dropout):
        widest = max(layer.W.shape[0] for layer in params)
        found["chance"] = place_chance(backend, widest, seed)
    if recipe.augmentation:
        found["grid"] = place_grid(backend, recipe.augmentation, seed, dtype)
    return found


def place_chance(backend: Backend, n: int, seed: int) -> Chance:
    """Bring a seed, which counts modulo 2^32, and the numbers of n units to the device."""
    words = seed_words([seed])
    return Chance(backend.to_device(words, "int32"), backend.to_device(np.arange(n), "int32"))


def seed_words(seeds: Sequence[int]) -> NDArray[np.int32]:
    """Return seeds modulo 2^32 as int32, (n,)."""
    return np.asarray([seed % 2**32 for seed in seeds], dtype=np.uint32).view(np.int32)


def place_grid(backend: Backend, augmentation: Augmentation, seed: int, dtype: str) -> Grid:
    """Bring what images are moved by to the device."""
    xp: Any = np  # the host's
    height, width = augmentation.shape
    rows, columns = np.divmod(np.arange(height * width).reshape(1, -1), width)
    down: Any = rows - 0.5 * (height - 1)
    right: Any = columns - 0.5 * (width - 1)
    n, basis = N_RIGID, backend.place((), dtype)
    if augmentation.elastic_px:
        n += 2 * augmentation.elastic_points**2
        basis = backend.to_device(elastic_basis(xp, augmentation, down, right), dtype)
    place = backend.to_device
    return Grid(place_chance(backend, n, seed), place(down, dtype), place(right, dtype), basis)
