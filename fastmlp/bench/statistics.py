"""How sure a median is: bootstrap intervals over rounds, and over the processes they ran in.

Rounds of one process resemble each other more than those of another: memory lies elsewhere, a
neighbour has gone. So processes ("blocks") are drawn first, with replacement, and then rounds out
of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95
QUIET = 0.2  # the quantile of times that stands for an undisturbed machine
ONE_SIDED = 0.9  # each end of such an interval is passed by chance in 5 %


class Interval(NamedTuple):
    """A value with the interval of its bootstrap, of 95 % where nothing else is said."""

    value: float
    low: float
    high: float

    @property
    def has_width(self) -> bool:
        """Whether there is anything between its ends; that of one value says nothing."""
        return self.low < self.high

    def overlaps(self, other: Interval) -> bool:
        """Tell whether both hold a common value."""
        return self.low <= other.high and other.low <= self.high


def median(values: Sequence[float], blocks: Sequence[int] | None = None) -> Interval:
    """Median of the rounds, with its interval.

    Parameters
    ----------
    values : sequence of float, (n,)
    blocks : sequence of int, (n,), optional
        Which rounds ran in one process; all of them if left out.

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        There is no value.

    Examples
    --------
    >>> median([3.0, 1.0, 2.0])
    Interval(value=2.0, low=1.0, high=3.0)

    References
    ----------
    Efron and Tibshirani, "An introduction to the bootstrap" (1993), chapters 8 and 13.
    """
    if not len(values):
        raise ValueError("values=[]: a median needs at least one")
    low, high = _percentiles(_quantiles(values, blocks, seed=0))
    return Interval(float(np.median(values)), low, high)


def ratio(
    a: Sequence[float],
    b: Sequence[float],
    a_blocks: Sequence[int] | None = None,
    b_blocks: Sequence[int] | None = None,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Median of a over median of b, two samples that know nothing of each other.

    Examples
    --------
    >>> ratio([2.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    Interval(value=2.0, low=2.0, high=2.0)
    """
    value = float(np.median(a) / np.median(b))
    drawn = _quantiles(a, a_blocks, seed=0) / _quantiles(b, b_blocks, seed=1)
    return Interval(value, *_percentiles(drawn, confidence))


class Sample(NamedTuple):
    """Values of rounds, and the processes they ran in; None is one process for all."""

    values: Sequence[float]
    blocks: Sequence[int] | None = None


class Probed(NamedTuple):
    """Times of rounds, those of the probe beside them, and the processes they ran in."""

    unit_s: Sequence[float]
    probe_s: Sequence[float]
    blocks: Sequence[int] | None = None


def quiet_ratio(a: Probed, b: Probed) -> Interval:
    """Ratio of what a and b take where nothing disturbs them, over their probes; 90 % interval.

    Disturbances only add time, and may last longer than a process: on a virtual machine both
    of its cores sometimes share one, and a product takes twice as long for some seconds. So each of
    the four times is a 20 % quantile, which holds still as long as a fifth of the rounds are quiet.

    Examples
    --------
    >>> a, b = Probed([2.0, 2.0, 2.0, 9.0, 9.0], [0.1] * 5), Probed([1.0] * 3, [0.1] * 3)
    >>> quiet_ratio(a, b).value
    2.0
    """
    (value, drawn), (its_value, its_drawn) = _quiet(a, seed=0), _quiet(b, seed=1)
    return Interval(value / its_value, *_percentiles(drawn / its_drawn, ONE_SIDED))


def _quiet(one: Probed, seed: int) -> tuple[float, NDArray[Any]]:
    """Time over the probe's: of all rounds, and of each resample of them."""
    value = np.quantile(one.unit_s, QUIET) / np.quantile(one.probe_s, QUIET)
    times, probes = (
        _quantiles(values, one.blocks, seed, QUIET) for values in (one.unit_s, one.probe_s)
    )  # of the same seed, so of the same rounds
    return float(value), times / probes


def combined(f: Callable[..., Any], *samples: Sample) -> Interval:
    """Interval of ``f`` of the medians of several independent samples.

    Examples
    --------
    >>> combined(lambda first, steady: first + 3 * steady, Sample([5.0]), Sample([2.0, 2.0]))
    Interval(value=11.0, low=11.0, high=11.0)
    """
    drawn = [_quantiles(one.values, one.blocks, seed) for seed, one in enumerate(samples)]
    value = float(f(*(np.median(one.values) for one in samples)))
    return Interval(value, *_percentiles(f(*drawn)))


def _quantiles(
    values: Sequence[float], blocks: Sequence[int] | None, seed: int, at: float = 0.5
) -> NDArray[Any]:
    """One quantile of each resample, the median if left out; (RESAMPLES,)."""
    rng = np.random.default_rng(seed)
    numbers = np.zeros(len(values), int) if blocks is None else np.asarray(blocks)
    parts = [np.asarray(values)[numbers == number] for number in np.unique(numbers)]
    # (resamples, blocks), then the rounds of each; blocks may differ in their number of rounds
    chosen = rng.integers(len(parts), size=(RESAMPLES, len(parts)))
    rounds = max(part.size for part in parts)
    drawn = np.full((len(parts), RESAMPLES, len(parts), rounds), np.nan)
    for number, part in enumerate(parts):
        places = rng.integers(part.size, size=(RESAMPLES, len(parts), part.size))
        drawn[number, :, :, : part.size] = part[places]
    rows, columns = np.ogrid[:RESAMPLES, : len(parts)]
    taken = drawn[chosen, rows, columns].reshape(RESAMPLES, -1)
    take = np.nanquantile if np.isnan(taken).any() else np.quantile
    found: NDArray[Any] = take(taken, at, axis=1)
    return found


def _percentiles(drawn: NDArray[Any], confidence: float = CONFIDENCE) -> tuple[float, float]:
    outside = 50 * (1 - confidence)
    low, high = np.percentile(drawn, (outside, 100 - outside))
    return float(low), float(high)
