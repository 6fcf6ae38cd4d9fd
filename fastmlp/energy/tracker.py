"""CodeCarbon's offline tracker: every argument explicit, warmed up, one per process and scope."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

TRACKING_MODES = ("process", "machine")

# Every option of the tracker: one left out would be read from CODECARBON_* variables or from
# .codecarbon.config files. Missing here are only the deprecated save_to_* (unread once
# output_methods is given) and co2_signal_api_token (unread once the other token is not None).
SETTINGS: Mapping[str, object] = {
    # nothing is written or sent
    "output_methods": [],
    "output_handlers": [],
    "logging_logger": None,
    "emissions_endpoint": None,
    "api_endpoint": "",
    "api_key": "",
    "api_call_interval": -1,
    "prometheus_url": "",
    "electricitymaps_api_token": "",
    "output_file": "emissions.csv",
    "on_csv_write": "append",
    "metadata": None,
    "log_level": "critical",
    "logger_preamble": "",
    "project_name": "fastmlp",
    "experiment_name": "fastmlp",
    "experiment_id": "fastmlp",
    # with False the tracker takes over SIGINT and SIGTERM and keeps a lock file
    "allow_multiple_runs": True,
    # shorter intervals sample without a lock and lose energy; task edges sample anyway
    "measure_power_secs": 15,
    "gpu_ids": None,
    "force_cpu_power": None,
    "force_ram_power": None,
    "force_mode_cpu_load": False,
    "rapl_include_dram": False,
    "rapl_prefer_psys": False,
    "pue": 1.0,
    "wue": 0.0,
    # joules only: CO2e is computed afterwards for a zone that the user names
    "force_carbon_intensity_g_co2e_kwh": 0.0,
    "country_iso_code": None,
    "country_2letter_iso_code": None,
    "region": None,
    "cloud_provider": None,
    "cloud_region": None,
}


class Tracker(Protocol):
    """The two calls of CodeCarbon's tracker that fastmlp makes."""

    def start_task(self, task_name: str) -> None:
        """Open a task."""

    def stop_task(self, task_name: str) -> Any:
        """Close it; CodeCarbon's result object with energies in kWh, or None."""


# by process: a fork may copy a lock that another thread holds
_BUILDING: dict[int, threading.RLock] = {}


def warm_tracker(pid: int, tracking_mode: str, tdp_w: float | None) -> Tracker:
    """Return the tracker of this process; the first call spends its slow first task (1 to 2 s).

    Between tasks it runs no thread and holds no file, so there is nothing to shut down.

    Parameters
    ----------
    pid
        ``os.getpid()``: a forked child must not count the CPU time of its parent.
    tracking_mode
        One of `TRACKING_MODES`.
    tdp_w
        Power of the processor in watts where it is not measured; None = what CodeCarbon assumes.

    Raises
    ------
    ImportError
        CodeCarbon is not installed, or its version is not supported.
    """
    # one at a time: meanwhile CodeCarbon's logger and module are not as others left them
    with _BUILDING.setdefault(pid, threading.RLock()):
        return build_tracker(pid, tracking_mode, tdp_w)


@functools.cache
def build_tracker(pid: int, tracking_mode: str, tdp_w: float | None) -> Tracker:
    """Build what `warm_tracker` returns."""
    with quiet():
        codecarbon = _import_codecarbon()
        with _own_settings():
            tracker = codecarbon.OfflineEmissionsTracker(
                tracking_mode=tracking_mode, output_dir=_folder(), **SETTINGS
            )
        # A tracker that cannot warm up fails in every window too, and is flagged there.
        with contextlib.suppress(Exception):
            tracker.start_task(f"warm-up {pid}")
            tracker.stop_task(f"warm-up {pid}")
    _assume(tracker, tdp_w)  # the hardware is known once a task has begun
    if tracking_mode == "process":
        _monitor_gpus_only(tracker)
    for name in ("_scheduler", "_scheduler_monitor_power"):
        scheduler: Any = getattr(tracker, name, None)
        if hasattr(scheduler, "function"):
            scheduler.function = hushed(scheduler.function)
        for call in ("start", "stop"):
            if hasattr(scheduler, call) and hasattr(scheduler, "_lock"):
                setattr(scheduler, call, _unlocked_at_last(getattr(scheduler, call), scheduler))
    return cast("Tracker", tracker)


def _folder() -> str:
    # it must exist, and nothing is written to it but by Intel's Power Gadget
    try:
        return tempfile.gettempdir()
    except OSError:
        return str(Path(os.sep).resolve())


