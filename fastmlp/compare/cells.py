"""The columns of a comparison, rounded once for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fastmlp.compare.results import Results, Run
from fastmlp.page.blocks import Column
from fastmlp.page.text import ABSENT, ratio, significant, time_unit


def shown_runs(results: Results) -> list[Run]:
    """Runs that have something to show: complete ones, and those cut off after an epoch."""
    return [run for run in results.runs if run.status == "ok" or run.epoch_s]


def complete_runs(results: Results) -> list[Run]:
    """Runs that may be compared with each other."""
    return [run for run in results.runs if run.status == "ok"]


def incomplete_runs(results: Results) -> list[Run]:
    """Runs that need an explanation."""
    return [run for run in results.runs if run.status != "ok"]


def why(run: Run) -> str:
    """Status and reason of an incomplete run.

    Examples
    --------
    >>> why(Run("cupy", status="unavailable", reason="not installed"))
    'unavailable: not installed'
    >>> why(Run("jax", status="interrupted", reason="interrupted after 7 of 20 epochs"))
    'interrupted after 7 of 20 epochs'
    """
    reason = run.reason or "no reason given"
    return reason if reason.startswith(run.status) else f"{run.status}: {reason}"


def label(run: Run) -> str:
    """Name of a contender; the star leads to the list of incomplete runs.

    Examples
    --------
    >>> label(Run("jax", status="interrupted"))
    'jax *'
    """
    return run.backend if run.status == "ok" else f"{run.backend} *"


def reference_name(results: Results) -> str:
    """Name of the reference if it has a speed that others can be related to, else ""."""
    return next((run.backend for run in results.runs if run.is_reference and run.samples_per_s), "")


def columns(results: Results) -> list[Column]:
    """All columns of the comparison, one cell per run of `shown_runs`."""
    runs, reference = shown_runs(results), reference_name(results)
    unit, per_s = time_unit([run.median_epoch_s for run in runs if run.median_epoch_s])
    speeds = [run.samples_per_s for run in runs if run.samples_per_s]
    thousands = max(speeds, default=0.0) >= 1e4
    return [
        Column("backend", "", "what computes", [label(run) for run in runs], numeric=False),
        Column("device", "", "where it computes", [run.device for run in runs], numeric=False),
        Column(
            "test",
            "acc. %",
            f"share of the {results.config['n_test']:,} test images classified right after "
            "the last epoch",
            _cells([run.test_accuracy for run in runs], lambda value: f"{100 * value:.2f}"),
        ),
        Column(
            "test",
            "loss",
            "mean loss of a test image after the last epoch, without a penalty on the weights",
            _cells([run.test_loss for run in runs], lambda value: f"{value:.4f}"),
        ),
        Column(
            "first",
            "call s",
            "time of the first epoch, in which a library traces, compiles and loads what it needs",
            _cells([run.first_call_s for run in runs], significant),
        ),
        Column(
            "epoch",
            unit,
            "median time of an epoch from the second one on; the first one is left out, and so is "
            "the evaluation",
            _cells([run.median_epoch_s for run in runs], lambda value: significant(value * per_s)),
        ),
        Column(
            "samples",
            "1000/s" if thousands else "per s",
            "training images over the median time of an epoch",
            _cells(
                [run.samples_per_s for run in runs],
                lambda value: significant(value / 1000 if thousands else value),
            ),
        ),
        Column(
            "vs",
            reference or "ref.",
            f"samples per second over those of {reference or 'the reference'}: 2.0x is twice as "
            "fast",
            _cells([run.speed_ratio for run in runs], ratio),
        ),
        Column(
            "energy",
            "J",
            "energy of training for all epochs: the first epoch, and as many steady ones as "
            "follow, whose joules come from a window of their own",
            _cells([run.energy_j for run in runs], significant),
        ),
        Column(
            "energy",
            "source",
            "weakest label among CPU, GPU and memory: measured (an energy counter), sampled (a "
            "power sensor, polled), estimated (a model turns time into joules), assumed (a "
            "constant), absent (no value)",
            [run.energy_source for run in runs],
            numeric=False,
            may_stand_below=True,
        ),
        Column(
            "CO2e",
            "mg",
            "energy times the carbon intensity of the grid; production of the machine, cooling "
            "and network are left out",
            _cells([run.co2e_mg for run in runs], significant),
        ),
    ]


def _cells(values: Iterable[float | None], show: Callable[[float], str]) -> list[str]:
    return [ABSENT if value is None else show(value) for value in values]
