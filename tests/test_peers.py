"""The side-by-side: every adapter computes the same; what misbehaves is named, the rest is kept."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bench.peers import __main__ as command
from bench.peers import turns
from bench.peers.adapters import FORMS
from bench.peers.configs import CONFIGS, check_problem, make_problem
from bench.peers.prediction import check_labels
from bench.peers.problem import Form, Optimization, Problem, Unsupported
from bench.peers.ratios import headline, lines
from bench.peers.table import print_tables
from bench.peers.verify import WrongResultsError, weight_error

ROOT = Path(__file__).parents[1]
MODULES = {"scikit-learn": "sklearn"}
TRAINED = [form for form in FORMS if form.task == "train" and form.kind != "floor"]
FLOORS = [form for form in FORMS if form.task == "train" and form.kind == "floor"]
PREDICTING = [form for form in FORMS if form.task == "predict"]


def small_problem(optimization: Optimization) -> Problem:
    config = CONFIGS["tiny"]._replace(n_rows=96, optimization=optimization)
    return make_problem(config, None, threads=1)


def make(form: Form, problem: Problem) -> Any:
    module = MODULES.get(form.package, form.package)
    needed = [module, "onnx"] if module == "onnxruntime" else [module]  # it runs what onnx writes
    if any(find_spec(name) is None for name in needed):
        pytest.skip(f"{' or '.join(needed)} is not installed")
    try:
        return form.make(problem)
    except Unsupported as reason:
        pytest.skip(str(reason))


# ---------------------------------------------------------------------------- adapters


@pytest.mark.filterwarnings("ignore")  # peers may warn
@pytest.mark.parametrize(
    "optimization",
    [Optimization("sgd", 0.5), Optimization("momentum", 0.1), Optimization("adam", 0.01)],
    ids=lambda optimization: optimization.name,
)
@pytest.mark.parametrize("form", TRAINED, ids=lambda form: form.name)
def test_adapters_agree_with_the_reference(form: Form, optimization: Optimization) -> None:
    if form.name == "torch:compile":
        pytest.skip("the command's own check covers it: compiling takes long")
    check = check_problem(small_problem(optimization))
    assert weight_error(make(form, check), check) < 1e-4


@pytest.mark.parametrize("form", FLOORS, ids=lambda form: form.name)
def test_floors_compute_products(form: Form) -> None:
    make(form, small_problem(Optimization("sgd", 0.1))).run([np.arange(96, dtype=np.int32)])


def test_adapters_take_the_rows_of_the_order() -> None:
    problem = small_problem(Optimization("sgd", 0.5))
    order = np.random.default_rng(0).permutation(96).astype(np.int32)
    trained = {}
    for form in TRAINED:
        if form.name in ("sklearn", "keras:fit", "torch:compile"):  # order of their own, and slow
            continue
        with contextlib.suppress(pytest.skip.Exception):
            contender = make(form, problem)
            contender.run([order, order[::-1].copy()])
            trained[form.name] = contender.weights()
    wanted = trained["numpy:loop"]
    assert "fastmlp:numpy" in trained
    for name, weights in trained.items():
        for layer, other in zip(weights, wanted, strict=True):
            for array, expected in zip(layer, other, strict=True):
                np.testing.assert_allclose(array, expected, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.filterwarnings("ignore")  # peers may warn
@pytest.mark.parametrize("batch_size", [1, 96])
@pytest.mark.parametrize("form", PREDICTING, ids=lambda form: form.name)
def test_adapters_agree_on_labels(form: Form, batch_size: int) -> None:
    problem = small_problem(Optimization("sgd", 0.5))._replace(batch_size=batch_size)
    check_labels(make(form, problem), problem)


def test_bare_numpy_cuts_many_rows_into_blocks() -> None:
    problem = small_problem(Optimization("sgd", 0.5))
    many = problem._replace(X=np.tile(problem.X, (11, 1)), batch_size=96 * 11)
    check_labels(make(next(form for form in PREDICTING if form.name == "numpy:bare"), many), many)


def test_what_float32_cannot_tell_is_no_wrong_label() -> None:
    problem = small_problem(Optimization("sgd", 0.5))
    *first, (W, b) = problem.weights
    W, b = W.copy(), b.copy()
    W[:, 1], b[1] = W[:, 0], b[0]
    problem = problem._replace(weights=[*first, (W, b + np.where(np.arange(10) < 2, 9, 0))])
    check_labels(lambda x: np.arange(len(x)) % 2, problem)
    with pytest.raises(WrongResultsError, match="96 of 96 rows get another label"):
        check_labels(lambda x: np.full(len(x), 2), problem)


# ---------------------------------------------------------------------------- misbehaviour


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WARM_UP_S", 0.0)  # and turns of one epoch
    monkeypatch.setitem(CONFIGS, "tiny", CONFIGS["tiny"]._replace(n_rows=64))
    few = CONFIGS["predict-1"]._replace(layer_sizes=(64, 32, 10), n_rows=64)
    monkeypatch.setitem(CONFIGS, "predict-1", few)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))


def compare(path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    arguments = ["--config", "tiny", "--runs", "1", "--turns", "2", "--json", str(path)]
    code = command.main([*arguments, *options], module="fake_peers")
    return code, json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("short")
def test_who_misbehaves_is_named_and_the_others_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = compare(tmp_path / "peers.json", "--timeout", "2")
    rows = {row["name"]: row for row in document["runs"][0]["rows"]}
    found = {name: (row["status"], row["reason"]) for name, row in rows.items()}
    assert found["good"] == ("ok", "")
    assert found["raises"] == ("failed", "ValueError: broken cable")
    assert found["dies"] == ("failed", "exit status 3: it said nothing")
    assert found["hangs"] == ("timeout", "killed: no answer within 6 s")
    assert found["absent"] == ("not installed", "No module named 'absent'")
    assert found["unable"] == ("skipped", "it has no such update")
    assert found["unfaithful"][0] == found["mislabelled"][0] == "wrong results"
    assert "off by" in found["unfaithful"][1]
    assert code == 1
    assert document["complete"]
    assert len(rows["good"]["epoch_s"]) == 2
    assert rows["good"]["peak_rss_bytes"] > 0
    assert rows["good"]["weight_error"] < 1e-4
    assert len(rows["dies"]["epoch_s"]) == 0
    assert "broken cable" in rows["raises"]["log"]
    said = capsys.readouterr().out
    assert "hangs: timeout: killed" in said
    assert "good" in said


@pytest.mark.usefixtures("short")
def test_who_mislabels_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = compare(tmp_path / "peers.json", "--config", "predict-1")
    (run,) = document["runs"]
    rows = {row["name"]: row for row in run["rows"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "good": "ok",
        "bare": "ok",
        "mislabels": "wrong results",
        "probable": "wrong results",
    }
    assert rows["mislabels"]["reason"] == "1 of 64 rows get another label than from float64"
    assert "labels have shape (64, 10)" in rows["probable"]["reason"]
    assert (code, run["task"], rows["good"]["weight_error"]) == (1, "predict", None)
    assert len(rows["good"]["epoch_s"]) == 2
    said = capsys.readouterr().out
    assert "us/call" in said
    assert "numpy / floor" in said


@pytest.mark.usefixtures("short")
def test_a_contender_of_another_task_is_left_out(tmp_path: Path) -> None:
    options = ("--config", "tiny,predict-1", "--contenders", "bare,unable")
    code, document = compare(tmp_path / "peers.json", *options)
    listed = [[row["name"] for row in run["rows"]] for run in document["runs"]]
    assert (code, listed) == (0, [["unable"], ["bare"]])


@pytest.mark.usefixtures("short")
def test_good_and_unable_contenders_are_no_failure(tmp_path: Path) -> None:
    code, document = compare(tmp_path / "peers.json", "--contenders", "good,unable")
    assert code == 0
    assert [row["name"] for row in document["runs"][0]["rows"]] == ["good", "unable"]


def test_a_killed_run_keeps_its_rows_and_leaves_nobody_behind(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    code = (
        "import sys; from bench.peers.__main__ import main;"
        "sys.exit(main(sys.argv[1:], module='fake_peers'))"
    )
    options = ["--config", "tiny", "--turns", "100000", "--contenders", "good", "--json", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (path.exists() and _epochs(path) >= 2) and time.monotonic() < deadline:
        time.sleep(0.1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert process.returncode == 1
    assert _epochs(path) >= 2
    assert not document["complete"]
    assert "good" in said
    assert len(children) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(int(children[0]), 0)


def _epochs(path: Path) -> int:
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    return sum(len(row["epoch_s"]) for run in runs for row in run["rows"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--config", "s,xl"), "'xl' is no configuration, expected some of s,sb,m,l,tiny,gd"),
        (("--contenders", "caffe"), "'caffe' is no contender, expected some of fastmlp:numpy"),
        (("--threads", "0"), "'0' threads are not possible, expected 1 to"),
        (("--threads", "100000"), "'100000' threads are not possible"),
        (("--threads", "two"), "'two' threads are not possible"),
        (("--turns", "0"), "'0' is no whole number from 1 on"),
        (("--timeout", "-1"), "-1"),
        (("--data-dir", "/nowhere"), "'/nowhere' is no folder"),
        (("--json", "/nowhere/peers.json"), "is no file in a folder that can be written to"),
    ],
)
def test_impossible_arguments_are_refused(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(options)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


# ---------------------------------------------------------------------------- ratios


def row(name: str, kind: str, *epoch_s: float, status: str = "ok") -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "status": status,
        "reason": "",
        "epoch_s": list(epoch_s),
        "first_turn_s": 9.0,
        "other_share": [0.2, None],
    }


def run(*rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "config": "s",
        "n_rows": 1000,
        "rows": list(rows),
        "task": "train",
        "layer_sizes": [2, 1],
        "batch_size": 1,
        "optimization": ["sgd", 0.1],
        "data": "images",
    }


INVENTED = {
    "runs": [
        run(
            row("fastmlp:numpy", "fastmlp", 2.0, 2.0, 50.0),
            row("fastmlp:jax", "fastmlp", 1.0, 1.0, 1.0),
            row("sklearn", "peer", 4.0, 4.0, 4.0),
            row("optax:scan", "peer", 1.5, 1.5, 1.5),
            row("thinc", "peer", 0.1, status="timeout"),
            row("floor:blas", "floor", 0.5, 0.5, 0.5),
        ),
        run(
            row("fastmlp:numpy", "fastmlp", 2.0),
            row("fastmlp:jax", "fastmlp", 1.0),
            row("sklearn", "peer", 5.0),
            row("optax:scan", "peer", 1.0),
            row("floor:blas", "floor", 0.8),
        ),
    ]
}


def test_ratios_are_formed_within_runs_from_medians() -> None:
    found = headline(INVENTED, "s")
    assert found.fastmlp_to_peer == pytest.approx((1.25, 1.0, 1.5))
    assert found.numpy_to_sklearn == pytest.approx((2.25, 2.0, 2.5))
    assert found.numpy_to_floor == pytest.approx((0.325, 0.25, 0.4))
    assert found.jax_to_floor == pytest.approx((0.65, 0.5, 0.8))
    assert (found.best_fastmlp, found.best_peer) == ("fastmlp:jax", "optax:scan")
    assert found.disturbed


def test_who_broke_off_is_not_compared() -> None:
    by_name = {line.name: line for line in lines(INVENTED, "s")}
    assert by_name["thinc"].samples_per_s is None
    assert by_name["thinc"].status == "timeout"
    assert by_name["fastmlp:jax"].to_best_peer == pytest.approx((1.25, 1.0, 1.5))
    assert by_name["fastmlp:numpy"].samples_per_s == pytest.approx((500.0, 500.0, 500.0))
    assert [line.name for line in lines(INVENTED, "s")][-1] == "thinc"


def test_the_table_fits_a_terminal() -> None:
    console = Console(file=StringIO(), width=80)
    print_tables(INVENTED, console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "fastmlp:numpy" in said
    assert "1.25 (1.00-1.50)" in said
    assert "thinc: timeout" in said
    assert "DISTURBED" in said


def test_peak_memory_is_this_process_own() -> None:
    held = np.ones(12_500_000)  # 100 MB, of this process
    code = (
        "import numpy as np; from bench.peers.child import peak_rss_bytes as peak;"
        "before = peak(); held = np.ones(12_500_000); print(before, peak())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert before < held.nbytes
    assert after >= before + held.nbytes // 2
