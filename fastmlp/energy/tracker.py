"""CodeCarbon's offline tracker: every argument explicit, warmed up, one per process and scope."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
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


@functools.cache
def warm_tracker(pid: int, tracking_mode: str) -> Tracker:
    """Build the tracker of this process and spend its slow first task (1 to 2 s).

    Between tasks it runs no thread and holds no file, so there is nothing to shut down.

    Parameters
    ----------
    pid
        ``os.getpid()``: a forked child must not count the CPU time of its parent.
    tracking_mode
        One of `TRACKING_MODES`.

    Raises
    ------
    ImportError
        CodeCarbon is not installed, or its version is not supported.
    """
    with quiet():
        codecarbon = _import_codecarbon()
        tracker = codecarbon.OfflineEmissionsTracker(
            tracking_mode=tracking_mode, output_dir=tempfile.gettempdir(), **SETTINGS
        )
        # A tracker that cannot warm up fails in every window too, and is flagged there.
        with contextlib.suppress(Exception):
            tracker.start_task(f"warm-up {pid}")
            tracker.stop_task(f"warm-up {pid}")
    if tracking_mode == "process":
        _monitor_gpus_only(tracker)
    return cast("Tracker", tracker)


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
    # The import and the constructor log to stderr before any log level applies; the import also
    # sets the level itself, so that only `disabled` survives it.
    logger = logging.getLogger("codecarbon")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
