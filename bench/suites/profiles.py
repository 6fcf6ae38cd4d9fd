"""How much is measured: a look for CI, or figures to publish."""

from __future__ import annotations

from typing import NamedTuple


class Profile(NamedTuple):
    """Sizes of one run of the suites."""

    name: str
    blocks: int  # processes of each contender and suite, in random order
    rounds: int  # in each of them
    warm_up: int  # rounds that are thrown away
    window_s: float  # shortest time of a round
    starts: int  # of a process, to be timed
    energy_window_s: float  # the same, under the energy meter
    rows: int  # of an epoch
    epochs: int  # at most, on the way to an accuracy
    seeds: int


PROFILES = {
    # not for publication: too short to tell small differences, or to read joules well
    "smoke": Profile("smoke", 3, 3, 1, 0.1, 1, 0.5, 12_800, 5, 1),
    # at least 10 rounds; joules from windows of at least 5 s: a tick of 10 ms is 0.2 % of it
    "publish": Profile("publish", 4, 3, 1, 0.5, 3, 5.0, 59_904, 10, 5),
}
