"""``python -m bench.gpu.page``: write docs/gpu-results.md from bench/results/*/gpu.json.

Without such a file the page says that nothing has been measured. ``--check`` only compares.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.gpu import sections
from bench.gpu.card import ROOT
from bench.gpu.report import CPU, Report, ReportError, on_gpu, plain, read
from bench.gpu.result_file import write_text

PAGE = "gpu-results.md"
NOTHING = """\
No GPU has been measured yet, so nothing is claimed here: neither that a GPU gives the right numbers
nor how fast one is. What has been shown without a GPU, and what that leaves open, says
[ADR 9](adr/0009-a-ladder-on-the-gpu.md).

On a machine with a GPU, `python -m bench.gpu --out bench/results/NAME/gpu.json` and then
`python -m bench.gpu.page` fill this page."""


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write the page; return 0, 1 if it is to be checked and differs, 2 if a file is of no use."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    options = parser.parse_args(arguments)
    reports: dict[str, Report] = {}
    complaints = []
    for path in sorted((root / "bench" / "results").glob("*/gpu.json")):
        try:
            reports[path.parent.name] = read(path)
        except ReportError as error:
            complaints.append(str(error))
    if complaints:
        print("\n".join([*complaints, f"docs/{PAGE} is as it was"]), file=sys.stderr)
        return 2
    text, there = page(reports), root / "docs" / PAGE
    try:
        if not options.check:
            write_text(there, text)
        elif not there.exists() or there.read_text(encoding="utf-8") != text:
            print(f"docs/{PAGE} is not what the results say: run this again", file=sys.stderr)
            return 1
    except (OSError, UnicodeDecodeError) as error:
        print(
            f"{there} cannot be {'read' if options.check else 'written'}: {error}", file=sys.stderr
        )
        return 2
    return 0


def page(reports: dict[str, Report]) -> str:
    """Return the page of all machines that had a GPU."""
    parts = ["# Results on a GPU", "<!-- python -m bench.gpu.page writes this -->"]
    found = {name: one for name, one in reports.items() if one["card"].get("gpu_found") is True}
    for name, report in found.items():
        parts += machine(name, report)
    return "\n\n".join([*parts, *([] if found else [NOTHING])]) + "\n"


def machine(name: str, report: Report) -> Iterator[str]:
    """Yield the sections of one machine."""
    card = report["card"]
    versions = ", ".join(f"{k} {v}" for k, v in sorted(card.get("versions", {}).items()) if v)
    yield f"## {plain(name)}"
    quick = " A quick look: too short for figures that are to be quoted." if report["quick"] else ""
    taken = f"Taken {plain(report['started'])}.{quick}"
    yield f"{plain(card['statement'])}. {plain(versions, 1000)}. {taken}"
    yield from _never_ran(report)
    if not any(on_gpu(row) for part in report["parts"] for row in part["rows"]):
        yield "No row of this file was computed on a GPU, so it shows no figure."
    else:
        yield from sections.agreement(report)
        yield from sections.rungs(report)
        yield from sections.speed(report)
        yield from sections.accuracy(report)
        yield from sections.energy(report)
    yield from _left_out(report)


def _never_ran(report: Report) -> Iterator[str]:
    """Say that a run was interrupted, and what it did not come to."""
    done = {part["name"] for part in report["parts"]}
    missing = [plain(name) for name in report.get("planned", []) if name not in done]
    if missing or report.get("complete") is not True:
        never = ", ".join(missing) or "not known"
        yield f"**This run did not come to its end.** Never ran: {never}."


def _left_out(report: Report) -> Iterator[str]:
    lines = []
    for part in report["parts"]:
        name = plain(part["name"])
        if part["status"] != "ok":
            lines.append(f"- {name}: {plain(part['status'])}, {plain(part['reason'])}")
        for row in part["rows"]:
            if "failed" in row:
                what = plain(str(row.get("problem", row.get("option", ""))))
                failed = f"{plain(row['backend'])}, {what}: failed, {plain(row['failed'])}"
                lines.append(f"- {name}, {failed}")
        on_cpu = [
            row
            for row in part["rows"]
            if "device" in row and not on_gpu(row) and row.get("backend") != CPU
        ]
        if on_cpu:
            lines.append(f"- {name}: {len(on_cpu)} rows are of a CPU, and are not shown")
    if lines:
        yield "### What did not run, or failed"
        yield "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