def _assume(tracker: Any, tdp_w: float | None) -> None:
    # Not by force_cpu_power: with that CodeCarbon leaves counters alone that it could read. Both of
    # its forms, that of the process and that of the machine, are this number times the load.
    hardware: list[Any] = hardware_of(tracker) or []
    for item in hardware:
        modelled = getattr(item, "_mode", None) in ("cpu_load", "constant")
        if type(item).__name__ == "CPU" and modelled and tdp_w is not None:
            item._tdp = tdp_w


@contextlib.contextmanager
def _own_settings() -> Iterator[None]:
    """Keep the constructor from reading files of settings, and from what it sets for all trackers.

    Each option is given, so that no file can say more; but a damaged one would raise, and so would
    a working directory that is gone. Level and handlers of the logger are everybody's.
    """
    module: Any = importlib.import_module("codecarbon.emissions_tracker")
    logger = logging.getLogger("codecarbon")
    level, handlers = logger.level, list(logger.handlers)
    read = getattr(module, "get_hierarchical_config", None)
    if read is not None:
        module.get_hierarchical_config = dict
    try:
        yield
    finally:
        if read is not None:
            module.get_hierarchical_config = read
        logger.setLevel(level)
        logger.handlers[:] = handlers


def hardware_of(tracker: Tracker) -> list[object] | None:
    """Return the tracker's private hardware list; None if this version has no such list."""
    hardware = getattr(tracker, "_hardware", None)
    return list(hardware) if isinstance(hardware, list | tuple) else None


def _monitor_gpus_only(tracker: Any) -> None:
    # Once a second CodeCarbon 3.3 samples the CPU time of the process in a thread that reads the
    # clock before and the CPU times after a walk over all processes. Work that holds the GIL
    # stretches that walk, and the same CPU seconds come out up to twice (measured: 5.6 to 7.9
    # instead of 4 J per CPU-second of plain Python). Process scope is linear in CPU time, so the
    # two edges of a task say it all; only GPUs without an energy counter need samples in between.
    monitor: Any = getattr(tracker, "_scheduler_monitor_power", None)
    if hasattr(monitor, "function"):
        hardware: list[Any] = hardware_of(tracker) or []
        gpus = [item for item in hardware if type(item).__name__ == "GPU"]
        monitor.function = lambda: [gpu.monitor_power() for gpu in gpus]


def _unlocked_at_last(call: Callable[..., Any], scheduler: Any) -> Callable[..., Any]:
    # CodeCarbon 3.3 takes and leaves the lock of its schedulers without a try: a handler of a
    # signal that raises in between would leave it locked, and the next task would wait for ever.
    @functools.wraps(call)
    def unlocked(*arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except BaseException:
            with contextlib.suppress(RuntimeError):  # it was left already
                scheduler._lock.release()
            raise

    return unlocked


def environment_overrides() -> bool:
    """Tell whether CODECARBON_* variables are set, in either case, as CodeCarbon reads them."""
    return any(name.upper().startswith("CODECARBON_") for name in os.environ)


def _import_codecarbon() -> Any:
    try:
        codecarbon = importlib.import_module("codecarbon")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"EnergyMeter needs CodeCarbon here ({error}): pip install 'fastmlp[energy]', or take "
            "engine='model', which needs nothing"
        ) from error
    version = tuple(int(part) for part in codecarbon.__version__.split(".")[:2])
    if not (3, 3) <= version < (4, 0):
        raise ImportError(
            f"EnergyMeter needs codecarbon>=3.3,<4, found {codecarbon.__version__}: "
            "pip install 'fastmlp[energy]'"
        )
    return codecarbon


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep CodeCarbon's import and constructor from writing to stderr."""
    # The import and the constructor log to stderr before any log level applies, some of it in
    # threads of their own; the import also sets the level itself, so that only `disabled` survives.
    logger = logging.getLogger("codecarbon")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


_HERE = threading.local()


def _is_heard(record: logging.LogRecord) -> bool:
    return not getattr(_HERE, "is_hushed", False)


def hushed(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let a call log nothing in its own thread; another tracker in this process may."""

    @functools.wraps(call)
    def quietly(*arguments: Any) -> Any:
        logging.getLogger("codecarbon").addFilter(_is_heard)
        before, _HERE.is_hushed = getattr(_HERE, "is_hushed", False), True
        try:
            return call(*arguments)
        finally:
            _HERE.is_hushed = before

    return quietly
