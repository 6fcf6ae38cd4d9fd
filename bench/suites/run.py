"""``fastmlp bench run``: each contender and suite in processes of its own, in random turns."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.gpu.runner import last_words
from bench.peers.process import threads_environment
from bench.suites.contenders import find
from bench.suites.document import join
from bench.suites.profiles import SLOW_BLOCKS, Profile
from fastmlp.bench.document import INTERRUPTED, KEY

ROOT = Path(__file__).parents[2]
LONGEST_S = 1800  # of a turn: something hangs
QUICK = ("-k", "not fit and not first_call")  # of speed, what starts no library anew
NO_BENCHMARKS = 5  # pytest's exit code where nothing was collected


class Turn(NamedTuple):
    """One process."""

    block: int
    suite: str
    contender: str

    def __str__(self) -> str:
        """Say who measures what."""
        return f"{self.suite} of {self.contender}, turn {self.block + 1}"


class Plan(NamedTuple):
    """What is to be measured."""

    profile: Profile
    suites: tuple[str, ...]
    contenders: tuple[str, ...]
    threads: int
    seed: int = 0
    options: tuple[str, ...] = ()  # more of pytest's

    def turns(self) -> list[Turn]:
        """Return all processes, the contenders of each block in an order of their own."""
        chance, found = random.Random(self.seed), []
        for block in range(max(self.profile.blocks.values())):
            suites = [suite for suite in self.suites if block < self.profile.blocks[suite]]
            turns = [Turn(block, suite, name) for suite in suites for name in self.contenders]
            chance.shuffle(turns)
            found += turns
        return found


class Outcome(NamedTuple):
    """What came of it."""

    content: dict[str, Any]  # bench.json
    failed: tuple[str, ...]  # turns that did not come to their end, with their last words
    interrupted: bool  # by Ctrl-C


def ready(plan: Plan) -> tuple[Plan, list[dict[str, str]]]:
    """Keep the contenders that can run here, and say why the others cannot.

    Raises
    ------
    ValueError
        None can.
    """
    chosen = [find(name) for name in plan.contenders]
    absent = [{"contender": one.name, "reason": one.reason} for one in chosen if not one.available]
    plan = plan._replace(contenders=tuple(one.name for one in chosen if one.available))
    if not plan.contenders:
        reasons = "; ".join(f"{one['contender']}: {one['reason']}" for one in absent)
        raise ValueError(f"none of the backends can run here. {reasons}")
    return plan, absent


def run(plan: Plan, show: Callable[[Turn, int, int], None]) -> Outcome:
    """Run all turns, and join what they measured.

    Parameters
    ----------
    plan : Plan
    show : callable
        Hears of each turn, its number from 1 on, and how many there are.

    Raises
    ------
    ValueError
        No contender is there, or none measured anything.
    KeyboardInterrupt
        It came before anything was measured; later, what there is is returned.
    """
    plan, absent = ready(plan)
    parts: list[tuple[int, dict[str, Any]]] = []
    failed: list[str] = []
    turns, interrupted = plan.turns(), False
    with tempfile.TemporaryDirectory() as folder:
        try:
            for number, turn in enumerate(turns, 1):
                show(turn, number, len(turns))
                part, words = _take(turn, plan, Path(folder) / f"{number}.json")
                if part and part["benchmarks"]:
                    parts.append((turn.block, part))
                if words:
                    failed.append(f"{turn}: {words}")
        except KeyboardInterrupt:  # what was measured is kept
            interrupted = True
            failed.append(f"{INTERRUPTED}{number} of {len(turns)}: {turn}")
    if interrupted and not parts:
        raise KeyboardInterrupt("; ".join(failed))
    if not parts:
        raise ValueError(f"nothing was measured. {'; '.join(failed)}")
    content = join(parts)
    content[KEY]["contenders"].sort(key=lambda one: plan.contenders.index(one["name"]))
    content[KEY]["absent"] += absent
    content[KEY]["protocol"] |= {"seed": plan.seed, "suites": list(plan.suites)}
    content[KEY]["failed"] = failed
    return Outcome(content, tuple(failed), interrupted)


def folder_of(machine: str, root: Path = ROOT) -> Path:
    """Return the folder with the results of a machine.

    Raises
    ------
    ValueError
        The name is no name of a folder.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", machine):
        raise ValueError(
            f"--save {machine!r}: expected a name of small letters, digits and hyphens, such as "
            "epyc-2-cores"
        )
    return root / "bench" / "results" / machine


