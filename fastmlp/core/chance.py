"""Chance as a function of numbers: what it says depends on nothing else.

A random word depends on the seed, the step, what it is for (the layer), the row of the data and
the unit, so it is the same on every backend, wherever a row stands in a batch. int32 is what all
libraries have in common, with products that wrap around.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.core.arrays import Array, Namespace

FACTORS = 0x7FEB352D, 0x846CA68B - 2**32  # as int32
STRIDE = 0x9E3779B9 - 2**32  # 2^32 by the golden ratio: an odd number far from simple fractions


class Chance(NamedTuple):
    """What random words are made of, beside the numbers of steps and rows."""

    seed: Array  # (1,) int32
    units: Array  # (n,) int32: 0, 1, 2, ..., as many as any row has


def key_of_step(xp: Namespace, chance: Chance, t: Array) -> Array:
    """Return what all words of a step have in common, (1,): mix in the layer before use."""
    return mix(mix(chance.seed) + xp.astype(xp.reshape(t, (1,)), chance.seed.dtype))


def words(xp: Namespace, key: Array, rows: Array, units: Array) -> Array:
    """Draw an int32 number for each row and unit: (n, n_units), all values alike (eq. 34).

    References
    ----------
    Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA: each row
    is such a sequence.
    """
    starts = mix(key + xp.reshape(rows, (-1, 1)))
    return mix(starts + xp.reshape(units, (1, -1)) * STRIDE)


def mix(v: Array) -> Array:
    """Scatter int32 numbers: every bit of v matters to every bit of the answer (eq. 35).

    References
    ----------
    C. Wellons (2018), Prospecting for hash functions, nullprogram.com/blog/2018/07/31: shifts and
    factors, found by searching.
    """
    v = (v ^ _shifted(v, 16)) * FACTORS[0]
    v = (v ^ _shifted(v, 15)) * FACTORS[1]
    return v ^ _shifted(v, 16)


def uniform(xp: Namespace, drawn: Array, dtype: Any) -> Array:
    """Turn words into numbers in [-1, 1), the same ones in float32 and float64 (eq. 45)."""
    return xp.astype(drawn >> 8, dtype) * 2.0**-23


def _shifted(v: Array, bits: int) -> Array:
    """Shift to the right, zeros following: int32 by itself lets the sign follow."""
    return (v >> bits) & ((1 << (32 - bits)) - 1)
