"""The figures of the suites as a page, and as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fastmlp.bench.cells import columns, spans, star
from fastmlp.bench.charts import drawn_lines, epoch_charts, way_charts
from fastmlp.bench.document import Document
from fastmlp.bench.ranking import FEWEST_PROCESSES
from fastmlp.bench.statistics import median
from fastmlp.bench.summary import Summary, summary
from fastmlp.bench.verdict import verdict
from fastmlp.bench.zones import find_zone, known_zones
from fastmlp.energy import FLAGS, EnergyResult, GridZone, co2e_mg
from fastmlp.page.axes import legend
from fastmlp.page.blocks import (
    Block,
    Cards,
    Chart,
    Charts,
    Columns,
    Legend,
    Meanings,
    Numbers,
    Page,
    Reasons,
    Section,
    Sentences,
    Words,
)
from fastmlp.page.cards import titled
from fastmlp.page.folder import write_whole
from fastmlp.page.render import render as render_page
from fastmlp.page.svg import drawing
from fastmlp.page.text import ABSENT, significant, time_unit

SMOKE = "Not for publication: a quick look, with few and short rounds."
GENERATED = "The images are generated, not MNIST: accuracies say nothing of MNIST."
LEFT_OUT = (
    "Left out of all joules: disks, network, losses of the power supply, cooling, and the "
    "production of the machine. Memory is in the file and not in these tables: where it is "
    "guessed, it restates wall time. fastmlp compare shows totals, with memory."
)
HOW = (
    "Each contender and suite ran in processes of its own, in random turns. Rounds are whole "
    "units of work; beside each runs a probe, a fixed matrix product, over which times are taken "
    "where they are compared. Intervals are 95 % bootstrap intervals of the median: processes are "
    "drawn first, then their rounds. A dash is a number that is not known, never zero."
)


def write_report(document: Document, path: Path, zone: str | None = None) -> None:
    """Write the page whole or not at all.

    Raises
    ------
    ImportError
        jinja2 or matplotlib is missing: ``pip install 'fastmlp[report]'``.
    ValueError
        The zone is not in the table.
    """
    write_whole(render(document, zone), path)


def render(document: Document, zone: str | None = None) -> str:
    """Return the page as HTML."""
    found, grid = summary(document), find_zone(zone)
    with drawing():
        styles = [style for _, style in drawn_lines(found)]
        way = way_charts(found)
        sections = [
            Section("verdict", "What came out", [Sentences(verdict(found))]),
            Section("table", "The numbers", _table(found, grid)),
            Section("missing", "Not measured, and the way out", _missing(document)),
            Section("epoch", "A steady epoch", _charts(epoch_charts(found))),
            Section(
                "way",
                f"A whole training, and the way to {found.target}",
                [Legend(legend(styles)), *_charts(way)] if way else [],
            ),
            Section("grids", "The same joules on other grids", _grids(found)),
            Section("speed", "All times", _speeds(document)),
            Section("where", "Machine and protocol", [Cards(_cards(document))]),
            Section("meanings", "How each number was obtained", _meanings(found, grid)),
        ]
    protocol = document.protocol
    return render_page(
        Page(
            title=f"fastmlp bench: {protocol['data']}, {_layers(document)}",
            heading="One network, every backend: speed, accuracy, energy",
            subtitle=f"{protocol['data']}, network {_layers(document)}, batches of "
            f"{protocol['batch_size']}, learning rate {protocol['learning_rate']:g}, "
            f"{protocol['dtype']}, {protocol['threads']} threads, profile {protocol['profile']}",
            sections=sections,
            footer=f"fastmlp {document.fastmlp_version}, {document.written}",
            notice=" ".join(_notices(document)),
        )
    )


def markdown(document: Document, zone: str | None = None) -> str:
    """Return the table in Markdown, with what must be known to read it."""
    found, grid = summary(document), find_zone(zone)
    shown = columns(found, grid)
    head = [f"{one.name} {one.unit}".strip() for one in shown]
    lines = [head, [":---" if not one.numeric else "---:" for one in shown]]
    lines += [[one.cells[row] for one in shown] for row in range(len(found.lines))]
    notice = [SMOKE, ""] if document.protocol["profile"] == "smoke" else []
    absent = [f"{one['contender']} is left out: {one['reason']}." for one in document.absent]
    absent += [f"Failed: {words}." for words in document.failed]
    table = [f"| {' | '.join(map(_in_a_row, cells))} |" for cells in lines]
    return "\n".join([*notice, *table, "", _conditions(found, grid), *absent]) + "\n"


def _in_a_row(cell: str) -> str:
    """Keep a name from ending its cell or its row, and from being HTML."""
    line = " ".join(cell.split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _table(found: Summary, zone: GridZone) -> list[Block]:
    if not found.lines:
        return []
    note, caption = f"{_conditions(found, zone)} {LEFT_OUT}", "The same with 95 % intervals"
    shown: list[Block] = [Columns(columns(found, zone)), Words(note, quiet=True)]
    head, rows = spans(found, zone)
    if head[1:]:
        shown += [Words(f"{caption}:"), Numbers(caption, head, rows)]
    return shown


def _conditions(found: Summary, zone: GridZone) -> str:
    parts = [GENERATED] if found.document.protocol["data"] == "generated" else []
    parts.append(f"Grid {zone.zone} at {significant(zone.g_per_kwh)} g CO2e/kWh ({zone.year}).")
    return " ".join([*parts, *_starred(found)])


def _starred(found: Summary) -> list[str]:
    """Say why joules carry a star."""
    both = [joules for one in found.lines for joules in (one.cost.epoch, one.cost.target)]
    starred = [joules for joules in both if joules and not joules.is_ranked]
    if not starred:
        return []
    flags = sorted({flag for one in starred for flag in one.left_out})
    few = f"their rounds are from fewer than {FEWEST_PROCESSES} processes"
    why = "; ".join([FLAGS.get(flag, flag) for flag in flags] or [few])
    return [f"* Not to be ranked: {why}."]


def _missing(document: Document) -> list[Block]:
    entries = [(one["contender"], one["reason"], "") for one in document.absent]
    entries += [("failed", words, "") for words in document.failed]
    return [Reasons(entries)] if entries else []


def _charts(drawn: list[Chart]) -> list[Block]:
    return [Charts(drawn)] if drawn else []


def _grids(found: Summary) -> list[Block]:
    zones = known_zones()
    rows = []
    for one in found.lines:
        value = one.cost.target_j or one.cost.epoch_j
        if value:
            what = f"to {found.target}" if one.cost.target_j else "an epoch"
            mark = star(one.cost.target or one.cost.epoch)
            mg = [co2e_mg(value.value, zone.g_per_kwh) or 0.0 for zone in zones]
            cells = [significant(part) + mark for part in (value.value, *mg)]
            rows.append([one.name, what, *cells])
    if not rows:
        return []
    head = ["backend", "of", "J", *(f"{zone.zone}, mg" for zone in zones)]
    about = ", ".join(f"{z.zone} {significant(z.g_per_kwh)} g/kWh ({z.year})" for z in zones)
    text = (
        f"Compute energy times the carbon intensity of a grid: {about}. Where a training runs can "
        "change more than what it runs on."
    )
    return [Words(text), Numbers("CO2e of the same joules on other grids", head, rows)]


def _speeds(document: Document) -> list[Block]:
    figures = [figure for figure in document.figures if figure.suite == "speed"]
    measured = {figure.contender for figure in figures}
    names = [one["name"] for one in document.contenders if one["name"] in measured]
    rows = []
    for group in dict.fromkeys(figure.name for figure in figures):
        unit = next(figure.unit for figure in figures if figure.name == group)
        cells = [_time(document, group, name) for name in names]
        rows.append([f"{group} (one {unit})", *cells])
    if not rows:
        return []
    caption = "Median times of one unit, with 95 % intervals"
    return [Words(f"{caption}."), Numbers(caption, ["figure", *names], rows)]


def _time(document: Document, group: str, name: str) -> str:
    figure = document.figure(group, name)
    if figure is None:
        return ABSENT
    found = median(figure.unit_s, figure.block)
    unit, per_s = time_unit([found.value])
    value, low, high = (significant(time_s * per_s) for time_s in found)
    return f"{value} {unit}" + (f" ({low} to {high})" if found.has_width else "")


def _cards(document: Document) -> list[tuple[str, list[tuple[str, str]]]]:
    protocol = dict(document.protocol)
    settings = protocol.pop("settings", {})
    return titled(
        {
            "Machine": {k: v for k, v in document.machine.items() if k != "versions"},
            "Versions": document.machine.get("versions", {}),
            "Protocol": protocol,
            "Profile": settings,
        }
    )


def _meanings(found: Summary, zone: GridZone) -> list[Block]:
    pairs = [(f"{one.name} {one.unit}", one.meaning) for one in columns(found, zone)]
    pairs += [(one.name, one.description) for one in found.lines]
    return [Words(HOW), Meanings(pairs), *map(Words, _explained(found))]


def _explained(found: Summary) -> Iterator[str]:
    """Say what the joules of a round are made of, once for each way."""
    seen = set()
    for one in found.lines:
        figure = found.document.figure("train-energy", one.name)
        for energy in figure.energy[:1] if figure else ():
            made_of = str((energy["source"], energy["method"]))
            if made_of not in seen:
                seen.add(made_of)
                words = EnergyResult.from_dict(energy).explain()
                yield f"A round of {one.name}: {words}"


def _notices(document: Document) -> Iterator[str]:
    if document.protocol["profile"] == "smoke":
        yield SMOKE
    if document.protocol["data"] == "generated":
        yield GENERATED


def _layers(document: Document) -> str:
    return "-".join(map(str, document.protocol["layer_sizes"]))
