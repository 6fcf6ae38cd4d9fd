"""``python -m bench.gpu --out FILE``, from the repository root: see README.md beside this."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from bench.gpu.card import ROOT, has_gpu
from bench.gpu.runner import Job, Part, run_jobs, write_json
from bench.gpu.settings import DEVICES, Settings
from bench.gpu.table import table

SCHEMA_VERSION = 1
# In the order in which they are worth having: right numbers before fast ones.
BOXES_S = {
    "card": 20.0,
    "agree": 50.0,
    "capture": 30.0,
    "speed": 60.0,
    "torch_peers": 70.0,
    "train": 40.0,
    "launches": 25.0,
    "copies": 20.0,
    "jax_options": 40.0,
    "sweep": 25.0,
    "energy": 45.0,
}
QUICK_BOXES_S = dict.fromkeys(BOXES_S, 20.0) | {"agree": 30.0}
PARTS = tuple(BOXES_S)
# A part runs on every backend, but for those here.
ONLY_ON = {
    "capture": ("cupy", "torch"),
    "torch_peers": ("torch",),
    "launches": ("cupy", "jax", "torch"),
    "copies": ("torch",),
    "jax_options": ("jax",),
    "energy": ("cupy", "jax", "torch"),
}
QUICK_PARTS = ("agree", "capture", "speed", "train")
BUDGET_S, QUICK_BUDGET_S = 540.0, 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the protocol; return 0, or 1 if a part failed or was killed."""
    options = _parser().parse_args(arguments)
    budget_s = options.budget_s or (QUICK_BUDGET_S if options.quick else BUDGET_S)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwind: leave no child behind
    deadline = time.monotonic() + budget_s
    parts: list[Part] = []
    report: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "budget_s": budget_s,
        "card": {},
        "parts": parts,
    }

    def finished(part: Part) -> None:
        parts.append(part)
        write_json(options.out, report)
        print(f"{part['name']:16}{part['status']:8}{part['seconds']:7.1f} s", file=sys.stderr)

    card = Settings("card", "", gpu=False, quick=options.quick, data_dir=None)
    run_jobs([_job("card", card)], ROOT, deadline, finished)
    report["card"] = _card(parts[0])
    write_json(options.out, report)
    jobs = _jobs(options, gpu=report["card"]["gpu_found"])
    run_jobs(jobs, ROOT, deadline, finished)
    print("\n".join(table(report, options.out)))
    return int(any(part["status"] in ("failed", "timeout") for part in parts))


def _jobs(options: argparse.Namespace, *, gpu: bool) -> list[Job]:
    """One child per part and backend."""
    wanted = options.parts or (QUICK_PARTS if options.quick else PARTS)
    return [
        _job(f"{part}:{backend}", Settings(part, backend, gpu, options.quick, options.data_dir))
        for part in PARTS[1:]
        for backend in ONLY_ON.get(part, DEVICES)
        if part in wanted
    ]


def _job(name: str, settings: Settings) -> Job:
    argument = json.dumps(settings._asdict())
    box_s = (QUICK_BOXES_S if settings.quick else BOXES_S)[settings.part]
    return Job(name, (sys.executable, "-m", "bench.gpu.child", argument), box_s)


def _card(part: Part) -> dict[str, Any]:
    """Join the rows of the card, and say plainly what the numbers are about."""
    card: dict[str, Any] = {}
    for row in part["rows"]:
        card |= row
    found = has_gpu(card)
    if found:
        names = sorted({gpu.get("name") or "?" for gpu in card.get("gpus", [])})
        statement = f"GPU: {', '.join(names) or 'unnamed'}"
    else:
        why = "no GPU found" if part["status"] == "ok" else f"card {part['status']}, no GPU known"
        statement = f"{why}: CPU only, these numbers say nothing about a GPU"
    return {"statement": statement, "gpu_found": found, **card}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> _Parser:
    parser = _Parser(prog="python -m bench.gpu", description="Prove, train and time on a GPU.")
    parser.add_argument("--out", type=_out_file, required=True, help="the JSON file to write")
    parser.add_argument("--data-dir", type=_folder, help="folder with MNIST's four IDX files")
    parser.add_argument("--parts", type=_part_names, help=f"some of {','.join(PARTS)}")
    parser.add_argument("--budget-s", type=_seconds, help="9 minutes, or one with --quick")
    parser.add_argument("--quick", action="store_true", help="a look, in about a minute")
    return parser


def _out_file(text: str) -> Path:
    path = Path(text).resolve()
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} is no file in a folder that can be written to")
    return path


def _folder(text: str) -> str:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder; expected the one with the data")
    return str(Path(text).resolve())


def _part_names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} is unknown, expected some of {','.join(PARTS)}"
        )
    return names


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted; the file holds the parts that had ended", file=sys.stderr)
        sys.exit(130)
