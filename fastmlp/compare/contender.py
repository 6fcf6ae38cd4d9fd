"""The parent's side of one contender: its process, its turns, its run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fastmlp
from fastmlp.compare.config import REFERENCE, Config
from fastmlp.compare.results import Run

FIRST_WINDOW_S = 0.1  # a shorter window holds too few ticks of 10 ms to be read by itself


class Contender:
    """A child process that trains one epoch per turn, and the run that grows out of it."""

    def __init__(self, name: str, config: Config) -> None:
        self.run = Run(name, is_reference=name == REFERENCE)
        self.alive = True
        self._epochs = config.epochs
        self._errors = tempfile.TemporaryFile(  # noqa: SIM115  # closed in stop
            "w+", encoding="utf-8", errors="replace"
        )
        self._process = subprocess.Popen(
            # -P: no file of the working directory stands in for a library
            [sys.executable, "-P", "-m", "fastmlp.compare.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env=_environment(config.threads),
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        self._say(json.dumps({**asdict(config), "contender": name}))

    def get_ready(self) -> None:
        """Wait until the child has its library, its data and its weights."""
        ready = self._hear("ready")
        if ready:
            self.run.device, self.run.version = ready["device"], ready["version"]

    def train_epoch(self) -> None:
        """Let the child train one epoch, and add it to the run."""
        self._say("go")
        epoch = self._hear("epoch")
        if epoch:
            self.run.epoch_s.append(epoch["epoch_s"])
            values = {**epoch["values"]}
            values |= {f"test_{name}": value for name, value in epoch["test"].items()}
            for name, value in values.items():
                self.run.history.setdefault(name, []).append(value)
            if len(self.run.epoch_s) == self._epochs:
                self.run.status = "ok"

    def measure_energy(self, g_per_kwh: float) -> None:
        """Let the child train once more under the energy meter; after that it is done."""
        self._say("go")
        energy = self._hear("energy")
        if energy:
            self._add_energy(energy, g_per_kwh)
        self.stop()

    def fail(self, status: Any, reason: str, hint: str = "") -> None:
        """Keep what there is and end the child; only energy is lost once all epochs are done."""
        if self.run.status == "ok":
            self.run.energy = {"reason": reason}
        else:
            self.run.status, self.run.reason, self.run.hint = status, reason, hint
        self.stop()

    def stop(self) -> None:
        """End the child, whatever it is doing."""
        if self.alive:
            self.alive = False
            self._process.kill()
            self._process.communicate()
            self._errors.close()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is dead, and the next word heard from it says so
            self._process.stdin.write(word + "\n")
            self._process.stdin.flush()

    def _hear(self, expected: str) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        message: dict[str, Any] = {}
        while "event" not in message:  # what a start-up file prints is no message
            text = self._process.stdout.readline()
            with suppress(ValueError, TypeError):
                message = dict(json.loads(text)) if text else {"event": "dead"}
        if message["event"] == expected:
            return message
        if message["event"] == "dead":
            self.fail(
                "failed", f"its process ended with code {self._process.wait()}{self._last_words()}"
            )
        else:
            self.fail(message["event"], message["reason"], message.get("hint", ""))
        return None

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return f": {lines[-1]}" if lines else ""

    def _add_energy(self, energy: dict[str, Any], g_per_kwh: float) -> None:
        """The first epoch as it was read, the others as the steady window says."""
        from fastmlp.energy import co2e_mg

        steady, first = energy["steady"], energy["first_epoch"]
        if steady is None or steady["total_j"] is None:
            explained = "" if steady is None else steady["explain"]
            self.run.energy = {"reason": energy["reason"] or explained or "nothing was measured"}
            return
        epoch_j = steady["total_j"] / energy["epochs"]
        own = first["total_j"] is not None and first["wall_s"] >= FIRST_WINDOW_S
        first_epoch_j = first["total_j"] if own else epoch_j
        self.run.energy_j = first_epoch_j + (self._epochs - 1) * epoch_j
        self.run.energy_source = steady["total_source"]
        self.run.co2e_mg = co2e_mg(self.run.energy_j, g_per_kwh)
        self.run.energy = {
            "first_epoch_j": first_epoch_j,
            "epoch_j": epoch_j,
            "window_epochs": energy["epochs"],
            # format 1 of results.json promises these two names
            "window": {
                **steady,
                "energy_j": steady["total_j"],
                "energy_source": steady["total_source"],
            },
            "explain": steady["explain"],
        }


def _environment(threads: int) -> dict[str, str]:
    """Give every library the same number of threads, and the child this very fastmlp."""
    package_parent = str(Path(fastmlp.__file__).resolve().parent.parent)
    path = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"]
    return {
        **os.environ,
        **{name: str(threads) for name in names},
        "PYTHONPATH": os.pathsep.join(path),
    }
