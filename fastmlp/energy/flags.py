"""Gates: what a reader must know before trusting a number, each a name and a plain sentence.

Only judgements are here, no clocks and no files, so that each can be tested on known numbers.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

SHORT_S = 1.0
PUBLISHED_FROM_S = 5.0
FOREIGN_CPU = 0.05
DRIFT = 0.05
# Clock and tracker may differ by 5 %; below half a second the edges of a task weigh too much.
DURATION_TOLERANCE = 0.05
DURATION_CHECKED_FROM_S = 0.5
# One step of a counter of 100 ms is a tenth of the shortest window that is judged.
ABOVE_LIMIT = 1.1

FLAGS: Mapping[str, str] = {
    "short_window": "the window is under 1 s, coarse against 10 ms CPU ticks and 100 ms counters",
    "under_5_s": "the window is under 5 s, enough for a first look and not for publication",
    "contention": "other work took more than 5 % of the processor's time, which stretches wall "
    "time and is in every number of the whole machine",
    "drift": "first and last third of the rounds differ by more than 5 %",
    "threads_unpinned": "neither OMP_NUM_THREADS nor its like nor the cores of this process are "
    "set, and the number of threads alone can turn a ranking round",
    "environment": "CODECARBON_* variables are set; they were overridden",
    "rapl_unreadable": "RAPL exists but cannot be read: give this user read access to energy_uj "
    "below /sys/class/powercap for a measured CPU",
    "gpu_unread": "the work ran on a GPU or another device whose energy could not be read, so that "
    "there is no total",
    "device_not_said": "there is a GPU, and the window does not say whether the work ran on it; "
    "its joules are not charged: pass device=",
    "gpu_doubtful": "gpu= names another place on the bus than the number of the device; CUDA may "
    "count otherwise, so name it by its UUID: gpu='GPU-...'",
    "unknown_method": "the tracker does not say how a component was obtained",
    "source_failed": "a source of joules gave no result, or raised",
    "children_running": "child processes that run before and after the window, as workers of a "
    "pool do, are in CodeCarbon's joules and not in the processor time: take scope='machine'",
    "duration_mismatch": "the tracker's duration is not the duration of the window, or the "
    "system's clock was set meanwhile",
    "counter_wrapped": "the window is so long that a counter may have wrapped more than once: "
    "measure shorter windows",
    "power_above_limit": "the mean power is over 10 % above the limit that the hardware names, "
    "or above what any processor takes; joules of RAPL are dropped then",
    "cpu_not_positive": "no positive CPU energy was read",
    "gpu_not_positive": "no positive GPU energy was read",
    "ram_not_positive": "no positive RAM energy was read",
}


def window_flags(wall_s: float, foreign_cpu_share: float | None) -> list[str]:
    """Judge the length of a window, and what else ran in it.

    Parameters
    ----------
    wall_s
        Length of the window in seconds.
    foreign_cpu_share
        Share of the machine's processor time that other processes took, 0 to 1; None = not known.

    Returns
    -------
    list of str
        Names from `FLAGS`.

    Examples
    --------
    >>> window_flags(0.03, None), window_flags(2.0, 0.2), window_flags(6.0, 0.04)
    (['short_window'], ['under_5_s', 'contention'], [])
    """
    flags = []
    if wall_s < SHORT_S:
        flags.append("short_window")
    elif wall_s < PUBLISHED_FROM_S:
        flags.append("under_5_s")
    # Under a second the ticks of /proc/stat are too coarse to accuse anybody.
    if wall_s >= SHORT_S and foreign_cpu_share is not None and foreign_cpu_share > FOREIGN_CPU:
        flags.append("contention")
    return flags


def foreign_share(busy_s: float, own_s: float, capacity_s: float) -> float | None:
    """Share of the machine's processor time that others took: ``(busy - own) / capacity``.

    Parameters
    ----------
    busy_s, capacity_s
        Processor time of all cores that was used, and that there was, in seconds.
    own_s
        Processor time of this process and its children, in seconds.

    Returns
    -------
    float or None
        0 to 1; None where no time has passed.

    Examples
    --------
    >>> foreign_share(busy_s=5.5, own_s=5.0, capacity_s=10.0)
    0.05
    """
    return min(1.0, max(0.0, (busy_s - own_s) / capacity_s)) if capacity_s > 0 else None


def duration_is_off(said_s: float, wall_s: float) -> bool:
    """Tell whether a tracker's duration contradicts the clock by more than 5 %.

    Examples
    --------
    >>> duration_is_off(2.09, 2.0), duration_is_off(2.11, 2.0), duration_is_off(-1.7e9, 0.1)
    (False, True, True)
    """
    off = abs(said_s - wall_s) > DURATION_TOLERANCE * wall_s
    return not said_s > 0 or (off and wall_s >= DURATION_CHECKED_FROM_S)


def is_above_limit(joules: float, wall_s: float, limit_w: float | None) -> bool:
    """Tell whether the mean power is more than 10 % above a known limit in watts.

    Examples
    --------
    >>> is_above_limit(600.0, 2.0, 250.0), is_above_limit(600.0, 2.0, None)
    (True, False)
    """
    return limit_w is not None and wall_s >= SHORT_S and joules > ABOVE_LIMIT * limit_w * wall_s


def drift(rounds: Sequence[float]) -> float:
    """How far the last third of the rounds is from the first: ``median(last) / median(first) - 1``.

    Parameters
    ----------
    rounds
        Joules per unit, or watts of an idle machine, in the order in which they were measured; all
        above 0.

    Returns
    -------
    float
        Above `DRIFT`, or below its negative, the rounds carry the flag ``drift``.

    Raises
    ------
    ValueError
        Fewer than two rounds, or one that is not a number above 0.

    Examples
    --------
    >>> round(drift([10.0, 10.0, 10.4, 10.7, 11.0, 11.0]), 3)
    0.1
    """
    try:
        is_right = len(rounds) >= 2 and all(math.isfinite(one) and one > 0 for one in rounds)
    except TypeError:  # None is a window without a value
        is_right = False
    if not is_right:
        raise ValueError(f"rounds={rounds!r}: expected at least two finite numbers above 0")
    third = max(1, len(rounds) // 3)
    return statistics.median(rounds[-third:]) / statistics.median(rounds[:third]) - 1
