"""Energy of a piece of work in joules, with a label that says how it was obtained, and its CO2e.

CodeCarbon is the only engine and is imported when an `EnergyMeter` is constructed, not before:
``pip install 'fastmlp[energy]'``.

::

    meter = EnergyMeter()
    with meter.window() as window:
        work()
    window.reading.energy_j          # None when there is no trustworthy number, never 0
    co2e_mg(window.reading.energy_j, grid_intensity("FRA").g_per_kwh)
"""

from __future__ import annotations

from fastmlp.energy.grid import GridZone, co2e_mg, grid_intensity
from fastmlp.energy.meter import EnergyMeter, EnergyWindow
from fastmlp.energy.reading import COMPONENTS, FLAGS, LABELS, EnergyReading

__all__ = [
    "COMPONENTS",
    "FLAGS",
    "LABELS",
    "EnergyMeter",
    "EnergyReading",
    "EnergyWindow",
    "GridZone",
    "co2e_mg",
    "grid_intensity",
]
