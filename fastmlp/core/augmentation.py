"""Augmentation: images that are moved a little in each step, the same way on every backend.

A network that is shown each image in many positions learns what does not depend on them. How far
an image goes is drawn by the chance of dropout (`chance`), so nothing comes from the host.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.chance import Chance, key_of_step, mix, uniform, words

LAYER = -1  # below the input, which is the layer 0 of dropout
N_RIGID = 4  # numbers that are drawn for the image as a whole


class Augmentation(NamedTuple):
    """How far an image may be moved in a step, at random; a size of 0 leaves it as it is.

    Parameters
    ----------
    shape : (int, int)
        Height and width of an image in pixels; a row of X holds it line by line.
    shift_px : float
        Up, down, to the left and to the right, at most.
    rotation_deg : float
        Around the centre, in either direction, at most.
    scale : float
        Larger or smaller at most: 0.1 is from 0.9 to 1.1 times the size.
    elastic_px : float
        Bent like rubber: how far any pixel goes to the side, and how far up or down, at most.
    elastic_points : int
        So many points along each side are drawn, and all between them follow smoothly.

    Examples
    --------
    >>> Augmentation((28, 28), shift_px=2, rotation_deg=10).scale
    0.0

    References
    ----------
    Simard, Steinkraus and Platt (2003), Best practices for convolutional neural networks applied
    to visual document analysis, ICDAR: elastic distortions of digits.
    """

    shape: tuple[int, int]
    shift_px: float = 0.0
    rotation_deg: float = 0.0
    scale: float = 0.0
    elastic_px: float = 0.0
    elastic_points: int = 5


class Grid(NamedTuple):
    """Where the pixels of an image are, and what moves are made of; on the device."""

    chance: Chance  # as many units as numbers are drawn for an image
    down: Array  # (1, n_features): pixels below the centre of the image
    right: Array  # (1, n_features)
    basis: Array | tuple[()] = ()  # (n_points, n_features) of `elastic_basis`; () for none


def augment(
    xp: Namespace, augmentation: Augmentation, x: Array, rows: Array, t: Array, grid: Grid
) -> Array:
    """Move every image by what its row draws in this step (eq. 45-48).

    Parameters
    ----------
    xp : array namespace
    augmentation : Augmentation
    x : (n, n_features) array
        Images of any dtype, line by line.
    rows : (n,) int32 array
        Numbers of the rows of x in the data.
    t : () array
        Steps done before this one.
    grid : Grid

    Returns
    -------
    (n, n_features) array
        Of the dtype of the grid, in the scale of x.
    """
    _, shift_px, rotation_deg, scale, elastic_px, _ = augmentation
    key = mix(key_of_step(xp, grid.chance, t) + LAYER)
    v = uniform(xp, words(xp, key, rows, grid.chance.units), grid.down.dtype)
    down, right = v[:, 0:1] * shift_px, v[:, 1:2] * shift_px
    if not isinstance(grid.basis, tuple):
        last = N_RIGID + grid.basis.shape[0]
        down = down + (v[:, N_RIGID:last] @ grid.basis) * elastic_px
        right = right + (v[:, last:] @ grid.basis) * elastic_px
    angle, growth = v[:, 2:3] * math.radians(rotation_deg), v[:, 3:4] * scale + 1.0
    return moved(xp, x, augmentation.shape, grid, down, right, angle, growth)


def moved(
    xp: Namespace,
    x: Array,
    shape: tuple[int, int],
    grid: Grid,
    down: Array,
    right: Array,
    angle: Array,
    growth: Array,
) -> Array:
    """Let images grow, turn them anticlockwise around their centres, and shift them (eq. 46).

    Each pixel asks where it comes from: all the way back. All of down, right, angle (in radians)
    and growth are (n, 1), or (n, n_features) where each pixel goes its own way.
    """
    height, width = shape
    cos, sin = xp.cos(angle) / growth, xp.sin(angle) / growth
    down, right = grid.down - down, grid.right - right
    row = down * cos + right * sin + 0.5 * (height - 1)
    column = right * cos - down * sin + 0.5 * (width - 1)
    return interpolated(xp, x, shape, row, column, grid.chance.units.dtype)


def interpolated(
    xp: Namespace, x: Array, shape: tuple[int, int], row: Array, column: Array, whole: object
) -> Array:
    """Return what images show between their pixels, bilinearly; 0 outside (eq. 48).

    The two lines next to ``row`` are taken from within the image also where it is outside: the
    weights know the difference. So no index is wrong, and a coordinate that another library rounds
    to the other side of a whole number takes other pixels, of the same sum.
    """
    height, width = shape
    top = xp.astype(xp.minimum(xp.maximum(row, 0.0), height - 2.0), whole)
    left = xp.astype(xp.minimum(xp.maximum(column, 0.0), width - 2.0), whole)
    below, beside = row - xp.astype(top, row.dtype), column - xp.astype(left, row.dtype)
    first = top * width + left

    def weights(distance: Array) -> list[Array]:  # of a pixel, and of the next one
        return [xp.maximum(1.0 - xp.abs(d), 0.0) for d in (distance, distance - 1.0)]

    def line(start: int) -> Array:
        a, b = (
            xp.astype(xp.take_along_axis(x, first + place, axis=1), row.dtype)
            for place in (start, start + 1)
        )
        return a * of_left + b * of_right

    of_left, of_right = weights(beside)
    of_top, of_bottom = weights(below)
    return line(0) * of_top + line(width) * of_bottom


def elastic_basis(xp: Namespace, augmentation: Augmentation, down: Array, right: Array) -> Array:
    """How much each pixel follows each of the points, (n_points, n_features) (eq. 47).

    Parameters
    ----------
    xp : array namespace
    augmentation : Augmentation
    down, right : (1, n_features) arrays
        As in the grid.
    """

    def distances(coordinates: Array, length: int) -> list[Array]:  # from one point to the next: 1
        n = augmentation.elastic_points
        return [coordinates * (n / length) + (0.5 * (n - 1) - k) for k in range(n)]

    height, width = augmentation.shape
    pairs = [
        xp.exp(-2.0 * (d * d + r * r))
        for d in distances(down, height)
        for r in distances(right, width)
    ]
    nearness = xp.concat(pairs, axis=0)
    return nearness / xp.sum(nearness, axis=0, keepdims=True)
