"""The file of the protocol: what cannot be written, who else writes, and what a run says of it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.gpu import __main__ as command
from bench.gpu import result_file
from bench.gpu.result_file import ResultFile
from bench.gpu.runner import Job, Part, run_job
from bench.gpu.signals import Stopped, stoppable

Run = Callable[..., int]

pytestmark = pytest.mark.usefixtures("signals_as_in_a_terminal")


def ended(name: str, **other: Any) -> Part:
    rows = [{"cuda": {"devices": 0}}] if name == "card" else [{"backend": "numpy"}]
    part = {"name": name, "status": "ok", "reason": "", "seconds": 0.1, "rows": rows, "log": ""}
    return part | other


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with parts that end at once."""

    def run(out: Path, *options: str, each: Callable[[Job], Part] | None = None) -> int:
        def run_jobs(jobs: Sequence[Job], cwd: Path, deadline: float, finished: Any) -> None:
            for job in jobs:
                finished(each(job) if each else ended(job.name))

        monkeypatch.setattr(command, "run_jobs", run_jobs)
        return command.main(["--out", str(out), *options])

    return run


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> set[Path]:
    """Folders that are full, but for what a run tries at first; others are not."""
    folders: set[Path] = set()
    write = result_file.write_json

    def write_json(path: Path, value: Any) -> None:
        if path.parent in folders:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, value)

    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spare))
    monkeypatch.setattr(result_file, "write_json", write_json)
    return folders


# ------------------------------------------------------------------------- where nothing can be put


@pytest.mark.parametrize("name", ["/proc/x.json", "/sys/x.json", "/dev/null"])
def test_a_place_for_no_file_is_one_line_and_exit_2(
    run: Run, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path(name).parent.is_dir():
        pytest.skip(f"there is no {Path(name).parent}")
    with pytest.raises(SystemExit) as exit_:
        run(Path(name))
    said = capsys.readouterr().err
    assert exit_.value.code == 2
    assert f"argument --out: nothing can be written to {name}: " in said
    assert said.count("\n") == 1


def test_a_disk_that_is_full_from_the_start_is_told_before_anything_runs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fsync(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(SystemExit):
        run(tmp_path / "out.json")
    assert capsys.readouterr().err.endswith("out.json: No space left on device\n")
    assert not any(tmp_path.iterdir())


def test_a_disk_that_fills_up_loses_no_row(
    run: Run, full: set[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"

    def each(job: Job) -> Part:
        if job.name == "agree:jax":
            full.add(tmp_path)
        return ended(job.name)

    assert run(out, "--parts", "agree", each=each) == 1
    assert [part["name"] for part in json.loads(out.read_text())["parts"]] == [
        *("card", "agree:numpy", "agree:cupy")
    ]
    assert json.loads(out.read_text())["complete"] is False
    (spare,) = (tmp_path / "spare").iterdir()
    report = json.loads(spare.read_text())
    assert (report["complete"], len(report["parts"])) == (True, 5)
    said = capsys.readouterr()
    complaint = f"{out} cannot be written (No space left on device): the run goes on, the result "
    assert f"{complaint}is in {spare}" in said.err
    assert said.out.endswith(f"written to {spare}\n")


def test_a_disk_that_has_room_again_gets_all(run: Run, full: set[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.json"

    def each(job: Job) -> Part:
        (full.add if job.name == "agree:jax" else full.discard)(tmp_path)
        return ended(job.name)

    assert run(out, "--parts", "agree", each=each) == 0
    assert len(json.loads(out.read_text())["parts"]) == 5
    assert not any((tmp_path / "spare").iterdir())


def test_what_no_disk_takes_is_printed(
    run: Run, full: set[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full |= {tmp_path, tmp_path / "spare"}
    assert run(tmp_path / "out.json", "--parts", "agree") == 1
    said = capsys.readouterr()
    assert "the result is in memory alone" in said.err
    first, *_, last = said.out.splitlines()
    assert len(json.loads(first)["parts"]) == 5
    assert last.endswith("written nowhere")


# ----------------------------------------------------------------------------------- two runs


def test_two_runs_do_not_write_into_one_file(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    with ResultFile(out, print):
        with pytest.raises(SystemExit) as exit_:
            run(out)
        assert exit_.value.code == 2
        assert "another run is writing it now; wait, or name another" in capsys.readouterr().err
        with ResultFile(tmp_path / "other.json", print):
            pass
    assert not any(tmp_path.iterdir())
    assert run(out, "--parts", "agree") == 0
    (tmp_path / ".out.json.lock").touch()  # of a run that was killed
    assert run(out, "--parts", "agree") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


# -------------------------------------------------------------------------------- interruptions


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interruption_says_what_the_file_holds(
    run: Run, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, number = tmp_path / "out.json", getattr(signal, name)
    out.write_text("old")
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def at(last: str) -> Callable[[Job], Part]:
        def each(job: Job) -> Part:
            if job.name == last:
                os.kill(os.getpid(), number)
            return ended(job.name)

        return each

    assert run(out, "--parts", "agree", each=at("card")) == 128 + number
    assert capsys.readouterr().err == f"{name}: no part had ended, {out} is as it was\n"
    assert out.read_text() == "old"
    assert run(out, "--parts", "agree", each=at("agree:cupy")) == 128 + number
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"{name}: {out} holds 2 of 5 parts, marked incomplete"
    report = json.loads(out.read_text())
    assert report["complete"] is False
    assert report["planned"][-1] == "agree:torch"
    assert handlers == [
        signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    ]


def test_a_signal_while_a_child_begins_ends_that_child(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            began.append(self)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    job = Job("fake", (sys.executable, "-c", "import time; time.sleep(60)"), 30.0)
    with pytest.raises(Stopped) as stopped, stoppable():
        run_job(job, Path.cwd(), 30.0)
    assert stopped.value.exit_code == 143
    assert began[0].returncode == -signal.SIGKILL


def test_a_run_under_nohup_goes_on(run: Run, tmp_path: Path) -> None:
    def each(job: Job) -> Part:
        os.kill(os.getpid(), signal.SIGHUP)
        return ended(job.name)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(tmp_path / "out.json", "--parts", "agree", each=each) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


# ------------------------------------------------------------------------------ what is not known


def test_without_a_look_it_is_unknown_whether_there_is_a_gpu(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def each(job: Job) -> Part:
        return ended(job.name, status="skipped", reason="no time left", rows=[])

    assert run(tmp_path / "out.json", "--parts", "agree", each=each) == 1, "nothing ran"
    card = json.loads((tmp_path / "out.json").read_text())["card"]
    assert card["gpu_found"] is None
    said = "unknown whether there is a GPU (card skipped, no time left): these numbers say nothing"
    assert card["statement"].startswith(said)
    assert "CPU only" not in capsys.readouterr().out


def test_the_statement_names_the_gpus_that_cuda_sees(run: Run, tmp_path: Path) -> None:
    gpus = [{"name": "Fast", "uuid": "GPU-1"}, {"name": "Slow", "uuid": "GPU-2"}]
    for uuids, statement in ((["GPU-2"], "GPU: Slow"), ([], "GPU: Fast, Slow")):
        rows = [{"cuda": {"devices": 1, "uuids": uuids}}, {"gpus": gpus}]
        run(tmp_path / "out.json", each=lambda job, rows=rows: ended(job.name, rows=rows))
        assert json.loads((tmp_path / "out.json").read_text())["card"]["statement"] == statement
