"""Runs beside the styles that they are drawn in."""

from __future__ import annotations

from typing import NamedTuple

from fastmlp.compare.cells import label, shown_runs
from fastmlp.compare.results import Results, Run
from fastmlp.page.axes import Style, styles


class Series(NamedTuple):
    """A run and how it is drawn."""

    run: Run
    style: Style


def series(results: Results) -> list[Series]:
    """Return the shown runs; colour and marker follow from the place among all of them."""
    shown = shown_runs(results)
    places = [place for place, run in enumerate(results.runs) if run in shown]
    drawn = styles([label(run) for run in results.runs], places)
    return [Series(results.runs[place], one) for place, one in zip(places, drawn, strict=True)]
