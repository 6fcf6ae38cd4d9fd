"""The comparison as one HTML page that needs nothing else, neither files nor a network."""

from __future__ import annotations

import os
from pathlib import Path

from fastmlp.compare.bars import energy_bars, time_bars
from fastmlp.compare.cells import columns, incomplete_runs, shown_runs, why
from fastmlp.compare.charts import legend
from fastmlp.compare.conditions import cards, conditions, energy_notes, layers, steady_note
from fastmlp.compare.curves import learning_curves
from fastmlp.compare.results import Results
from fastmlp.compare.svg import drawing
from fastmlp.compare.verdict import verdict

HERE = Path(__file__).parent


def write_report(results: Results, path: Path) -> None:
    """Write the page whole or not at all; the same results give the same bytes.

    Parameters
    ----------
    results : Results
    path : Path
        Of the page, e.g. fastmlp-results/report.html; its folder is made if need be.

    Raises
    ------
    ImportError
        jinja2 or matplotlib is missing: ``pip install 'fastmlp[report]'``.
    """
    page = render(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(path)


def render(results: Results) -> str:
    """Fill the template ``report.html.j2`` with the results."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise ImportError(
            "The report is a jinja2 template; jinja2 is missing: pip install 'fastmlp[report]'"
        ) from error
    template = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    ).get_template("report.html.j2")
    with drawing():
        return template.render(
            results=results,
            layers=layers(results.config),
            conditions=conditions(results),
            verdict=verdict(results),
            shown=shown_runs(results),
            incomplete=incomplete_runs(results),
            why=why,
            columns=columns(results),
            steady_note=steady_note(results),
            legend=legend(results),
            curves=learning_curves(results),
            times=time_bars(results),
            energy=energy_bars(results),
            energy_notes=energy_notes(results),
            cards=cards(results),
        )
