"""Fresh processes: the scripts do their job; what misbehaves is named, the rest is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.cold import __main__ as command
from bench.cold.contenders import CONTENDERS, SCRIPTS, Contender
from bench.cold.process import run_script
from bench.cold.table import print_tables

ROOT = Path(__file__).parents[1]
GOOD = 'print(\'chatter\\n{"accuracy": 0.95, "peak_rss_bytes": 1000000}\')'
FAKES = {
    "good": GOOD,
    "raises": "raise ValueError('broken cable')",
    "crashes": "import os; os.abort()",
    "silent": "",
    "chats": "print('[1, 2]')",
    "guesses": "print('{\"accuracy\": 0.1}')",
    "diverges": "print('{\"accuracy\": NaN}')",
}
HANGS = "import time; time.sleep(600)"


def fakes(folder: Path, scripts: dict[str, str]) -> list[Contender]:
    for name, script in scripts.items():
        (folder / f"{name}.py").write_text(script, encoding="utf-8")
    return [
        Contender(name, "start", "numpy", "made for tests", str(folder / f"{name}.py"))
        for name in scripts
    ]


def measure(folder: Path, contenders: list[Contender], *options: str) -> tuple[int, Any]:
    path = folder / "cold.json"
    code = command.main(["--runs", "2", "--json", str(path), *options], contenders)
    return code, json.loads(path.read_text(encoding="utf-8"))


# ---------------------------------------------------------------------------- scripts


def test_every_script_is_started_by_somebody() -> None:
    started = {contender.script for contender in CONTENDERS}
    assert started | {"digits.py"} == {path.name for path in SCRIPTS.glob("*.py")}


@pytest.mark.parametrize("name", ["python:empty", "numpy:plain", "fastmlp:numpy"])
def test_scripts_train(name: str) -> None:
    contender = next(c for c in CONTENDERS if (c.name, c.task) == (name, "start"))
    script = str(SCRIPTS / contender.script)
    found = run_script([script, str(command.DIGITS), *contender.arguments], 60.0)
    assert found["status"] == "ok", found
    assert found["wall_s"] > 0.0
    if Path("/proc/self/status").exists():
        assert 1e7 < found["peak_rss_bytes"] < 1e8


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is not told here")
def test_memory_is_the_training_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setattr(command, "N_IMAGES", 2000)
    contenders = [contender for contender in CONTENDERS if contender.task == "memory"]
    monkeypatch.setattr("bench.cold.process.LEAST_ACCURACY", 0.05)  # so few rows teach little
    code, document = measure(tmp_path, contenders, "--task", "memory")
    (run,) = document["tasks"]
    (row,) = run["rows"]
    assert (code, row["status"], run["data"]) == (0, "ok", "images")
    assert all(0 < extra < 60e6 for extra in row["extra_bytes"])
    assert "extra" in capsys.readouterr().out


# ---------------------------------------------------------------------------- misbehaviour


def test_who_misbehaves_is_named_and_the_others_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = Contender("absent", "start", "no-such-package", "made for tests", "absent.py")
    code, document = measure(tmp_path, [*fakes(tmp_path, FAKES), absent])
    rows = {row["name"]: row for row in document["tasks"][0]["rows"]}
    assert {name: (row["status"], row["reason"]) for name, row in rows.items()} == {
        "good": ("ok", ""),
        "raises": ("failed", "exit status 1: ValueError: broken cable"),
        "crashes": ("failed", "signal 6: it said nothing"),
        "silent": ("failed", "exit status 0: it said nothing"),
        "chats": ("failed", "exit status 0: it said nothing"),
        "guesses": ("wrong results", "accuracy 0.100, expected more than 0.9"),
        "diverges": ("wrong results", "accuracy nan, expected more than 0.9"),
        "absent": ("not installed", "there is no no-such-package in this environment"),
    }
    assert (code, document["complete"], document["rounds"]) == (1, True, 2)
    assert rows["good"]["peak_rss_bytes"] == [1_000_000] * 2
    assert len(rows["good"]["wall_s"]) == len(rows["good"]["cpu_s"]) == 2
    assert "broken cable" in rows["raises"]["log"]
    said = capsys.readouterr().out
    assert "crashes: failed: signal 6" in said
    assert "1.0 MB" in said


def test_a_script_finds_the_checkout_and_keeps_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # or every start would compile fastmlp
    script = f"import sys, fastmlp; assert not sys.dont_write_bytecode; {GOOD}"
    (contender,) = fakes(tmp_path, {"imports": script})
    assert run_script([contender.script], 30.0)["status"] == "ok"


def test_a_hang_ends_with_all_that_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child.txt"
    script = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {HANGS!r}])\n"
        f"open({str(child)!r}, 'w').write(str(child.pid))\n{HANGS}\n"
    )
    (contender,) = fakes(tmp_path, {"hangs": script})
    started = time.monotonic()
    found = run_script([contender.script], 1.0)
    assert (found["status"], found["reason"]) == ("timeout", "killed after 1 s")
    assert time.monotonic() - started < 30
    deadline = time.monotonic() + 10
    while _runs(int(child.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(int(child.read_text()))


def test_good_contenders_are_no_failure(tmp_path: Path) -> None:
    code, document = measure(tmp_path, fakes(tmp_path, FAKES), "--contenders", "good")
    assert code == 0
    assert [row["name"] for row in document["tasks"][0]["rows"]] == ["good"]


def test_a_killed_run_keeps_its_rounds_and_leaves_nobody_behind(tmp_path: Path) -> None:
    path = tmp_path / "cold.json"
    fakes(tmp_path, {"good": GOOD})
    code = (
        "import sys; from bench.cold.__main__ import main;"
        "from bench.cold.contenders import Contender;"
        "sys.exit(main(sys.argv[2:], [Contender('good', 'start', 'numpy', '', sys.argv[1])]))"
    )
    options = [str(tmp_path / "good.py"), "--runs", "100000", "--json", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *options],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (path.exists() and _rounds(path) >= 1) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert _rounds(path) >= 1
    assert not json.loads(path.read_text(encoding="utf-8"))["complete"]
    assert "good" in said


def _rounds(path: Path) -> int:
    document = json.loads(path.read_text(encoding="utf-8"))
    return sum(len(row["wall_s"]) for run in document["tasks"] for row in run["rows"])


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # a zombie that nobody has waited for is dead, too
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--task", "warm"), "'warm' is no task, expected some of start,memory"),
        (("--contenders", "caffe"), "'caffe' is no contender, expected some of python:empty"),
        (("--runs", "0"), "'0' is no whole number from 1 on"),
        (("--data-dir", "/nowhere"), "'/nowhere' is no folder"),
        (("--json", "/nowhere/cold.json"), "is no file in a folder that can be written to"),
    ],
)
def test_impossible_arguments_are_refused(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(options)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


# ---------------------------------------------------------------------------- table


def test_differences_and_ratios_are_formed_within_rounds() -> None:
    def row(name: str, *wall_s: float) -> dict[str, Any]:
        figures = {"wall_s": list(wall_s), "cpu_s": list(wall_s), "peak_rss_bytes": [30e6]}
        return {"name": name, "status": "running", "reason": "", "extra_bytes": [], **figures}

    empty, ours = row("python:empty", 0.1, 0.2, 0.1), row("fastmlp:numpy", 0.2, 0.4, 0.3)
    rows = [empty, ours, row("sklearn", 1.0, 2.0)]
    console = Console(file=StringIO(), width=80)
    print_tables({"tasks": [{"task": "start", "data": "digits", "rows": rows}]}, console)
    said: str = console.file.getvalue()  # type: ignore[attr-defined]
    cells = {
        line.split()[0]: line.split() for line in said.splitlines() if ":" in line or "sk" in line
    }
    assert cells["fastmlp:numpy"][1:3] == ["0.300", "s"]
    assert cells["fastmlp:numpy"][4:7] == ["0.200", "s", "1.00"]
    assert cells["sklearn"][6] == "5.00"


def test_a_signal_while_a_run_begins_ends_it_at_once() -> None:
    code = (
        "import os, signal, sys, threading; from bench.cold import process;"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)); start = threading.Timer.start;"
        "threading.Timer.start = lambda timer:"
        " (start(timer), os.kill(os.getpid(), signal.SIGTERM));"
        "process.run_script(['-c', 'import time; time.sleep(300)'], 300)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=False)
    assert ended.returncode == 1
