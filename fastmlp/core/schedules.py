"""Schedules: what the learning rate is multiplied by in step t, counted from 1.

``factor(xp, t, n_steps, n_warm_up)`` of arrays t of any shape; n_steps is the last step that is
planned for.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fastmlp.core.arrays import Array, Namespace

Factor = Callable[[Namespace, Array, int, int], Array]

RISING = 0.3  # part of the steps of one_cycle
FIRST, LAST = 1 / 25, 1 / 25e4  # of the largest rate of one_cycle


def warm_up(xp: Namespace, t: Array, n_steps: int, n_warm_up: int) -> Array:
    """Rise to 1 in n_warm_up steps, and stay there (eq. 41)."""
    return xp.minimum(t / max(n_warm_up, 1), 1.0)


def cosine(xp: Namespace, t: Array, n_steps: int, n_warm_up: int) -> Array:
    """Rise as in `warm_up`, then fall along half a cosine (eq. 42).

    References
    ----------
    Loshchilov and Hutter (2017), SGDR, arXiv:1608.03983.
    """
    done = (t - (1.0 + n_warm_up)) / max(n_steps - n_warm_up, 1)
    return warm_up(xp, t, n_steps, n_warm_up) * _between(xp, done, 1.0, 0.0)


def one_cycle(xp: Namespace, t: Array, n_steps: int, n_warm_up: int) -> Array:
    """Rise from 1/25 along half a cosine for 0.3 of the steps, fall to almost nothing (eq. 43).

    References
    ----------
    Smith and Topin (2018), Super-convergence, arXiv:1708.07120.
    """
    top = max(RISING * n_steps - 1.0, 1.0)  # steps before the largest rate
    rising = _between(xp, (t - 1.0) / top, FIRST, 1.0)
    falling = _between(xp, (t - 1.0 - top) / max(n_steps - 1.0 - top, 1.0), 1.0, LAST)
    return xp.minimum(rising, falling)


def _between(xp: Namespace, done: Array, start: float, end: float) -> Array:
    """Go from start to end along half a cosine while done goes from 0 to 1."""
    done = xp.minimum(xp.maximum(done, 0.0), 1.0)
    return end + (start - end) * 0.5 * (1.0 + xp.cos(math.pi * done))


FACTORS: dict[str, Factor] = {"constant": warm_up, "cosine": cosine, "one_cycle": one_cycle}
