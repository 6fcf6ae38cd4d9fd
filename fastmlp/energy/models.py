"""Power models: joules from processor time, wall time and memory, where no counter can be read.

Each is a formula that somebody publishes, none is a measurement, and they disagree. An order of two
runs is worth something only if it holds in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

W_PER_THREAD = 4.0  # CodeCarbon's figure for a processor that it does not know
W_PER_DIMM = 5.0
GREEN_ALGORITHMS_W_PER_GB = 0.3725
GB = 1e9
GIB = 2**30


class Usage(NamedTuple):
    """What a power model is told of a window.

    Parameters
    ----------
    cpu_s, wall_s
        Processor time of the process and its children, and wall time, in seconds.
    rss_bytes
        Resident memory of the process at its peak, in bytes.
    threads
        Logical processors of the machine.
    tdp_w
        Thermal design power of all of them together, in watts.
    """

    cpu_s: float
    wall_s: float
    rss_bytes: float
    threads: int
    tdp_w: float


def cpu_time_j(usage: Usage) -> float:
    """Processor time at the power of a thread, no memory: ``cpu_s * tdp_w / threads``.

    Examples
    --------
    >>> cpu_time_j(Usage(cpu_s=10.0, wall_s=5.0, rss_bytes=1e9, threads=2, tdp_w=8.0))
    40.0
    """
    return usage.cpu_s * usage.tdp_w / usage.threads


def codecarbon_process_j(usage: Usage) -> float:
    """CodeCarbon's process scope: `cpu_time_j` and `dimm_w` times wall time.

    Examples
    --------
    >>> codecarbon_process_j(Usage(cpu_s=10.0, wall_s=5.0, rss_bytes=1e9, threads=2, tdp_w=8.0))
    90.0
    """
    return cpu_time_j(usage) + dimm_w(usage.rss_bytes) * usage.wall_s


def codecarbon_machine_j(usage: Usage) -> float:
    """CodeCarbon's machine scope: ``(tdp_w * (0.1 + 0.9 load^3) + dimm_w) * wall_s``.

    ``load = cpu_s / (wall_s * threads)``, as if nothing else ran.

    Examples
    --------
    >>> one = Usage(cpu_s=1.0, wall_s=1.0, rss_bytes=64e9, threads=8, tdp_w=100.0)
    >>> round(codecarbon_machine_j(one), 1)
    30.2
    """
    return (usage.tdp_w * (0.1 + 0.9 * _load(usage) ** 3) + dimm_w(usage.rss_bytes)) * usage.wall_s


def linear_machine_j(usage: Usage) -> float:
    """The same with a straight line: ``(tdp_w * (0.1 + 0.9 load) + dimm_w) * wall_s``.

    Nobody publishes it. It is here because the cubic one favours few busy threads so strongly that
    it alone can name another winner than the line between the same two ends.

    Examples
    --------
    >>> one = Usage(cpu_s=1.0, wall_s=1.0, rss_bytes=64e9, threads=8, tdp_w=100.0)
    >>> round(linear_machine_j(one), 2)
    41.25
    """
    return (usage.tdp_w * (0.1 + 0.9 * _load(usage)) + dimm_w(usage.rss_bytes)) * usage.wall_s


def green_algorithms_j(usage: Usage) -> float:
    """Form of the Green Algorithms calculator, with resident memory and no overhead of a building.

    ``cpu_s * tdp_w / threads + rss_bytes / 1e9 * 0.3725 * wall_s``

    References
    ----------
    Lannelongue, Grealey and Inouye, "Green Algorithms: quantifying the carbon footprint of
    computation", Advanced Science 8 (2021).

    Examples
    --------
    >>> green_algorithms_j(Usage(cpu_s=10.0, wall_s=5.0, rss_bytes=2e9, threads=2, tdp_w=8.0))
    43.725
    """
    memory_w = usage.rss_bytes / GB * GREEN_ALGORITHMS_W_PER_GB
    return cpu_time_j(usage) + memory_w * usage.wall_s


def dimm_w(memory_bytes: float) -> float:
    """Power that CodeCarbon 3 gives so much memory, in watts: 5 W for each module that it guesses.

    From the fifth on each counts 10 % less. CodeCarbon's rule for an x86 up to 128 GiB; beyond,
    where it jumps between 38 and 42 W, 38 W.

    Examples
    --------
    >>> [dimm_w(gib * 2**30) for gib in (1, 16, 32, 64, 128)]
    [10.0, 10.0, 20.0, 20.0, 38.0]
    """
    gib = memory_bytes / GIB
    modules = 2 if gib <= 16 else 4 if gib <= 64 else 8
    return W_PER_DIMM * (min(modules, 4) + 0.9 * max(modules - 4, 0))


MODELS: Mapping[str, Callable[[Usage], float]] = {
    "cpu_time": cpu_time_j,
    "codecarbon_process": codecarbon_process_j,
    "codecarbon_machine": codecarbon_machine_j,
    "linear_machine": linear_machine_j,
    "green_algorithms": green_algorithms_j,
}


def all_models_j(usage: Usage, gpu_j: float = 0.0) -> dict[str, float]:
    """Joules of a window under each of the models, by name.

    Parameters
    ----------
    usage
        Of the processor and the memory.
    gpu_j
        Joules that the work took on a GPU, the same in each model.

    Returns
    -------
    dict
        Name from `MODELS` -> joules.

    Examples
    --------
    >>> usage = Usage(cpu_s=10.0, wall_s=5.0, rss_bytes=2e9, threads=2, tdp_w=8.0)
    >>> joules = all_models_j(usage)
    >>> min(joules, key=joules.get), max(joules, key=joules.get)
    ('cpu_time', 'codecarbon_process')
    """
    return {name: model(usage) + gpu_j for name, model in MODELS.items()}


def _load(usage: Usage) -> float:
    return min(1.0, usage.cpu_s / (usage.wall_s * usage.threads))
