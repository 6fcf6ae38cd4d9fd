"""Where the joules come from, read off CodeCarbon's hardware list.

CodeCarbon's results do not say whether a number was measured or modelled; only the private list
of the tracker knows. So every attribute is looked up with care, and what is not recognised gets
the weakest label a value can carry, "assumed", and a method that says it is unknown.
Classes are told apart by name, as CodeCarbon's own hardware cache does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Origin(NamedTuple):
    """Label and method of one component."""

    label: str
    method: str


UNKNOWN = Origin("assumed", "unknown method")


def origins(hardware: Iterable[object]) -> dict[str, Origin]:
    """Map each component that the hardware list contains to its origin.

    Parameters
    ----------
    hardware
        The tracker's list of hardware objects.

    Returns
    -------
    dict
        Component -> `Origin`; a component that is not in the list is not in the result.
    """
    found = {}
    for item in hardware:
        describe = _DESCRIBE.get(type(item).__name__)
        if describe:
            # Private attributes may change shape; a label must never break the workload.
            with contextlib.suppress(Exception):
                component, origin = describe(item)
                found[component] = origin
    return found


def watts_per_thread(hardware: Iterable[object]) -> float | None:
    """Watts at which CodeCarbon bills the processor time of the process; None if it does not."""
    for item in hardware:
        tdp_w, threads = getattr(item, "_tdp", None), getattr(item, "_cpu_count", None)
        bills_time = (getattr(item, "_mode", None), getattr(item, "_tracking_mode", None))
        if type(item).__name__ != "CPU" or bills_time != ("cpu_load", "process"):
            continue
        if isinstance(tdp_w, int | float) and isinstance(threads, int) and tdp_w * threads > 0:
            return tdp_w / threads
    return None


def _cpu(item: Any) -> tuple[str, Origin]:
    describe = _CPU_MODES.get(getattr(item, "_mode", None))
    return "cpu", describe(item) if describe else UNKNOWN


def _rapl(item: Any) -> Origin:
    files = getattr(getattr(item, "_intel_interface", None), "_rapl_files", [])
    domains = [Path(str(getattr(file, "path", ""))).parent.name for file in files]
    return Origin("measured", " ".join(["RAPL", *domains, "(whole machine)"]))


def _cpu_load(item: Any) -> Origin:
    tdp_w, threads = getattr(item, "_tdp", None), getattr(item, "_cpu_count", None)
    if not (tdp_w and threads):
        return UNKNOWN
    if getattr(item, "_tracking_mode", None) == "process":
        return Origin("estimated", f"{tdp_w / threads:.3g} W/thread x CPU time")
    return Origin("estimated", f"{tdp_w:.3g} W x (0.1 + 0.9 load^3) x wall time (whole machine)")


def _ram(item: Any) -> tuple[str, Origin]:
    watts = "1.5" if getattr(item, "is_arm_cpu", False) else "5"
    return "ram", Origin("estimated", f"{watts} W/DIMM guess x wall time")


def _gpu(item: Any) -> tuple[str, Origin]:
    devices = getattr(getattr(item, "devices", None), "devices", [])
    chosen = getattr(item, "gpu_ids", None)
    billed = [device for device in devices if chosen is None or device.gpu_index in chosen]
    # False: the energy counter is read; True: power is polled instead; None: not known
    polled = [getattr(device, "_use_power_fallback", None) for device in billed]
    if not billed or None in polled:
        return "gpu", UNKNOWN
    count = f"all {len(billed)} visible GPUs" if len(billed) > 1 else "the visible GPU"
    if any(polled):
        return "gpu", Origin("sampled", f"power polled every second, {count}, idle included")
    return "gpu", Origin("measured", f"driver energy counter, {count}, idle included")


def _chip(method: str) -> Callable[[Any], tuple[str, Origin]]:
    return lambda item: (str(getattr(item, "chip_part", "")).lower(), Origin("sampled", method))


_CPU_MODES: Mapping[Any, Callable[[Any], Origin]] = {
    "intel_rapl": _rapl,
    "windows_emi": lambda _: Origin("measured", "Windows Energy Meter (whole machine)"),
    "intel_power_gadget": lambda _: Origin("sampled", "Intel Power Gadget (whole machine)"),
    "cpu_load": _cpu_load,
    "constant": lambda _: Origin("assumed", "half of the TDP x wall time"),
}

_DESCRIBE: Mapping[str, Callable[[Any], tuple[str, Origin]]] = {
    "CPU": _cpu,
    "RAM": _ram,
    "GPU": _gpu,
    "AppleSiliconChip": _chip("powermetrics (whole chip)"),
    "Raspberry": _chip("PMIC sensor (whole board)"),
}
