"""The sizes that are timed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench.peers.configs import CONFIGS, Config

N_FEATURES, N_CLASSES = 784, 10


class Sizes(NamedTuple):
    """What each of the three parts goes through."""

    batch_sizes: tuple[int, ...]  # of the crossover; each divides n_rows
    widths: tuple[int, ...]
    n_rows: int
    base: Config  # what grows: one hidden layer
    sample_factors: tuple[int, ...]
    width_factors: tuple[int, ...]
    breakdown: dict[str, int]  # configuration of bench.peers -> rows of an epoch


def one_hidden(width: int, batch_size: int, n_rows: int) -> Config:
    """Return 784-width-10 with SGD."""
    return Config((N_FEATURES, width, N_CLASSES), batch_size, n_rows)


def crossover(sizes: Sizes) -> Iterator[Config]:
    """Yield the grid of batches and widths."""
    for batch_size in sizes.batch_sizes:
        for width in sizes.widths:
            yield one_hidden(width, batch_size, sizes.n_rows)


def growth(sizes: Sizes) -> Iterator[tuple[str, int, Config]]:
    """Yield (axis, factor, configuration): first more samples, then wider networks."""
    base = sizes.base
    for factor in sizes.sample_factors:
        yield "samples", factor, base._replace(n_rows=factor * base.n_rows)
    n_features, width, n_classes = base.layer_sizes
    for factor in sizes.width_factors:
        yield "width", factor, base._replace(layer_sizes=(n_features, factor * width, n_classes))


FULL = Sizes(
    batch_sizes=(16, 64, 256, 1024),
    widths=(16, 64, 256, 1024),
    n_rows=8192,
    base=one_hidden(64, 128, 4096),
    sample_factors=(1, 2, 4, 8),
    width_factors=(1, 2, 4, 8, 16),
    breakdown={name: CONFIGS[name].n_rows for name in ("s", "sb", "m", "tiny")},
)
QUICK = Sizes(
    batch_sizes=(16, 256),
    widths=(16, 256),
    n_rows=1024,
    base=one_hidden(64, 128, 1024),
    sample_factors=(1, 4),
    width_factors=(1, 4),
    breakdown={"s": 6400, "tiny": 1792},
)
