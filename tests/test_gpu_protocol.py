"""The GPU protocol without a GPU: fake parts that misbehave, and the command on this CPU."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.gpu.result_file import write_json
from bench.gpu.runner import Job, Part, run_job, run_jobs
from bench.gpu.settings import Settings

pytestmark = pytest.mark.usefixtures("signals_as_in_a_terminal")
ROOT = Path(__file__).parents[1]
ROW = """import json; print(json.dumps({"row": {"a": 1}}), flush=True)\n"""
END = """print(json.dumps({"end": {"status": "ok", "reason": ""}}), flush=True)\n"""


def run(code: str, box_s: float = 30.0) -> Part:
    return run_job(Job("fake", (sys.executable, "-c", code), box_s), ROOT, box_s)


def protocol(out: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "bench.gpu", "--out", str(out), *options),
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | env,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


# ------------------------------------------------------------------------- parts that misbehave


def test_a_part_that_ends_well_is_ok() -> None:
    part = run(ROW + END)
    assert (part["status"], part["reason"], part["rows"]) == ("ok", "", [{"a": 1}])


def test_a_part_that_raises_keeps_its_rows_and_its_last_words() -> None:
    part = run(ROW + "raise ValueError('broken cable')")
    assert part["rows"] == [{"a": 1}]
    assert part["status"] == "failed"
    assert part["reason"] == "exit status 1: ValueError: broken cable"
    assert part["log"].startswith("Traceback")


def test_a_part_that_hangs_is_killed_with_its_children_and_keeps_its_rows(tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    grandchild = f"import time\nwhile True: open({str(beat)!r}, 'w').close(); time.sleep(0.05)"
    hang = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {grandchild!r}]).wait()"
    )
    part = run(ROW + hang, box_s=2.0)
    assert (part["status"], part["rows"]) == ("timeout", [{"a": 1}])
    assert part["reason"] == "killed after 2 s"
    assert 2.0 <= part["seconds"] < 10.0
    beat.unlink()
    time.sleep(0.5)
    assert not beat.exists(), "the grandchild lives on"


def test_a_part_that_dies_by_a_signal_keeps_its_rows() -> None:
    part = run(ROW + "import os; os.kill(os.getpid(), 9)")
    assert (part["status"], part["rows"]) == ("failed", [{"a": 1}])
    assert part["reason"].startswith("signal 9")


def test_a_part_that_leaves_quietly_has_failed() -> None:
    part = run(ROW)
    assert (part["status"], part["reason"]) == ("failed", "exit status 0: it said nothing")


def test_a_line_that_was_cut_is_left_out() -> None:
    part = run(ROW + """print('{"row": {"a"', end="", flush=True); import os; os._exit(3)""")
    assert (part["status"], part["rows"]) == ("failed", [{"a": 1}])


def test_a_row_that_is_not_ok_fails_its_part() -> None:
    part = run(ROW + """print('{"row": {"ok": false}}')\n""" + END)
    assert (part["status"], part["reason"]) == ("failed", "1 of 2 rows are not ok")


def test_a_part_that_fails_does_not_lose_the_others(tmp_path: Path) -> None:
    out, seen = tmp_path / "out.json", []
    codes = ["raise ValueError", "import os; os.kill(os.getpid(), 9)", ROW + END]
    jobs = [Job(str(i), (sys.executable, "-c", code), 30.0) for i, code in enumerate(codes)]
    parts: list[Part] = []

    def finished(part: Part) -> None:
        parts.append(part)
        write_json(out, parts)
        seen.append(len(json.loads(out.read_text())))

    run_jobs(jobs, ROOT, time.monotonic() + 60.0, finished)
    assert [part["status"] for part in parts] == ["failed", "failed", "ok"]
    assert seen == [1, 2, 3], "the file is rewritten after each part"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"], "no temporary file is left"


def test_a_part_that_the_budget_cannot_hold_is_skipped() -> None:
    parts: list[Part] = []
    job = Job("late", (sys.executable, "-c", ROW + END), 60.0)
    run_jobs([job], ROOT, time.monotonic() + 10.0, parts.append)
    assert parts[0]["status"] == "skipped"
    assert "no time left" in parts[0]["reason"]


def test_the_file_stays_whole_when_it_cannot_be_written(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    write_json(out, {"old": True})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(out, {"new": float("nan")})
    assert json.loads(out.read_text()) == {"old": True}
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize(("gpu", "status"), [(True, "failed"), (False, "skipped")])
def test_a_library_that_cannot_use_the_gpu_beside_it_has_failed(
    tmp_path: Path, gpu: bool, status: str
) -> None:
    (tmp_path / "cupy.py").write_text("print('noise on stdout')\n")
    settings = Settings("agree", "cupy", gpu=gpu, quick=True, data_dir=None)
    done = subprocess.run(
        (sys.executable, "-m", "bench.gpu.child", json.dumps(settings._asdict())),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    end = json.loads(done.stdout)["end"]
    assert end["status"] == status
    assert "no usable CUDA device" in end["reason"]
    assert "noise on stdout" in done.stderr


# ---------------------------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--parts", "card,speeed"),
            "'speeed' is unknown, expected some of card,agree",
        ),
        (("--budget-s", "-1"), "'-1' is no number of seconds above 0"),
        (("--data-dir", "nowhere"), "'nowhere' is no folder"),
        (("--out", "nowhere/out.json"), "'nowhere/out.json' is no file in a folder"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = protocol(tmp_path / "out.json", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_the_command_writes_its_file_and_says_that_there_is_no_gpu(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    hidden = {"CUDA_VISIBLE_DEVICES": "", "PATH": ""}  # from the driver, and from nvidia-smi
    done = protocol(out, "--quick", "--budget-s", "150", "--parts", "card,agree", **hidden)
    report = json.loads(out.read_text())
    assert done.returncode == 0, done.stdout + done.stderr
    assert report["schema_version"] == 1
    assert report["card"]["versions"]["numpy"] == np.__version__
    parts = {part["name"]: part for part in report["parts"]}
    assert list(parts) == ["card", "agree:numpy", "agree:cupy", "agree:jax", "agree:torch"]
    assert parts["agree:numpy"]["status"] == "ok"
    assert parts["agree:cupy"]["status"] == "skipped"
    assert all(row["ok"] for part in parts.values() for row in part["rows"] if "ok" in row)
    assert (report["complete"], report["planned"]) == (True, list(parts))
    statement = "no GPU found: CPU only, these numbers say nothing about a GPU"
    assert report["card"]["statement"] == statement
    lines = done.stdout.splitlines()
    assert lines[-1].startswith(statement)
    assert len(lines) <= 15


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc to look into")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_command_that_is_ended_leaves_no_child(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.json"
    mark = str(tmp_path)  # in the command line of every child
    command = (sys.executable, "-m", "bench.gpu", "--out", str(out), "--data-dir", mark)
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("card")
        assert _wait(lambda: _children(mark)), "no child to end"
        number = getattr(signal, name)
        process.send_signal(number)
        assert process.wait() == 128 + number
        last = process.stderr.read().splitlines()[-1]
    assert not _children(mark)
    report = json.loads(out.read_text())
    assert report["parts"][0]["name"] == "card"
    assert report["complete"] is False
    assert report["planned"][:2] == ["card", "agree:numpy"]
    planned = len(report["planned"])
    assert last == f"{name}: {out} holds {len(report['parts'])} of {planned} parts, " + (
        "marked incomplete"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"], "no lock is left"


def _wait(condition: Callable[[], Any], longest_s: float = 20.0) -> bool:
    deadline = time.monotonic() + longest_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def _children(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            text = path.read_text(errors="replace")
            if mark in text and "bench.gpu.child" in text:
                found.append(text)
    return found


def test_train_and_speed_run_on_this_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    for part in ("train", "speed"):
        settings = Settings(part, "numpy", gpu=False, quick=True, data_dir=None)
        argument = json.dumps(settings._asdict())
        command = (sys.executable, "-m", "bench.gpu.child", argument)
        result = run_job(Job(part, command, 60.0), ROOT, 60.0)
        assert result["status"] == "ok", result
        assert all(row["ok"] for row in result["rows"])
        if part == "train":
            assert result["rows"][0]["data"] == "generated"
        else:
            assert [row["problem"] for row in result["rows"]] == ["s", "gd"]
