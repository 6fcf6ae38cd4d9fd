"""One sentence about a result: how much, made of what, and what limits it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastmlp.energy.devices import is_gpu
from fastmlp.energy.flags import FLAGS
from fastmlp.energy.parts import LABELS

if TYPE_CHECKING:
    from fastmlp.energy.result import EnergyResult

MODELLED = {"estimated", "assumed"}


def explain(result: EnergyResult) -> str:
    """Say what the joules of a result are made of and what limits them, ``compute_j`` first."""
    work = (
        ""
        if (result.work, result.unit) == (1.0, "run")
        else f" for {result.work:g} x {result.unit}"
    )
    if result.compute_j is None or result.total_j is None:
        head = f"No energy value for {result.wall_s:.3g} s{work}"
    else:
        charged = ("cpu", "gpu") if is_gpu(result.device) else ("cpu",)
        label = max((result.source[name] for name in charged), key=LABELS.index)
        memory = f"; {result.total_j:.3g} J with memory" if result.ram_j else ""
        took = f"in {result.wall_s:.3g} s{work}"
        head = f"{result.compute_j:.3g} J of computing {took} ({label}{memory})"
    return f"{head}: {'; '.join(_clauses(result))}."


def _clauses(result: EnergyResult) -> Iterator[str]:
    for name, joules in result.components_j().items():
        value = "absent" if joules is None else f"{joules:.3g} J {result.source[name]}"
        yield f"{name.upper()} {value} ({result.method[name]})"
    of_all = " of all of it" if result.ram_j else ""
    charged = [name for name in result.components_j() if name != "gpu" or is_gpu(result.device)]
    present = {result.source[name] for name in charged if result.components_j()[name]}
    if present and present <= MODELLED:
        yield "a model, so it tells little that time does not"
    if result.measured_share and result.measured_share < 1:
        yield f"{100 * result.measured_share:.0f} %{of_all} measured"
    if result.model_band_j:
        least_j, most_j = result.model_band_j
        yield f"power models range from {least_j:.3g} to {most_j:.3g} J"
    if result.grid and result.total_j is not None:
        grid = result.grid
        where = f"on the grid {grid.zone} at {grid.g_per_kwh:.4g} g/kWh"
        yield f"{result.co2e_mg():.3g} mg CO2e{of_all} {where}"
    for flag in result.flags:
        yield f"{flag}: {FLAGS[flag]}"
