"""Child processes in time boxes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from bench.gpu.signals import held

Part = dict[str, Any]  # name, status, reason, seconds, rows, log
LOG_CHARACTERS = 3000


class Job(NamedTuple):
    """A part to run: its command prints ``{"row": ...}`` lines and at last ``{"end": ...}``."""

    name: str
    command: Sequence[str]
    box_s: float  # killed when it takes longer


def run_jobs(
    jobs: Sequence[Job], cwd: Path, deadline: float, finished: Callable[[Part], None]
) -> None:
    """Run one job after another until the deadline (of ``time.monotonic``).

    ``finished`` gets each part before the next one begins. A job that would have less than a
    third of its box is skipped: it would only be killed.
    """
    for job in jobs:
        left_s = deadline - time.monotonic()
        if left_s < job.box_s / 3:
            reason = f"no time left: {max(left_s, 0.0):.0f} s of the budget, its box is "
            finished(_part(job, "skipped", f"{reason}{job.box_s:g} s", 0.0, []))
        else:
            finished(run_job(job, cwd, min(job.box_s, left_s)))


def run_job(job: Job, cwd: Path, box_s: float) -> Part:
    """Run one job in a process group of its own, and end the whole group with it."""
    # files, not pipes: what was printed is there whoever dies, and nobody waits for a reader
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        process: subprocess.Popen[bytes] | None = None
        overrun, returncode = False, 0
        try:
            with held():  # a child that runs, and that nobody knows, would run for ever
                process = subprocess.Popen(
                    job.command,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            process.wait(timeout=box_s)
        except subprocess.TimeoutExpired:
            overrun = True
        finally:
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                returncode = process.wait()
        seconds = time.monotonic() - started
        rows, end = _read_lines(out)
        log = _read(err)
        status, reason = ("timeout", f"killed after {box_s:.0f} s") if overrun else end
    if status == "":
        status, reason = "failed", last_words(returncode, log)
    wrong = [row for row in rows if row.get("ok") is False]
    if status == "ok" and wrong:
        status, reason = "failed", f"{len(wrong)} of {len(rows)} rows are not ok"
    return _part(job, status, reason, seconds, rows, "" if status == "ok" else log)


def _part(
    job: Job, status: str, reason: str, seconds: float, rows: list[Any], log: str = ""
) -> Part:
    return {
        "name": job.name,
        "status": status,
        "reason": reason,
        "seconds": round(seconds, 3),
        "rows": rows,
        "log": log[-LOG_CHARACTERS:],
    }


def _read_lines(out: IO[bytes]) -> tuple[list[Any], tuple[str, str]]:
    """Rows and (status, reason); the status is empty where the child never came to its end."""
    rows, end = [], ("", "")
    for line in _read(out).splitlines():
        with contextlib.suppress(ValueError):  # a kill may cut the last line
            parsed = json.loads(line)
            if "row" in parsed:
                rows.append(parsed["row"])
            else:
                end = parsed["end"]["status"], parsed["end"]["reason"]
    return rows, end


def last_words(returncode: int, log: str) -> str:
    """Say how a child died that did not say so itself."""
    said = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "")
    died = f"signal {-returncode}" if returncode < 0 else f"exit status {returncode}"
    return f"{died}: {said[:300] or 'it said nothing'}"


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
