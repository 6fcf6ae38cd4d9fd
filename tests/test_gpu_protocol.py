"""The GPU protocol without a GPU: fake parts that misbehave, and the command on this CPU."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.gpu import agree, card, speed
from bench.gpu.problems import PROBLEMS, generated_images
from bench.gpu.runner import Job, Part, run_job, run_jobs, write_json
from bench.gpu.settings import Settings
from bench.gpu.table import table
from fastmlp.backends import Backend, get_backend
from fastmlp.core import ACTIVATIONS, forward
from fastmlp.training import draw_params

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


# ----------------------------------------------------------------------------------- the checks


def rows_of_agree(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> list[dict[str, Any]]:
    monkeypatch.setattr(agree, "open_backend", lambda settings: backend)
    return list(agree.run(Settings("agree", "numpy", gpu=False, quick=False, data_dir=None)))


def test_numpy_agrees_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of_agree(monkeypatch, get_backend("numpy"))
    assert len(rows) == 12
    assert all(row["ok"] for row in rows)
    assert max(e for row in rows for e in row["errors"].values()) > 1e-8, "float32 is compared"


class TF32(np.ndarray):
    """Multiplies matrices with 10 bits of mantissa, as a GPU does that was not told better."""

    def __matmul__(self, other: Any) -> Any:
        return (_rounded(self) @ _rounded(other)).view(TF32)


def _rounded(array: Any) -> Any:
    bits = np.ascontiguousarray(array).view(np.ndarray).view(np.uint32) + np.uint32(0x1000)
    return (bits & np.uint32(0xFFFFE000)).view(np.float32)


def test_products_in_tf32_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def to_device(host: Any, dtype: str) -> Any:
        array = np.asarray(host, dtype=dtype)
        return array.view(TF32) if dtype == "float32" else array

    coarse = dataclasses.replace(get_backend("numpy"), to_device=to_device)
    rows = [row for row in rows_of_agree(monkeypatch, coarse) if row["check"] == "gradients"]
    assert {row["dtype"] for row in rows if row["ok"]} == {"float64"}
    assert {row["dtype"] for row in rows if not row["ok"]} == {"float32"}
    assert min(max(row["errors"].values()) for row in rows if not row["ok"]) > 1e-4


def test_nan_never_agrees() -> None:
    reference = (np.ones(3), (np.ones(2), np.ones(2)))
    assert agree.error(reference, reference) == 0.0
    assert np.isnan(agree.error((np.ones(3), (np.full(2, np.nan), np.ones(2))), reference))
    row = agree._row(get_backend("numpy"), "float32", {}, {"weights": float("nan")})
    assert (row["ok"], row["errors"]) == (False, {"weights": None})


def test_no_relu_of_the_comparison_is_near_its_kink() -> None:
    images, _ = generated_images(agree.BATCH_SIZE, agree.SEED)
    params = draw_params(agree.LAYER_SIZES, agree.SEED)
    x: Any = images / 255
    zs: Any = forward(get_backend("numpy").xp, params, x, (ACTIVATIONS["relu"],) * 2).zs
    assert min(np.abs(z).min() for z in zs) > 5e-5, "rounding alone could take it across"


def test_speed_times_enough_epochs_and_marks_what_diverged(monkeypatch: pytest.MonkeyPatch) -> None:
    small = PROBLEMS[0]._replace(layer_sizes=(784, 4, 10), cpu_rows=256)
    row = speed.measure(get_backend("numpy"), small, share_s=0.0)
    assert (row["steps_per_epoch"], row["epochs"], row["ok"]) == (2, 5, True)
    assert row["epoch_s"]["q1"] <= row["epoch_s"]["median"] <= row["epoch_s"]["q3"]
    assert row["samples_per_s"] == pytest.approx(256 / row["epoch_s"]["median"])
    monkeypatch.setattr(speed, "LEARNING_RATE", float("nan"))
    assert not speed.measure(get_backend("numpy"), small, share_s=0.0)["ok"]


def test_problems_leave_no_row_over() -> None:
    for problem in PROBLEMS:
        for device, rows in (("cpu", problem.cpu_rows), ("cuda:0", problem.gpu_rows)):
            n_steps, batch_size = problem.shape(device)
            assert n_steps * batch_size == rows


# ------------------------------------------------------------------------------------- the card


def fake_smi(folder: Path, script: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


def test_the_card_asks_field_by_field_where_one_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_smi(
        tmp_path,
        'case "$1" in *new*) exit 2;; --query-gpu=name) echo "Toy"; echo "Toy 2";; '
        '*) echo "[N/A]"; echo " 41";; esac\n',
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = card.query_gpus(("name", "new.field", "temperature.gpu"))
    assert found == [
        {"name": "Toy", "temperature.gpu": None},
        {"name": "Toy 2", "temperature.gpu": "41"},
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, False),
        ({"cuda": {"devices": None}, "gpus": [{}]}, True),
        ({"cuda": {"devices": 0}, "gpus": [{}]}, False),  # CUDA_VISIBLE_DEVICES hides it
        ({"cuda": {"devices": 1}, "gpus": []}, True),
    ],
)
def test_the_driver_decides_whether_there_is_a_gpu(answer: dict[str, Any], expected: bool) -> None:
    assert card.has_gpu(answer) is expected


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
    statement = "no GPU found: CPU only, these numbers say nothing about a GPU"
    assert report["card"]["statement"] == statement
    lines = done.stdout.splitlines()
    assert lines[-1].startswith(statement)
    assert len(lines) <= 15


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc to look into")
def test_a_command_that_is_ended_leaves_no_child(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    mark = str(tmp_path)  # in the command line of every child
    command = (sys.executable, "-m", "bench.gpu", "--out", str(out), "--data-dir", mark)
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("card")
        assert _wait(lambda: _children(mark)), "no child to end"
        process.terminate()
        assert process.wait() == 143
    assert not _children(mark)
    assert json.loads(out.read_text())["parts"][0]["name"] == "card"


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


def test_the_table_keeps_to_fifteen_lines() -> None:
    parts = [
        {
            "name": f"speed:{backend}:{number}",
            "status": "failed",
            "reason": "broken",
            "rows": [
                {"backend": backend, "device": "cuda:0", "dtype": "float32", "errors": errors}
            ],
        }
        for number in range(5)
        for backend, errors in (("cupy", {"a": 1e-7, "b": None}), ("jax", {"a": 1e-7, "b": 2e-7}))
    ]
    lines = table({"card": {"statement": "GPU: Toy"}, "parts": parts}, Path("out.json"))
    assert len(lines) <= 15
    assert "nan" in lines[1]
    assert "2e-07" in lines[2]
    assert "... and 3 more in the file" in lines
    assert lines[-1] == "GPU: Toy; parts: 10 failed; written to out.json"
