"""``python -m bench.suites.page``: write docs/suites.md from the results that are committed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fastmlp.bench import read
from fastmlp.bench.cells import spans, star
from fastmlp.bench.report import LEFT_OUT, markdown
from fastmlp.bench.summary import Summary, summary
from fastmlp.bench.verdict import verdict
from fastmlp.bench.zones import GRIDS, find_zone
from fastmlp.page.text import ABSENT, number, ratio

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = Path("bench/results"), Path("docs/suites.md")
GRID = GRIDS[0]  # named, so that an environment without its table cannot write another one
INTRODUCTION = """# Speed, accuracy and emissions

<!-- python -m bench.suites.page writes this from bench/results -->

What `fastmlp bench run --profile publish` measured: backends, the Keras reference, scikit-learn and
PyTorch train the same network from the same weights. Times hold for one machine and for what else
ran on it. How each number is obtained, and what keeps a number out of a ranking, says [the page on
the suites](benchmarks.md).
"""


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write the page; return 0, or 1 if it is to be checked and differs."""
    parser = argparse.ArgumentParser(prog="python -m bench.suites.page")
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    options = parser.parse_args(arguments)
    text = page(root)
    if not options.check:
        (root / PAGE).write_text(text, encoding="utf-8")
        return 0
    if (root / PAGE).read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE} is not what the results say: run python -m bench.suites.page", file=sys.stderr)
    return 1


def runs(root: Path) -> dict[str, list[Path]]:
    """Return the saved runs of each machine, the oldest first."""
    found: dict[str, list[Path]] = {}
    for path in sorted((root / RESULTS).glob("*/suites/*.json")):
        found.setdefault(path.parents[1].name, []).append(path)
    return found


def page(root: Path) -> str:
    """Return the page: for each machine its newest run, and how it came there."""
    parts = [INTRODUCTION]
    for machine, paths in runs(root).items():
        parts.append(_machine(machine, paths[-1], [summary(read(path)) for path in paths]))
        parts += _alarms(root / RESULTS / machine / "alarms")
    if len(parts) == 1:
        parts.append("No run has been saved yet.\n")
    return "\n".join(parts)


def _machine(name: str, newest: Path, history: Sequence[Summary]) -> str:
    found = history[-1]
    card = found.document.machine
    gpus = ", ".join(card.get("gpu", ())) or "no GPU"
    lines = [
        f"## {name}",
        "",
        f"{card['cpu']}, {card['cores']} cores, {gpus}, {card['os']}, Python {card['python']}. "
        # as HTML: Sphinx would look for a document of this name
        f'<a href="suites-{name}.html">The whole page with its charts</a> (in the built '
        "documentation); "
        f"its figures: `{newest.relative_to(newest.parents[4])}`.",
        "",
        *(f"- **{keyword}.** {sentence}" for keyword, sentence in verdict(found)),
        "",
        markdown(found.document, GRID),
        LEFT_OUT,
        "",
        *(f"- `{one.name}`: {one.description}" for one in found.lines),
        "",
    ]
    return "\n".join([*lines, *_spans(found), *_history(history)])


def _spans(found: Summary) -> list[str]:
    """The numbers that have intervals, with them."""
    head, rows = spans(found, find_zone(GRID))
    lines = [_row(head), _row([":---"] + ["---:"] * (len(head) - 1)), *map(_row, rows)]
    return ["### With 95 % intervals", "", *lines, ""]


def _alarms(folder: Path) -> list[str]:
    """How far runs can be compared on this machine."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    if not found:
        return []
    lines = [
        f"- {one['backend']}, {one['profile']} profile, {one['datetime'][:10]}: {one['found']} of "
        f"{len(one['pairs'])} steps that were slowed down by 30 % were found, and {one['false']} "
        f"of {len(one['pairs'])} pairs of equal runs raised an alarm in any of "
        f"{len(one['pairs'][0]['equal'])} figures."
        for one in found
    ]
    about = "What `python -m bench.suites.alarms` found about `fastmlp bench compare` here:"
    return ["\n".join(["### How far runs can be compared", "", about, "", *lines, ""])]


def _history(history: Sequence[Summary]) -> list[str]:
    """Speed over the reference's and joules of an epoch, run by run."""
    names = list(dict.fromkeys(line.name for one in history for line in one.lines))
    head = ["run", "fastmlp", *names]
    about = "Epochs in the time of one of keras, and joules of one."
    lines = ["### History", "", about, "", _row(head), _row([":---"] * 2 + ["---:"] * len(names))]
    for found in history:
        document, cells = found.document, []
        for name in names:
            line = found.line(name)
            speed = ratio(line.speed.value) if line and line.speed else ABSENT
            joules = line.cost.epoch_j if line else None
            mark = star(line.cost.epoch) if line else ""
            cells.append(f"{speed}, {number(joules.value)} J{mark}" if joules else speed)
        lines.append(_row([document.written[:10], document.fastmlp_version, *cells]))
    return [*lines, ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
