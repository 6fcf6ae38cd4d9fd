"""Run a comparison: contenders in processes of their own, in interleaved turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import fastmlp
from fastmlp import data
from fastmlp.backends import BackendUnavailableError
from fastmlp.compare.config import Config
from fastmlp.compare.contender import Contender
from fastmlp.compare.machine import machine_card
from fastmlp.compare.results import Results, Run

Show = Callable[[str, int, int], None]  # contender, epochs done, epochs in all


def compare(config: Config, show: Show = lambda name, done, total: None) -> Results:
    """Train the same network on every contender.

    Turns go round: every contender trains its first epoch, then every one its second, and so on,
    while the others wait; after the last round each has a turn under the energy meter.

    Parameters
    ----------
    config : Config
    show : callable, optional
        Called with (contender, epochs done, epochs in all) after each turn.

    Returns
    -------
    Results
        With status "interrupted" for what Ctrl-C left unfinished.

    Raises
    ------
    BackendUnavailableError
        A contender that was asked for by name cannot run here.
    ValueError, FileNotFoundError
        The data cannot be read, or the grid zone is unknown.
    """
    dataset = data.load(config.dataset, config.data_dir)
    grid = _grid(config.grid)
    contenders: list[Contender] = []
    try:
        contenders += [Contender(name, config) for name in config.contenders]
        for contender in contenders:
            contender.get_ready()
            run = contender.run
            if contender.alive:
                show(run.backend, 0, config.epochs)
            elif run.status == "unavailable" and config.backends:
                raise BackendUnavailableError(run.backend, run.reason, run.hint)
        for epoch in range(1, config.epochs + 1):
            for contender in contenders:
                if contender.alive:
                    contender.train_epoch()
                    show(contender.run.backend, epoch, config.epochs)
        for contender in contenders:
            if contender.alive:
                contender.measure_energy(grid["g_per_kwh"])
    except KeyboardInterrupt:
        for contender in contenders:
            if contender.alive:
                done = len(contender.run.epoch_s)
                reason = f"interrupted after {done} of {config.epochs} epochs"
                contender.fail("interrupted", reason)
    finally:
        for contender in contenders:
            contender.stop()
    runs = [contender.run for contender in contenders]
    _summarise(runs, dataset.X_train.shape[0])
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        fastmlp_version=fastmlp.__version__,
        machine=machine_card({run.backend: run.version for run in runs if run.version}),
        config={
            **asdict(config),
            "backends": list(config.contenders),
            "hidden": list(config.hidden),
            "optimizer": "gradient_descent",
            "grid": grid,
            "source": dataset.source,
            "n_train": dataset.X_train.shape[0],
            "n_test": dataset.X_test.shape[0],
            "n_features": dataset.X_train.shape[1],
            "n_classes": dataset.n_classes,
        },
        runs=runs,
    )


def _grid(zone: str) -> dict[str, Any]:
    from fastmlp.energy import grid_intensity

    try:
        return dict(grid_intensity(zone)._asdict())
    except ImportError as error:  # no table without CodeCarbon
        return {"zone": zone, "g_per_kwh": None, "year": None, "source": str(error)}


def _summarise(runs: list[Run], n_train: int) -> None:
    """Fill in what follows from the epochs: last values, throughput, ratio to the reference."""
    for run in runs:
        if run.epoch_s:
            run.first_call_s = run.epoch_s[0]
            run.test_accuracy = run.history["test_accuracy"][-1]
            run.test_loss = run.history["test_loss"][-1]
        if run.median_epoch_s:
            run.samples_per_s = n_train / run.median_epoch_s
    speeds = {run.backend: run.samples_per_s for run in runs}
    reference = next((speeds[run.backend] for run in runs if run.is_reference), None)
    for run in runs:
        if reference and run.samples_per_s:
            run.speed_ratio = run.samples_per_s / reference
