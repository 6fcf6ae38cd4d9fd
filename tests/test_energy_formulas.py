"""Power models and gates: formulas, on known numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fastmlp.energy import MODELS, drift
from fastmlp.energy.flags import duration_is_off, foreign_share, is_above_limit, window_flags
from fastmlp.energy.models import Usage, all_models_j

# ---------------------------------------------------------------- power models


def test_two_models_may_order_two_runs_differently() -> None:
    """8 cores, 100 W, 64 GB: one thread for 1 s, or 8 threads three times as fast."""
    one = all_models_j(Usage(1.0, 1.0, 64e9, 8, 100.0))
    eight = all_models_j(Usage(8 / 3, 1 / 3, 64e9, 8, 100.0))
    assert one["codecarbon_machine"] == pytest.approx(30.2, abs=0.05)
    assert eight["codecarbon_machine"] == pytest.approx(40.0)
    assert one["linear_machine"] == pytest.approx(41.25)
    assert eight["linear_machine"] == pytest.approx(40.0)
    assert {one[name] < eight[name] for name in MODELS} == {True, False}


def test_memory_of_a_long_run_may_turn_the_order_too() -> None:
    """What this looks like on two threads of 4 W: NumPy on one, a compiler on both."""
    one = all_models_j(Usage(10.0, 10.0, 1e9, 2, 8.0))
    two = all_models_j(Usage(14.0, 7.0, 1e9, 2, 8.0))
    assert (one["codecarbon_process"], two["codecarbon_process"]) == (140.0, 126.0)
    assert (one["cpu_time"], two["cpu_time"]) == (40.0, 56.0)


def test_models_get_the_gpu_of_the_work() -> None:
    usage = Usage(1.0, 1.0, 1e9, 2, 8.0)
    alone, with_gpu = all_models_j(usage), all_models_j(usage, gpu_j=50.0)
    assert list(alone) == list(with_gpu) == list(MODELS)
    for name, joules in alone.items():
        assert with_gpu[name] == joules + 50.0


# ---------------------------------------------------------------- gates


def test_windows_are_judged_by_their_length() -> None:
    flags = [window_flags(wall_s, None) for wall_s in (0.03, 0.99, 1.0, 4.99, 5.0)]
    assert flags == [["short_window"], ["short_window"], ["under_5_s"], ["under_5_s"], []]


def test_foreign_work_is_accused_from_a_second_on() -> None:
    assert window_flags(6.0, 0.05) == []
    assert window_flags(6.0, 0.051) == ["contention"]
    assert window_flags(0.5, 0.9) == ["short_window"]
    assert foreign_share(6.0, 5.0, 10.0) == pytest.approx(0.1)
    assert foreign_share(4.99, 5.0, 10.0) == 0.0
    assert foreign_share(1.0, 1.0, 0.0) is None


@pytest.mark.parametrize(
    ("said_s", "wall_s", "off"),
    [
        (2.09, 2.0, False),
        (2.11, 2.0, True),
        (1.89, 2.0, True),
        (0.13, 0.1, False),
        (0.6, 0.5, True),
        (0.0, 2.0, True),
        (math.nan, 2.0, True),
        (-1.7e9, 2.0, True),
    ],
)
def test_durations_may_differ_by_a_twentieth(said_s: float, wall_s: float, off: bool) -> None:
    assert duration_is_off(said_s, wall_s) is off


def test_a_limit_that_is_not_known_is_not_exceeded() -> None:
    assert is_above_limit(111.0, 1.0, 100.0)
    assert not is_above_limit(109.0, 1.0, 100.0)
    assert not is_above_limit(1e9, 1.0, None)
    assert not is_above_limit(111.0, 0.9, 100.0)


def test_drift_compares_the_first_third_with_the_last() -> None:
    assert drift([10.0, 99.0, 12.0]) == pytest.approx(0.2)
    assert drift([10.0, 9.0]) == pytest.approx(-0.1)
    assert drift([1.0] * 10) == 0.0
    bad: list[Any] = [[1.0], [1.0, 0.0], [1.0, math.nan], [1.0, None], [1.0, "a"], None]
    for wrong in bad:
        with pytest.raises(ValueError, match="expected at least two finite numbers above 0"):
            drift(wrong)
