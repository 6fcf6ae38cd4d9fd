"""Dropout: units that are left out of a step by chance, the same ones on every backend."""

from __future__ import annotations

from typing import Any

from fastmlp.core.activations import Activation
from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.chance import Chance, key_of_step, mix, words
from fastmlp.core.network import Params
from fastmlp.core.step import Recipe, prepare


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
    step = key_of_step(xp, chance, t)
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
