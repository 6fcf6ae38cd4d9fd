"""``python -m bench.gpu.page``: write docs/gpu-results.md from bench/results/*/gpu.json.

Without such a file the page says that nothing has been measured. ``--check`` only compares.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.gpu.card import ROOT
from bench.gpu.problems import PROBLEMS, Problem
from bench.page.words import number, table

PAGE = "gpu-results.md"
TORCH_GRAPH = "torch:graph"  # the peer that a small network is compared with
BACKENDS = ("cupy", "jax", "torch", TORCH_GRAPH, "torch:compile", "torch:eager", "numpy")
NOTHING = """\
No GPU has been measured yet, so nothing is claimed here: neither that a GPU gives the right numbers
nor how fast one is. What has been shown without a GPU, and what that leaves open, says
[ADR 9](adr/0009-a-ladder-on-the-gpu.md).

On a machine with a GPU, `python -m bench.gpu --out bench/results/NAME/gpu.json` and then
`python -m bench.gpu.page` fill this page."""

Report = dict[str, Any]
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write the page; return 0, or 1 if it is to be checked and differs."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    options = parser.parse_args(arguments)
    files = sorted((root / "bench" / "results").glob("*/gpu.json"))
    reports = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in files}
    text, there = page(reports), root / "docs" / PAGE
    if not options.check:
        there.write_text(text, encoding="utf-8")
    elif not there.exists() or there.read_text(encoding="utf-8") != text:
        print(f"docs/{PAGE} is not what the results say: run this again", file=sys.stderr)
        return 1
    return 0


def page(reports: dict[str, Report]) -> str:
    """Return the page of all machines that had a GPU."""
    parts = ["# Results on a GPU", "<!-- python -m bench.gpu.page writes this -->"]
    found = {name: report for name, report in reports.items() if report["card"].get("gpu_found")}
    for name, report in found.items():
        parts += machine(name, report)
    return "\n\n".join([*parts, *([] if found else [NOTHING])]) + "\n"


def machine(name: str, report: Report) -> Iterator[str]:
    """Yield the sections of one machine."""
    card = report["card"]
    versions = ", ".join(f"{k} {v}" for k, v in sorted(card.get("versions", {}).items()) if v)
    yield f"## {name}"
    quick = " A quick look: too short for figures that are to be quoted." if report["quick"] else ""
    yield f"{card['statement']}. {versions}. Taken {report['started']}.{quick}"
    yield from _agreement(report)
    yield from _rungs(report)
    yield from _speed(report)
    yield from _accuracy(report)
    yield from _energy(report)
    yield from _left_out(report)


def rows(report: Report, part: str) -> list[Row]:
    """Return the rows of a part, of all backends."""
    return [
        row
        for one in report["parts"]
        if one["name"].partition(":")[0] == part
        for row in one["rows"]
    ]


def _agreement(report: Report) -> Iterator[str]:
    worst: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows(report, "agree"):
        worst.setdefault((row["backend"], row["dtype"], row["precision"]), []).append(row)
    lines = []
    for (backend, dtype, precision), found in worst.items():
        errors = [error for row in found for error in row["errors"].values()]
        largest = math.nan if None in errors else max(errors)
        verdict = "yes" if all(row["ok"] for row in found) else "NO"
        lines.append(
            [backend, dtype, precision, f"{largest:.0e}", f"{found[0]['limit']:.0e}", verdict]
        )
    if lines:
        yield "### The same numbers as NumPy in float64"
        yield table(["backend", "dtype", "products", "largest error", "limit", "kept"], lines, 3)


def _rungs(report: Report) -> Iterator[str]:
    lines = [
        [
            row["backend"],
            row["optimizer"],
            row["dtype"],
            row["asked"],
            row["rung"] or "-",
            number(row["error"], ".0e"),
            row["rung_reason"] or "-",
        ]
        for row in rows(report, "capture")
    ]
    if lines:
        yield "### Rungs"
        head = [
            "backend",
            "optimizer",
            "dtype",
            "asked for",
            "ran",
            "off plain by",
            "why not higher",
        ]
        yield table(head, lines, 5)


def _speed(report: Report) -> Iterator[str]:
    timed = [*rows(report, "speed"), *rows(report, "torch_peers")]
    for precision in ("float32", "tf32"):
        lines = []
        for problem in PROBLEMS:
            step_us = {
                row["backend"]: row["step_us"]["median"]
                for row in timed
                if row.get("problem") == problem.name
                and row.get("precision") == precision
                and row.get("ok")
            }
            floor_us = floor(report, problem, precision)
            if step_us:
                lines.append(
                    [
                        problem.name,
                        *(number(step_us.get(name), ".3g") for name in BACKENDS),
                        number(floor_us, ".2g"),
                        _over(step_us, "cupy"),
                        _over(step_us, "jax"),
                    ]
                )
        if lines:
            yield f"### Microseconds of a step, products in {precision}"
            head = ["", *BACKENDS, "floor", "graph / cupy", "graph / jax"]
            yield table(head, lines)
    costs = [
        f"{row['backend']}{' ' + row['asked'] if row['asked'] else ''}: {row['launches']} launches "
        f"a step, {row['launch_us']:.2g} us each"
        for row in rows(report, "launches")
        if row["launches"]
    ]
    if costs:
        yield "On s: " + "; ".join(costs) + "."
    if timed:
        yield (
            "Medians. `floor` is the larger of a step's bytes over the bandwidth within the device "
            "and its operations over the rate of the largest products, both measured; a step that "
            "is bound by launches cannot come near it. `graph / cupy` above 1: CuPy is faster than "
            "the whole step of PyTorch in one CUDA graph. `numpy` is the CPU of the same machine."
        )


def floor(report: Report, problem: Problem, precision: str) -> float | None:
    """Return the microseconds that a step needs by its bytes or by its operations."""
    ceilings = rows(report, "copies")
    bandwidth = [row["bytes_per_s"] for row in ceilings if row["what"] == "within the device"]
    rate = [
        row["flop_per_s"]
        for row in ceilings
        if "flop_per_s" in row and row["precision"] == precision
    ]
    if not bandwidth or not rate:
        return None
    _, batch_size = problem.shape("cuda")
    pairs = list(zip(problem.layer_sizes, problem.layer_sizes[1:], strict=False))
    weights = sum(a * b for a, b in pairs)
    # forward, dW, and delta for all layers but the first
    flop = 2 * batch_size * (3 * weights - math.prod(pairs[0]))
    # bytes of X; W is read twice and written once, dW written and read; activations both ways
    moved = batch_size * problem.layer_sizes[0] + 4 * (
        5 * weights + 4 * batch_size * sum(problem.layer_sizes[1:])
    )
    return float(1e6 * max(flop / rate[0], moved / bandwidth[0]))


def _over(step_us: dict[str, float], name: str) -> str:
    if name not in step_us or TORCH_GRAPH not in step_us:
        return "-"
    return f"{step_us[TORCH_GRAPH] / step_us[name]:.2f}"


def _accuracy(report: Report) -> Iterator[str]:
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows(report, "train"):
        found.setdefault((row["backend"], row["data"]), []).append(row["test_accuracy"])
    lines = [
        [backend, data, str(len(values)), f"{statistics.fmean(values):.4f}"]
        for (backend, data), values in found.items()
    ]
    if lines:
        yield "### Test accuracy after 5 epochs"
        yield table(["backend", "data", "seeds", "accuracy"], lines, 2)


def _energy(report: Report) -> Iterator[str]:
    lines = [
        [
            row["backend"],
            row["problem"],
            f"{row['gross_j_per_epoch']:.3g}",
            f"{row['net_j_per_epoch']:.3g}",
            f"{row['mean_w']:.0f}",
            f"{row['idle_w']:.0f}",
        ]
        for row in rows(report, "energy")
    ]
    if lines:
        yield "### Joules of an epoch"
        head = ["backend", "", "gross (J)", "net (J)", "training (W)", "idle (W)"]
        yield table(head, lines, 2)
        yield "Measured by the energy counter of the board; the host's energy is not in it."


def _left_out(report: Report) -> Iterator[str]:
    lines = [
        f"- {part['name']}: {part['status']}, {part['reason']}"
        for part in report["parts"]
        if part["status"] != "ok"
    ]
    if lines:
        yield "### What did not run, or failed"
        yield "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
