"""Grids of the page; CodeCarbon has the table of countries."""

from __future__ import annotations

from fastmlp.energy import GridZone, grid_intensity

GRIDS = ("FRA", "DEU", "POL", "WORLD")


def find_zone(zone: str | None) -> GridZone:
    """Look a grid up; None is the first of `GRIDS` that is known.

    Raises
    ------
    ValueError
        The table does not have the zone.
    ImportError
        The zone was asked for, and the table comes with CodeCarbon, which is not installed.
    """
    return known_zones()[0] if zone is None else grid_intensity(zone)


def known_zones() -> list[GridZone]:
    """Return those of `GRIDS` that can be looked up here."""
    found = []
    for zone in GRIDS:
        try:
            found.append(grid_intensity(zone))
        except ImportError:
            continue
    return found
