"""A contender's process as its parent sees it: started, asked for turns, ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.gpu.runner import last_words
from bench.peers.child import Settings

ROOT = Path(__file__).parents[2]
LOG_CHARACTERS = 3000
# where the CPU of every library is compared, also beside a GPU
CPU_ONLY = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}


class EndedError(Exception):
    """A contender came to an end, and how: a status "failed", "skipped", ..., and its reason."""

    def __init__(self, end: dict[str, Any]) -> None:
        super().__init__(end["reason"])
        self.end = end


class Process:
    """A child in a process group of its own."""

    def __init__(self, settings: Settings) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the child)
        self._answers = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.peers.child", json.dumps(settings._asdict())],
            cwd=ROOT,
            env=os.environ | threads_environment(settings.threads) | CPU_ONLY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )

    def ask(self, question: dict[str, Any] | None, key: str, timeout_s: float) -> dict[str, Any]:
        """Send a line, if any, and wait for the answer of that key.

        Raises
        ------
        EndedError
            The child ended, or took too long and was killed.
        """
        try:
            if question is not None:
                self._send(json.dumps(question).encode() + b"\n")
            answer = self._next_line(timeout_s)
        except BrokenPipeError:
            answer = b""
        if not answer:
            self.kill()
            reason = last_words(self._process.returncode, self.log())
            raise EndedError({"status": "failed", "reason": reason})
        parsed = json.loads(answer)
        if key not in parsed:
            self.kill()
            raise EndedError(parsed["end"])
        wanted: dict[str, Any] = parsed[key]
        return wanted

    def finish(self, timeout_s: float) -> dict[str, Any]:
        """Let it come to its end; return how it did."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        end = self.ask(None, "end", timeout_s)
        self.kill()
        return end

    def kill(self) -> None:
        """End the whole group at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it, if it is there still, and forget what it said."""
        self.kill()
        for file in (self._process.stdin, self._process.stdout, self._log):
            with contextlib.suppress(BrokenPipeError):
                file.close()  # type: ignore[union-attr]

    def log(self) -> str:
        """Return the last of what it said to standard error."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")[-LOG_CHARACTERS:]

    def _send(self, line: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _next_line(self, timeout_s: float) -> bytes:
        """Return the next whole line, or nothing at the end of the child's output."""
        assert self._process.stdout
        pipe, deadline = self._process.stdout.fileno(), time.monotonic() + timeout_s
        while b"\n" not in self._answers:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([pipe], [], [], left_s)[0]:
                self.kill()
                reason = f"killed: no answer within {timeout_s:g} s"
                raise EndedError({"status": "timeout", "reason": reason})
            read = os.read(pipe, 65_536)
            if not read:
                return b""
            self._answers += read
        line, _, self._answers = self._answers.partition(b"\n")
        return line


def threads_environment(threads: int) -> dict[str, str]:
    """Tell every library that listens to a variable; XLA goes by the cores it may use."""
    names = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM", "TF_NUM_INTRAOP")
    counts = {f"{name}_THREADS": str(threads) for name in names}
    return {**counts, "TF_CPP_MIN_LOG_LEVEL": "3"}
