"""The page, section by section."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench.page import against, sizes
from bench.page.charts import Chart, breakdown_chart, crossover_chart, growth_chart
from bench.page.read import Document, Results
from bench.page.taken import how_taken
from bench.page.verdict import configs, verdict

MISSING = "Not measured yet."
INTRODUCTION = """\
How fast is fastmlp, beside its peers and beside what the machine can do at all? Figures are ratios
of speeds, so more is faster: the mean over runs, then in brackets the lowest and the highest. They
hold for one machine; on another one measure again (the commands stand below). "Faster" and
"slower" mean by more than 3 % in every run. All compute in float32; what each contender is says a
table at the end."""
CROSSOVER = """\
The chart shows the time of a step of 784-width-10 with SGD; its microseconds belong to the machine
that is named below. The table says which backend is the fastest, its speed over that of NumPy, and
after how many steps compiling has paid for itself."""
BREAKDOWN = """\
One step of `fastmlp:numpy`, taken apart: the bare NumPy calls of each kind, timed within the
running step. `dispatch` is what they leave over, the calls of Python; below 0 % it says that the
parts were timed in a slower moment than the whole. The floor is the matrix products alone, by NumPy
and into memory that is there; in the section on training it is the fastest library's."""
GROWTH = """\
Time ~ size^exponent, fitted over all sizes and over their upper half, where what every epoch costs
whatever its size counts less; the chart names the former. An exponent of 1 is time in proportion to
size."""
COMMANDS = """\
    python -m bench.peers --json bench/results/MACHINE/peers.json
    python -m bench.scaling --json bench/results/MACHINE/scaling.json
    python -m bench.cold --json bench/results/MACHINE/cold.json
    python -m bench.page"""


def charts(results: Results) -> list[Chart]:
    """Draw what the scaling file has figures for."""
    makers: tuple[Callable[[Document], Chart | None], ...]
    makers = (crossover_chart, breakdown_chart, growth_chart)
    drawn = [make(results.scaling) for make in makers] if results.scaling else []
    return [chart for chart in drawn if chart]


def page(results: Results, drawn: list[Chart]) -> str:
    """Return the Markdown of the whole page."""
    images = {chart.name: f"![{chart.title}](images/{chart.file})" for chart in drawn}
    peers, scaling = results.peers, results.scaling
    training = peers if peers and configs(peers, "train") else None
    prediction = peers if peers and configs(peers, "predict") else None

    blocks = [
        "# Performance",
        f"<!-- python -m bench.page writes this from bench/results/{results.machine} -->",
        INTRODUCTION,
        "\n".join(f"- {sentence}" for sentence in verdict(results)),
        "## Training",
        *_section(against.training, training),
        "## Prediction",
        *_section(against.prediction, prediction),
        "## Cold start and memory",
        *_section(against.cold_starts, results.cold),
        "## Which backend for which size",
        *_section(sizes.which_backend, scaling, CROSSOVER, images.get("crossover")),
        "## Where the time of a step goes",
        *_section(sizes.where_time_goes, scaling, BREAKDOWN, images.get("breakdown")),
        "## How time grows",
        *_section(sizes.growth, scaling, GROWTH, images.get("growth")),
        *(sizes.not_timed(scaling) if scaling else ()),
        "## How the figures were taken",
        *how_taken(results),
        COMMANDS,
        "## Who the contenders are",
        *_section(against.contenders, peers),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _section(
    write: Callable[[Any], Iterator[str]], document: Document | None, *before: str | None
) -> Iterator[str]:
    """Yield a section's blocks, or that there are no figures."""
    if document is None:
        yield MISSING
        return
    yield from (block for block in before if block)
    yield from write(document)
