"""One fresh process: started, waited for, weighed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

from bench.gpu.runner import LOG_CHARACTERS, last_words
from bench.peers.process import CPU_ONLY, ROOT, threads_environment
from fastmlp.compare.config import cores

LEAST_ACCURACY = 0.9  # all contenders reach 0.94 and more
KNOWN = ("accuracy", "peak_rss_bytes", "extra_bytes")


def run_script(command: Sequence[str], timeout_s: float) -> dict[str, Any]:
    """Run a script to its end; return status, reason and figures, and the log of a failure."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        late = threading.Event()
        timer = threading.Timer(timeout_s, _kill, (process.pid, late))
        timer.daemon = True  # an exit need not wait for it
        try:  # a signal may come while the thread begins
            timer.start()
            _, code, usage = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(code)  # else Popen would wait, too
        finally:
            timer.cancel()
            _kill(process.pid)  # and what it started in its turn
            process.wait()
        out.seek(0)
        err.seek(0)
        said, log = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    figures = _figures(said)
    found = {
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        # only where the script cannot tell: on Linux it counts what the parent held, if more
        "peak_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        **figures,
    }
    if late.is_set():
        status, reason = "timeout", f"killed after {timeout_s:g} s"
    elif process.returncode or not figures:
        status, reason = "failed", last_words(process.returncode, log)
    elif not figures["accuracy"] > LEAST_ACCURACY:
        status = "wrong results"
        reason = f"accuracy {figures['accuracy']:.3f}, expected more than {LEAST_ACCURACY:g}"
    else:
        return {"status": "ok", "reason": "", **found}
    return {"status": status, "reason": reason, "log": log[-LOG_CHARACTERS:]}


def _environment() -> dict[str, str]:
    """Let scripts import this checkout, and keep its bytecode, as an installed package has it."""
    search = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | threads_environment(cores()) | CPU_ONLY | {"PYTHONPATH": search}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _figures(said: str) -> dict[str, Any]:
    """Return what the last line of the script says, or nothing if it is no such line."""
    with contextlib.suppress(ValueError, IndexError, AttributeError, TypeError):
        line = json.loads(said.splitlines()[-1])
        return {"accuracy": float(line["accuracy"])} | {k: line[k] for k in KNOWN[1:] if k in line}
    return {}


def _kill(group: int, late: threading.Event | None = None) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
        if late:
            late.set()