def history_of(machine: str, profile: Profile, root: Path = ROOT) -> Path:
    """Return the folder with the history of a machine.

    Raises
    ------
    ValueError
        The name is no name of a folder, or runs of the profile are not for publication.
    """
    folder = folder_of(machine, root)
    if profile.name != "publish":
        raise ValueError(
            f"--save {machine}: a run of profile {profile.name} is not for the history, add "
            "--profile publish"
        )
    return folder / "suites"


def save(content: dict[str, Any], history: Path) -> Path:
    """Add a run to a history under its date and time; an earlier one is never replaced."""
    history.mkdir(parents=True, exist_ok=True)
    path = history / f"{re.sub(r'[^0-9T]', '', content['datetime'])[:15]}.json"
    with path.open("x", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
    return path


def _take(turn: Turn, plan: Plan, path: Path) -> tuple[dict[str, Any] | None, str]:
    """Run a process; return its file, if it wrote one, and what it said if it failed."""
    command = [
        *(sys.executable, "-m", "pytest", f"bench/test_{turn.suite}.py", "-q", "--tb=short"),
        *("-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider"),
        *("--benchmark-only", "--benchmark-columns=median"),
        *(f"--bench-profile={plan.profile.name}", f"--bench-backends={turn.contender}"),
        *(f"--bench-threads={plan.threads}", f"--benchmark-json={path}"),
        *(() if turn.block < SLOW_BLOCKS else QUICK),
        *plan.options,  # a -k among them is the last, which counts
    ]
    try:
        ended = run_group(command, _environment(plan.threads), LONGEST_S)
    except subprocess.TimeoutExpired:
        return None, f"killed after {LONGEST_S} s"
    part = _read(path)
    if ended.returncode == 0 and part:
        return part, ""
    if ended.returncode == NO_BENCHMARKS:
        return None, ""
    return part, _last_words(ended)


def run_group(
    command: list[str], env: dict[str, str], longest_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a process in the root of the repository, and end with it whatever it started.

    Raises
    ------
    subprocess.TimeoutExpired
        It took longer.
    """
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said = process.communicate(timeout=longest_s)
        finally:
            if hasattr(os, "killpg"):  # not on Windows
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
    return subprocess.CompletedProcess(command, process.returncode, *said)


def _environment(threads: int) -> dict[str, str]:
    """Return that of a child."""
    # what pytest tells of itself is not for a pytest below it, and other plugins are no part of
    # what is measured: hypothesis alone takes longer to import than a figure takes
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    if own.get("FASTMLP_DATA"):
        own["FASTMLP_DATA"] = str(Path(own["FASTMLP_DATA"]).resolve())
    return own | threads_environment(threads) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _read(path: Path) -> dict[str, Any] | None:
    """Return what a child wrote; None if that is nothing, or not whole."""
    try:
        part: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return part


def _last_words(ended: subprocess.CompletedProcess[str]) -> str:
    """Say how a child ended: pytest's own line on the first error, or what it said last."""
    said = [line for line in ended.stdout.splitlines() if line.startswith(("E   ", "FAILED"))]
    errors = [line for line in said if not line.endswith("%]")]  # a line of pytest's progress
    if errors and ended.returncode > 0:
        return " ".join(errors[0].removeprefix("E ").split())[:300]
    return last_words(ended.returncode, ended.stderr or ended.stdout)
