"""A comparison of two runs, printed."""

from __future__ import annotations

from fastmlp.bench.comparison import Change, Comparison
from fastmlp.page.text import ABSENT

WIDE = 160
COLORS = {"worse": "red", "better": "green", "unclear": "yellow"}


def print_comparison(comparison: Comparison) -> None:
    """Print all changes, how to read them, and what comes of them."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    class Output(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to the command: rich would end with 1, as a regression does."""
            raise BrokenPipeError

    console = Output()
    if not console.is_terminal:  # nothing is cut off in a file
        console = Output(width=WIDE)
    table = Table("figure", "backend", "quantity", "new / old", "90 % interval", "verdict")
    for change in comparison.changes:
        cells = map(Text, _row(change))  # a name is no markup
        table.add_row(*cells, style=COLORS.get(change.verdict))
    console.print(table)
    lines = ["Above 1 the new run takes more. Times are over the probe's; how: docs/benchmarks.md."]
    limits = {change.quantity: f"{100 * change.limit:g} %" for change in comparison.changes}
    lines.append(f"Limits: {', '.join(f'{name} {limit}' for name, limit in limits.items())}.")
    doubted: dict[str, list[str]] = {}
    for change in comparison.changes:
        if change.doubt:
            doubted.setdefault(change.doubt, []).append(change.label)
    lines += [f"Unclear ({doubt}): {', '.join(labels)}." for doubt, labels in doubted.items()]
    if comparison.versions:
        lines.append(f"Versions changed: {', '.join(comparison.versions)}.")
    lines += [f"Failed in the new run: {words}." for words in comparison.failed]
    if comparison.missing:
        lines.append(f"No longer measured: {', '.join(comparison.missing)}.")
    lines.append(_outcome(comparison))
    lines += [f"Lost: {name} could not run, or failed." for name in comparison.lost]
    for line in lines:
        console.print(Text(line))


def _outcome(comparison: Comparison) -> str:
    n, verdicts = len(comparison.changes), [one.verdict for one in comparison.changes]
    worse, unclear = verdicts.count("worse"), verdicts.count("unclear")
    if unclear == n:
        return f"Nothing can be said: all {n} are unclear."
    text = f"{worse or 'No'} regression{'' if worse == 1 else 's'}"
    return f"{text}; {unclear} of {n} are unclear." if unclear else f"{text}."


def _row(change: Change) -> tuple[str, ...]:
    value, low, high = change.ratio
    interval = f"{low:.3f} to {high:.3f}" if change.ratio.has_width else ABSENT
    return (
        change.name,
        change.contender,
        change.quantity,
        f"{value:.3f}",
        interval,
        change.verdict,
    )
