"""The comparison as one HTML page that needs nothing else, neither files nor a network."""

from __future__ import annotations

from pathlib import Path

from fastmlp.compare.bars import energy_bars, time_bars
from fastmlp.compare.cells import columns, incomplete_runs, shown_runs, why
from fastmlp.compare.charts import series
from fastmlp.compare.conditions import cards, conditions, energy_notes, layers, steady_note
from fastmlp.compare.curves import learning_curves
from fastmlp.compare.results import Results
from fastmlp.compare.verdict import verdict
from fastmlp.page.axes import legend
from fastmlp.page.blocks import (
    Block,
    Cards,
    Chart,
    Charts,
    Columns,
    Legend,
    Meanings,
    Page,
    Reasons,
    Section,
    Sentences,
    Words,
)
from fastmlp.page.folder import write_whole
from fastmlp.page.render import render as render_page
from fastmlp.page.svg import drawing

CURVES = (
    "All contenders start from the same weights and see the same batches in the same order, so "
    "their curves should lie on each other. To keep every one visible, the first is drawn wide and "
    "the others narrower and broken on top of it. Training values are means over an epoch, while "
    "the weights change; test values belong to the weights at its end."
)
TURNS = (
    "Each contender ran in a process of its own, and they took turns, epoch by epoch, while the "
    "others waited. Three digits of a number are shown; results.json holds all of them. A dash is "
    "a number that is not known, never zero."
)
STARRED = " * Not complete, see below."


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
    write_whole(render(results), path)


def render(results: Results) -> str:
    """Return the page as HTML."""
    with drawing():
        energy = _charts(energy_bars(results), energy_notes(results))
        sections = [
            Section("verdict", "What came out", [Sentences(verdict(results))]),
            Section("table", "The numbers", _table(results)),
            Section("missing", "Not complete, and the way out", _missing(results)),
            Section("curves", "Learning curves", _curves(results)),
            Section("times", "Time", _charts(time_bars(results))),
            Section("energy", "Energy and CO2e", energy),
            Section("where", "Machine and configuration", [Cards(cards(results))]),
            Section("meanings", "How each number was obtained", _meanings(results)),
        ]
    version = results.schema_version
    return render_page(
        Page(
            title=f"fastmlp compare: {results.config.get('dataset')}, {layers(results.config)}",
            heading="One network, every backend",
            subtitle=conditions(results),
            sections=sections,
            footer=f"fastmlp {results.fastmlp_version}, {results.created}, results.json of schema "
            f"version {version}",
        )
    )


def _table(results: Results) -> list[Block]:
    shown = shown_runs(results)
    if not shown:
        return []
    starred = any(run.status != "ok" for run in shown)
    note = steady_note(results) + (STARRED if starred else "")
    return [Columns(columns(results)), Words(note, quiet=True)]


def _missing(results: Results) -> list[Block]:
    missing = [(run.backend, why(run), run.hint) for run in incomplete_runs(results)]
    return [Reasons(missing)] if missing else []


def _curves(results: Results) -> list[Block]:
    drawn = learning_curves(results)
    if not drawn:
        return []
    entries = legend([one.style for one in series(results) if one.run.history])
    return [Words(CURVES), Legend(entries), Charts(drawn)]


def _charts(drawn: list[Chart], notes: list[str] | None = None) -> list[Block]:
    return [Charts(drawn, notes or [])] if drawn or notes else []


def _meanings(results: Results) -> list[Block]:
    found = [(f"{one.name} {one.unit}", one.meaning) for one in columns(results)]
    return [Words(TURNS), Meanings(found)]
