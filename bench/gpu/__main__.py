"""``python -m bench.gpu --out FILE``, from the repository root: see README.md beside this."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from bench.gpu.card import ROOT, has_gpu
from bench.gpu.result_file import SCHEMA_VERSION, ResultFile, why
from bench.gpu.runner import Job, Part, run_jobs
from bench.gpu.settings import DEVICES, Settings
from bench.gpu.signals import Stopped, stoppable
from bench.gpu.table import table

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
    """Run the protocol; return 0, or 1 if a part failed or was killed, or else see README.md."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        file = ResultFile(options.out, _say)
    except OSError as error:
        parser.error(f"argument --out: nothing can be written to {options.out}: {why(error)}")
    report = _empty_report(options)
    try:
        with stoppable(), file:
            _run(options, report, file)
    except Stopped as stopped:
        _say(_last_words(stopped, len(report["planned"]), file))
        return stopped.exit_code
    finally:
        if file.lost:
            _say(json.dumps(report), sys.stdout)
    _say("\n".join(table(report, file.at)), sys.stdout)
    states = {part["status"] for part in report["parts"]}
    return int(bool(states & {"failed", "timeout"}) or "ok" not in states or file.at != file.path)


def _empty_report(options: argparse.Namespace) -> dict[str, Any]:
    budget_s = options.budget_s or (QUICK_BUDGET_S if options.quick else BUDGET_S)
    return {
        "schema_version": SCHEMA_VERSION,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "budget_s": budget_s,
        "complete": False,  # until the last part has ended
        "planned": ["card", *(job.name for job in _jobs(options, gpu=False))],
        "card": {},
        "parts": [],
    }


def _run(options: argparse.Namespace, report: dict[str, Any], file: ResultFile) -> None:
    deadline = time.monotonic() + report["budget_s"]

    def finished(part: Part) -> None:
        report["parts"].append(part)
        report["card"] = report["card"] or _card(part)
        report["complete"] = len(report["parts"]) == len(report["planned"])
        file.write(report)
        _say(f"{part['name']:20}{part['status']:8}{part['seconds']:7.1f} s")

    card = Settings("card", "", gpu=False, quick=options.quick, data_dir=None)
    run_jobs([_job("card", card)], ROOT, deadline, finished)
    jobs = _jobs(options, gpu=report["card"]["gpu_found"] is True)
    run_jobs(jobs, ROOT, deadline, finished)


def _last_words(stopped: Stopped, planned: int, file: ResultFile) -> str:
    """Say where an interrupted run has left what it had."""
    if file.lost:
        return f"{stopped.name}: nothing could be written; what there is goes to standard output"
    if file.at is None:
        return f"{stopped.name}: no part had ended, {file.path} is as it was"
    return f"{stopped.name}: {file.at} holds {file.parts} of {planned} parts, marked incomplete"


def _say(text: str, stream: Any = None) -> None:
    """Print, and go on where nobody listens any more."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=stream or sys.stderr, flush=True)


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
        gpus = card.get("gpus") or []
        visible = card.get("cuda", {}).get("uuids")
        used = [gpu for gpu in gpus if gpu.get("uuid") in visible] if visible else []
        names = sorted({gpu.get("name") or "?" for gpu in used or gpus})
        statement = f"GPU: {', '.join(names) or 'unnamed'}"
    elif found is False:
        statement = "no GPU found: CPU only, these numbers say nothing about a GPU"
    else:
        reason = f"card {part['status']}, {part['reason'] or 'no answer'}"
        statement = (
            f"unknown whether there is a GPU ({reason}): these numbers say nothing about one"
        )
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
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no file in a folder that is there")
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
    sys.exit(main())
