"""The figures of one machine, as tables: of rows that were computed on its GPU."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator

from bench.gpu.problems import PROBLEMS, Problem
from bench.gpu.report import CPU, Report, Row, label, plain, rows
from bench.page.words import number, table

TORCH_GRAPH = "torch:graph"  # the peer that a small network is compared with
BACKENDS = ("cupy", "jax", "torch", TORCH_GRAPH, "torch:compile", "torch:eager", CPU)


def agreement(report: Report) -> Iterator[str]:
    """Say how far each backend is off NumPy in float64."""
    worst: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows(report, "agree"):
        worst.setdefault((row["backend"], row["dtype"], row["precision"]), []).append(row)
    lines = []
    for (backend, dtype, precision), found in worst.items():
        errors = [error for row in found for error in row["errors"].values()]
        largest = math.nan if None in errors else max(errors)
        limit = f"{found[0]['limit']:.0e}"
        lines.append(
            [label(backend), plain(dtype), plain(precision), f"{largest:.0e}", limit, _kept(found)]
        )
    if lines:
        yield "### The same numbers as NumPy in float64"
        yield table(["backend", "dtype", "products", "largest error", "limit", "kept"], lines, 3)


def rungs(report: Report) -> Iterator[str]:
    """Say which rung of the ladder ran, and whether it computes the same."""
    lines = [
        [
            label(row["backend"]),
            plain(row["optimizer"]),
            plain(row["dtype"]),
            plain(row["asked"]),
            plain(row["rung"] or "") or "none",
            "nan" if row["error"] is None else number(row["error"], ".0e"),
            _kept([row]),
            plain(row["rung_reason"]) or "none",
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
            "kept",
            "why not higher",
        ]
        yield table(head, lines, 5)


def speed(report: Report) -> Iterator[str]:
    """Say what a step takes, and what it cannot fall below."""
    timed = [*rows(report, "speed"), *rows(report, "torch_peers")]
    for precision in ("float32", "tf32"):
        lines = []
        for problem in PROBLEMS:
            found = {
                row["backend"]: row
                for row in timed
                if row["problem"] == problem.name and row["precision"] == precision
            }
            step_us = {name: row["step_us"]["median"] for name, row in found.items() if row["ok"]}
            if found:
                cells = [
                    "not ok"
                    if name in found and name not in step_us
                    # of a form that failed there is a line below
                    else number(step_us.get(name), ".3g")
                    for name in BACKENDS
                ]
                floor_us = number(floor(report, problem, precision), ".2g")
                ratios = [_over(step_us, name) for name in ("cupy", "jax")]
                lines.append([problem.name, *cells, floor_us, *ratios])
        if lines:
            yield f"### Microseconds of a step, products in {precision}"
            yield table(["", *map(label, BACKENDS), "floor", "graph / cupy", "graph / jax"], lines)
    costs = [
        f"{plain(row['backend'])}{' ' + plain(row['asked']) if row['asked'] else ''}: "
        f"{row['launches']} launches a step, {number(row['launch_us'], '.2g')} us each"
        + ("" if row["ok"] else " (NOT ok)")
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
            "the whole step of PyTorch in one CUDA graph. NumPy is the CPU of the same machine."
        )


def floor(report: Report, problem: Problem, precision: str) -> float | None:
    """Return the microseconds that a step needs by its bytes or by its operations."""
    ceilings = rows(report, "copies")
    bandwidth = [
        row["bytes_per_s"]
        for row in ceilings
        if row["what"] == "within the device" and "bytes_per_s" in row
    ]
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


def accuracy(report: Report) -> Iterator[str]:
    """Say how well the network learns."""
    found: dict[tuple[str, str, int, int], list[Row]] = {}
    for row in rows(report, "train"):
        kind = (row["backend"], row["data"], row["rows"], len(row["history"]))
        found.setdefault(kind, []).append(row)
    lines = [
        [
            label(backend),
            plain(data),
            f"{n:,}",
            str(epochs),
            str(len(seeds)),
            f"{statistics.fmean(row['test_accuracy'] for row in seeds):.4f}",
            _kept(seeds),
        ]
        for (backend, data, n, epochs), seeds in found.items()
    ]
    if lines:
        yield "### Test accuracy"
        yield table(["backend", "data", "rows", "epochs", "seeds", "accuracy", "learnt"], lines, 2)


def energy(report: Report) -> Iterator[str]:
    """Say what an epoch takes from the board."""
    lines = [
        [
            label(row["backend"]),
            plain(row["problem"]),
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


def _kept(found: Iterable[Row]) -> str:
    return "yes" if all(row["ok"] for row in found) else "NO"
