"""How much is measured: a look for CI, or figures to publish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Profile(NamedTuple):
    """Sizes of one run of the suites."""

    name: str
    blocks: Mapping[str, int]  # processes of each contender, by suite; in random order
    rounds: int  # in each of them
    warm_up: int  # rounds that are thrown away
    window_s: float  # shortest time of a round
    starts: int  # of a process, to be timed
    energy_window_s: float  # the same, under the energy meter
    rows: int  # of an epoch
    epochs: int  # at most, on the way to an accuracy
    seeds: int


SLOW_BLOCKS = 6  # the first of speed, which also take `fit` and starts of a process
# Many short processes rather than a few long ones: what disturbs a process often stays with it.
# Of fewer than six an interval by bootstrap is too narrow. The accuracy of a seed is the same each
# time.
PROFILES = {
    # not for publication: too short to tell small differences, or to read joules well
    "smoke": Profile(
        name="smoke",
        blocks={"speed": 20, "accuracy": 1, "emissions": 1},
        rounds=1,
        warm_up=0,
        window_s=0.05,
        starts=1,
        energy_window_s=0.5,
        rows=12_800,
        epochs=5,
        seeds=1,
    ),
    # at least 10 rounds; joules from windows of at least 5 s: a tick of 10 ms is 0.2 % of it
    "publish": Profile(
        name="publish",
        blocks={"speed": 6, "accuracy": 1, "emissions": 6},
        rounds=2,
        warm_up=1,
        window_s=0.3,
        starts=2,
        energy_window_s=5.0,
        rows=59_904,
        epochs=10,
        seeds=5,
    ),
}
