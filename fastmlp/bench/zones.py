"""Grids of the page; without CodeCarbon, which has the table, there is the world's alone."""

from __future__ import annotations

from fastmlp.energy import GridZone, grid_intensity

GRIDS = ("FRA", "DEU", "POL", "WORLD")


def known_zone(zone: str) -> GridZone:
    """Look a grid up; ValueError if the table does not have it."""
    try:
        return grid_intensity(zone)
    except ImportError:
        return grid_intensity("WORLD")
