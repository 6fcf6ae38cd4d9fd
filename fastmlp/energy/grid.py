"""Carbon intensity of an explicitly named electricity grid; nothing is ever guessed from the IP.

The table is the one inside the installed CodeCarbon package, read as a file: no import, no network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import metadata, util
from pathlib import Path
from typing import Any, NamedTuple

from fastmlp.energy.checks import number, positive, text

JOULES_PER_KWH = 3.6e6
TABLE = Path("data", "private_infra", "global_energy_mix.json")


class GridZone(NamedTuple):
    """Carbon intensity of one zone: grams of CO2e per kWh, the year of the data, its source."""

    zone: str
    g_per_kwh: float
    year: int
    source: str


WORLD = GridZone(
    zone="WORLD",
    g_per_kwh=475.0,
    year=2018,
    source="the figure CodeCarbon falls back to where it knows no country: world average of the "
    "IEA Global Energy & CO2 Status Report 2019",
)


def grid_intensity(zone: str) -> GridZone:
    """Look up the carbon intensity of a zone.

    Parameters
    ----------
    zone
        ISO 3166-1 alpha-3 country code ("FRA"), or "WORLD" for the 475 g/kWh that CodeCarbon
        falls back to.

    Returns
    -------
    GridZone
        With ``g_per_kwh`` in g CO2e per kWh of electricity.

    Raises
    ------
    ValueError
        The zone is not in the table (near matches are listed), or its intensity is not above 0.
    ImportError
        A country is asked for and CodeCarbon, which carries the table, is not installed.

    Examples
    --------
    >>> grid_intensity("WORLD").g_per_kwh
    475.0
    """
    if zone == WORLD.zone:
        return WORLD
    table = _read_table()
    if not isinstance(zone, str) or zone not in table:
        raise ValueError(
            f"zone={zone!r}: expected an ISO 3166-1 alpha-3 code of CodeCarbon's table or 'WORLD'"
            f" (475 g/kWh); {_near_matches(zone, table)}"
        )
    row = table[zone]
    g_per_kwh = row.get("carbon_intensity")
    if not g_per_kwh or g_per_kwh < 0:
        raise ValueError(
            f"zone={zone!r}: CodeCarbon's table gives {g_per_kwh} g/kWh ({row.get('year')}), "
            "expected a value above 0, which would hide every emission; take a neighbour or 'WORLD'"
        )
    source = f"CodeCarbon {metadata.version('codecarbon')}, {TABLE.name}"
    return GridZone(zone, float(g_per_kwh), int(row["year"]), source)


def as_grid(grid: str | GridZone) -> GridZone:
    """Look a name up; check a zone of the caller's own.

    Raises
    ------
    ValueError
        As `grid_intensity`; or ``g_per_kwh`` is not a finite number above 0, the year is none, or
        zone and source are not text.
    ImportError
        As `grid_intensity`.

    Examples
    --------
    >>> as_grid(GridZone("my roof", 41.0, 2024, "its data sheet")).g_per_kwh
    41.0
    """
    if not isinstance(grid, GridZone):
        return grid_intensity(grid)
    about = f"grid={grid!r}, "
    g_per_kwh = positive(
        f"{about}g_per_kwh", grid.g_per_kwh, "g_per_kwh above 0, which hides no emission"
    )
    year = number(f"{about}year", grid.year, "the year of the data")
    zone, source = text(f"{about}zone", grid.zone, empty=False), text(f"{about}source", grid.source)
    return GridZone(zone, g_per_kwh, int(year), source)


def co2e_mg(energy_j: float | None, g_per_kwh: float) -> float | None:
    """Convert joules to milligrams of CO2e: ``energy_j / 3.6e6 * g_per_kwh * 1000``.

    Parameters
    ----------
    energy_j
        Energy in joules; None (absent) stays None.
    g_per_kwh
        Carbon intensity in g CO2e per kWh.

    Returns
    -------
    float or None
        Milligrams of CO2e.

    Examples
    --------
    >>> round(co2e_mg(22.1, 56.039), 3)
    0.344
    """
    return None if energy_j is None else energy_j / JOULES_PER_KWH * g_per_kwh * 1000


def _read_table() -> Mapping[str, Mapping[str, Any]]:
    spec = util.find_spec("codecarbon")
    if spec is None or spec.origin is None:
        raise ImportError(
            "The grid table comes with CodeCarbon, which is not installed: "
            "pip install 'fastmlp[energy]', or take zone 'WORLD'"
        )
    table: Mapping[str, Mapping[str, Any]] = json.loads(
        (Path(spec.origin).parent / TABLE).read_text(encoding="utf-8")
    )
    return table


def _near_matches(zone: str, table: Mapping[str, Mapping[str, Any]]) -> str:
    codes = {code: code for code in table}
    codes |= {str(row.get("country_name", code)).upper(): code for code, row in table.items()}
    near = dict.fromkeys(codes[name] for name in get_close_matches(str(zone).upper(), codes, n=4))
    if not near:
        return "no code or country name comes near it"
    return "did you mean " + ", ".join(f"{code} ({table[code]['country_name']})" for code in near)
