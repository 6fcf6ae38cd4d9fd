"""Energy of a piece of work in joules, with a label that says how it was obtained, and its CO2e.

Nothing is imported or opened before an `EnergyMeter` is constructed. CodeCarbon is needed where no
counter can be read, ``pip install 'fastmlp[energy]'``; ``engine="model"`` needs nothing.

::

    meter = EnergyMeter(grid="FRA")
    with meter.window("train", work=10, unit="epoch", device="cpu") as window:
        model.fit(X, y)
    window.result.per_unit().compute_j   # None when there is no trustworthy number, never 0
    window.result.co2e_mg("POL")         # the same joules on another grid
    window.result.explain()
"""

from __future__ import annotations

from fastmlp.energy.flags import FLAGS, drift
from fastmlp.energy.grid import GridZone, co2e_mg, grid_intensity
from fastmlp.energy.meter import EnergyMeter
from fastmlp.energy.models import MODELS
from fastmlp.energy.parts import COMPONENTS, LABELS
from fastmlp.energy.result import SCHEMA_VERSION, EnergyResult
from fastmlp.energy.window import EnergyWindow

__all__ = [
    "COMPONENTS",
    "FLAGS",
    "LABELS",
    "MODELS",
    "SCHEMA_VERSION",
    "EnergyMeter",
    "EnergyResult",
    "EnergyWindow",
    "GridZone",
    "co2e_mg",
    "drift",
    "grid_intensity",
]
