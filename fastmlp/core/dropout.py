"""Dropout: units that are left out of a step by chance, the same ones on every backend.

Chance is a function of numbers: whether a unit is left out depends on the seed, the step, the
layer, the row of the data and the unit, and on nothing else. int32 is what all libraries have in
common, with products that wrap around.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.core.activations import Activation
from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.network import Params
from fastmlp.core.step import Recipe, prepare

FACTORS = 0x7FEB352D, 0x846CA68B - 2**32  # as int32
STRIDE = 0x9E3779B9 - 2**32  # 2^32 by the golden ratio: an odd number far from simple fractions


class Chance(NamedTuple):
    """What masks are made of, beside the numbers of steps and rows."""

    seed: Array  # (1,) int32
    units: Array  # (n,) int32: 0, 1, 2, ..., as many as the widest layer has inputs


def thin(
    xp: Namespace, recipe: Recipe, params: Params, t: Array, x: Array, rows: Array, chance: Chance
) -> tuple[Recipe, Array]:
    """Return recipe and x of a step in which some units are left out (eq. 33).

    Parameters
    ----------
    xp : array namespace
    recipe : Recipe
        Its ``dropout`` holds a rate for the input and one for each hidden layer.
    params : tuple of Layer
    t : () array
        Steps done before this one.
    x : (n, n_features) array
    rows : (n,) int32 array
        Numbers of the rows of x in the data.
    chance : Chance

    Returns
    -------
    Recipe, (n, n_features) array
        For `gradient` or `step`, which need not know.

    References
    ----------
    Srivastava et al. (2014), J. Mach. Learn. Res. 15, 1929-1958.
    """
    step = mix(mix(chance.seed) + xp.astype(xp.reshape(t, (1,)), rows.dtype))
    dtype = params[0].W.dtype

    def mask(number: int) -> Array:  # of what enters this layer, (n, n_in)
        units = chance.units[: params[number].W.shape[0]]
        return kept(xp, words(xp, mix(step + number), rows, units), recipe.dropout[number], dtype)

    hidden = tuple(
        _thinned(activation, mask(number), recipe.dropout[number])
        if recipe.dropout[number]
        else activation
        for number, activation in enumerate(recipe.hidden, start=1)
    )
    if recipe.dropout[0]:
        x = prepare(xp, recipe, params, x) * mask(0)
        recipe = recipe._replace(scale=1.0)
    return recipe._replace(hidden=hidden), x


def _thinned(activation: Activation, mask: Array, rate: float) -> Activation:
    """Return ``m h(z)`` with its derivative ``m h'(z)`` (eq. 33)."""
    h, h_prime = activation
    return Activation(
        lambda xp, z: h(xp, z) * mask,
        # h(z) again where it was kept; where it was not, the mask is 0
        lambda xp, z, a: h_prime(xp, z, a * (1.0 - rate)) * mask,
    )


def kept(xp: Namespace, drawn: Array, rate: float, dtype: Any) -> Array:
    """Return 0 with the probability rate and 1 / (1 - rate) else, for each number drawn."""
    largest_left_out = round(rate * 2**32) - 2**31 - 1
    return xp.astype(drawn > largest_left_out, dtype) * (1.0 / (1.0 - rate))


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


def _shifted(v: Array, bits: int) -> Array:
    """Shift to the right, zeros following: int32 by itself lets the sign follow."""
    return (v >> bits) & ((1 << (32 - bits)) - 1)
