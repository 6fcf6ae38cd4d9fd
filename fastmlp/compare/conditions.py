"""What a comparison was run under, in sentences."""

from __future__ import annotations

import json
from typing import Any

from fastmlp.compare.cells import reference_name, shown_runs
from fastmlp.compare.results import Results
from fastmlp.page.cards import titled
from fastmlp.page.text import significant


def layers(config: dict[str, Any]) -> str:
    """Sizes of the layers, input first.

    Examples
    --------
    >>> layers({"n_features": 784, "hidden": [128, 64], "n_classes": 10})
    '784-128-64-10'
    """
    sizes = [config.get("n_features"), *config.get("hidden", []), config.get("n_classes")]
    return "-".join("?" if size is None else str(size) for size in sizes)


def conditions(results: Results) -> str:
    """Data, network, training and grid in one line."""
    config = results.config
    parts = [
        f"{config.get('dataset')} ({_n(config, 'n_train')} training, {_n(config, 'n_test')} test)",
        f"network {layers(config)} {config.get('activation', '')}".rstrip(),
        f"batch {config.get('batch_size')}",
        f"learning rate {config.get('learning_rate')}",
        f"{config.get('epochs')} epoch{'' if config.get('epochs') == 1 else 's'}",
        f"seed {config.get('seed')}",
        f"{config.get('dtype')} in full precision" if config.get("dtype") else "None",
        f"{config.get('threads')} threads",
        f"grid {grid(config)}",
    ]
    return ", ".join(part for part in parts if not part.endswith("None"))


def grid(config: dict[str, Any]) -> str:
    """Zone and carbon intensity of the electricity grid.

    Examples
    --------
    >>> grid({"grid": {"zone": "FRA", "g_per_kwh": 56.04, "year": 2023}})
    'FRA at 56.0 g CO2e/kWh (2023)'
    """
    zone = config.get("grid") or {}
    if zone.get("g_per_kwh") is None:
        return f"{zone.get('zone', 'not given')} of unknown carbon intensity"
    year = f" ({zone['year']})" if zone.get("year") else ""
    return f"{zone.get('zone')} at {significant(zone['g_per_kwh'])} g CO2e/kWh{year}"


def steady_note(results: Results) -> str:
    """Which epochs the times and joules are about, and what speeds are related to."""
    reference = reference_name(results)
    related = "No reference has a speed to relate to."
    if reference:
        related = f"vs {reference}: samples/s over those of {reference}."
    energy = ""
    if any(run.energy_j is not None for run in shown_runs(results)):
        energy = " Energy and CO2e: all epochs, the first call counted in."
    return f"Epoch: median, the first call (epoch 1, with compiling) left out.{energy} {related}"


def energy_notes(results: Results) -> list[str]:
    """What the joules are made of: a sentence for each way in which they were obtained."""
    notes: dict[str, str] = {}
    for run in shown_runs(results):
        window = run.energy.get("window", run.energy)
        made_of = json.dumps([window.get("source"), window.get("method")], sort_keys=True)
        if run.energy_j is not None and run.energy.get("explain"):
            notes.setdefault(
                made_of,
                f"Energy of {run.backend}, {significant(run.energy_j)} J, follows from a window of "
                f"{run.energy.get('window_epochs', 'some')} more epochs: {run.energy['explain']}",
            )
        elif run.energy_j is None and run.status == "ok":
            why = run.energy.get("reason") or run.energy.get("explain") or "nothing was read."
            notes.setdefault(why, f"No energy of {run.backend}: {why}")
    return list(notes.values())


def cards(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Machine, versions and configuration as titled lists of names and values."""
    machine, config = dict(results.machine), dict(results.config)
    versions = machine.pop("versions", {})
    zone = config.pop("grid", None) or {}
    config["grid"] = ", ".join(filter(None, (grid(results.config), zone.get("source"))))
    return titled({"Machine": machine, "Versions": versions, "Configuration": config})


def _n(config: dict[str, Any], name: str) -> str:
    return f"{config[name]:,}" if name in config else "?"
