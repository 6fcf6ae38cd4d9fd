"""The suites as ``fastmlp bench run`` runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from invented_suites import benchmark, content, whole

pytest.importorskip("pytest_benchmark")

from bench.gpu.problems import Images, generated_images, images_of
from bench.peers.problem import Problem
from bench.suites import alarms, page, run
from bench.suites.contenders import find, names
from bench.suites.document import join
from bench.suites.pieces import estimator
from bench.suites.probe import Probe
from bench.suites.problems import make_problem
from bench.suites.profiles import PROFILES, SLOW_BLOCKS
from bench.suites.rounds import Pace, Suite, measure
from bench.suites.run import ROOT, Plan, history_of, save
from bench.test_accuracy import judged
from fastmlp.bench import read
from fastmlp.bench.kept import one_signal, written
from fastmlp.bench.ranking import FEWEST_PROCESSES
from fastmlp.cli import main
from fastmlp.energy import EnergyMeter
from fastmlp.training import epoch_order

CAN_DRAW = bool(find_spec("jinja2") and find_spec("matplotlib"))
GRID_TABLE = pytest.mark.skipif(not find_spec("codecarbon"), reason="codecarbon is not installed")
ONE_BLOCK = PROFILES["smoke"]._replace(blocks={"speed": 1, "accuracy": 1, "emissions": 1})


def command(*arguments: Any, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastmlp", "bench", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of all suites on NumPy, and on a contender that is not there."""
    folder = tmp_path_factory.mktemp("bench")
    options = ("--backends", "numpy,cupy", "--output-dir", folder / "out")
    ended = command("run", *options, FASTMLP_DATA="")
    assert ended.returncode == 0, ended.stderr
    (folder / "stdout").write_text(ended.stdout)
    return folder


def test_a_run_writes_its_figures_and_its_page(folder: Path) -> None:
    found = read(folder / "out" / "bench.json")
    groups = {figure.name for figure in found.figures}
    assert groups >= {"forward", "backprop", "step", "train-epoch", "fit", "import", "first-call"}
    assert groups >= {"predict-1", "predict-10000", "train-to-97", "first-epoch", "train-energy"}
    assert {figure.contender for figure in found.figures} == {"numpy"}
    assert found.protocol["data"] == "generated"
    assert [one["contender"] for one in found.absent] in (["cupy"], [])
    assert (folder / "out" / "report.html").exists() == CAN_DRAW
    assert "Not for publication" in (folder / "stdout").read_text()


@pytest.mark.skipif(not CAN_DRAW, reason="jinja2 or matplotlib is not installed")
def test_files_of_one_folder_have_pages_of_their_own(folder: Path, tmp_path: Path) -> None:
    text = (folder / "out" / "bench.json").read_text()
    for name, page_of_it in (("bench.json", "report.html"), ("old.json", "old.html")):
        (tmp_path / name).write_text(text)
        ended = command("report", tmp_path / name)
        assert ended.returncode == 0, ended.stderr
        assert f"Written: {tmp_path / page_of_it}" in ended.stdout
    pages = [(tmp_path / name).read_text() for name in ("report.html", "old.html")]
    assert len(set(pages)) == 1


def test_the_figures_are_per_unit_of_work(folder: Path) -> None:
    found = read(folder / "out" / "bench.json")
    one, many = (found.figure(f"predict-{rows}", "numpy") for rows in (1, 10_000))
    assert one
    assert many
    assert max(one.unit_s) < min(many.unit_s)
    for figure in found.figures:
        if figure.suite == "emissions" and figure.name != "first-epoch":
            for energy, work, unit_s in zip(figure.energy, figure.work, figure.unit_s, strict=True):
                assert energy["work"] == work
                assert energy["wall_s"] == pytest.approx(unit_s * work, rel=0.05, abs=0.005)


def test_accuracies_are_those_of_the_lectures_formulas(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FASTMLP_DATA", raising=False)  # as the run had it
    figure = read(folder / "out" / "bench.json").figure("train-to-97", "numpy")
    assert figure
    (way,) = figure.values["ways"]
    images, profile = images_of(None), PROFILES["smoke"]
    problem = make_problem(images, profile.rows, seed=0, threads=1)
    (W1, b1), (W2, b2) = [(W.astype(float), b.astype(float)) for W, b in problem.weights]
    X, Y = problem.X * problem.scale, np.eye(10)[problem.y]
    for epoch, accuracy in enumerate(way["accuracy"], 1):
        for rows in epoch_order(len(X), 0, epoch).reshape(-1, problem.batch_size):
            a = np.maximum(X[rows] @ W1 + b1, 0.0)
            e = np.exp(a @ W2 + b2)
            delta = (e / e.sum(axis=1, keepdims=True) - Y[rows]) / len(rows)
            below = (delta @ W2.T) * (a > 0)
            rate = problem.optimization.learning_rate
            W2, b2 = W2 - rate * a.T @ delta, b2 - rate * delta.sum(axis=0)
            W1, b1 = W1 - rate * X[rows].T @ below, b1 - rate * below.sum(axis=0)
        z = np.maximum(images.X_test * problem.scale @ W1 + b1, 0.0) @ W2 + b2
        assert accuracy == pytest.approx(np.mean(z.argmax(axis=1) == images.y_test), abs=0.002)
    first = next((n for n, p in enumerate(way["accuracy"], 1) if p >= 0.97), None)
    assert way["epochs"] == first
    assert 0.9 < way["accuracy"][-1] <= 1.0


def test_a_run_is_equal_to_itself(folder: Path) -> None:
    path = folder / "out" / "bench.json"
    ended = command("compare", path, path)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "No regressions; " in ended.stdout  # joules of short windows are unclear
    entries = json.loads(command("compare", path, path, "--format", "customSmallerIsBetter").stdout)
    assert {"name", "unit", "value", "range", "extra"} == set(entries[0])


def test_a_reader_that_is_gone_is_no_regression(folder: Path) -> None:
    path = folder / "out" / "bench.json"
    command_line = [sys.executable, "-m", "fastmlp", "bench", "compare", str(path), str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command_line, stdout=pipe, stderr=pipe) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_slower_run_ends_with_one(folder: Path) -> None:
    path, slower = folder / "out" / "bench.json", folder / "slower.json"
    content = json.loads(path.read_text())
    for one in content["benchmarks"]:
        if one["group"] == "step":
            one["stats"]["data"] = [100 * time_s for time_s in one["stats"]["data"]]
    slower.write_text(json.dumps(content))
    ended = command("compare", path, slower)
    assert ended.returncode == 1
    assert "1 regression; " in ended.stdout
    assert command("compare", path, slower, "--fail-speed", "99999%").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--backends", "nympy"), "--backends: 'nympy' is unknown, expected some of numpy"),
        (("run", "--suites", "sped"), "'sped' is no suite, expected some of speed,accuracy"),
        (("run", "--threads", "99"), "--threads 99: expected 1 to"),
        (("run", "--threads", "0"), "'0' is no whole number from 1 on"),
        (("run", "--backends", ","), "',' names nothing, expected NAME,NAME,..."),
        (("run", "--output-dir", "/proc/bench"), "--output-dir /proc/bench cannot be made"),
        (("run", "--save", "My Machine", "--profile", "publish"), "--save 'My Machine': expected"),
        (("run", "--save", "mine"), "profile smoke is not for the history, add --profile publish"),
        (("report", "nowhere.json"), "nowhere.json"),
        (
            ("compare", "a.json", "b.json", "--fail-speed", "ten"),
            "'ten' is no part of the old value, expected one such as '10%'",
        ),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    ended = command(*arguments)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_where_nobody_can_run_no_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = find("numpy")._replace(reason="not installed. pip install numpy")
    monkeypatch.setattr(run, "find", lambda _: absent)
    options = ["--backends", "numpy", "--output-dir", str(tmp_path / "out")]
    assert main(["bench", "run", *options]) == 2
    assert "none of the backends can run here. numpy: not installed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_images_is_named_before_anything_runs(tmp_path: Path) -> None:
    ended = command("run", "--backends", "numpy", FASTMLP_DATA=str(tmp_path))
    assert ended.returncode == 2
    assert str(tmp_path) in ended.stderr


def test_an_installed_wheel_says_where_the_suites_are(tmp_path: Path) -> None:
    code = (
        "import sys, fastmlp; fastmlp.__file__ = sys.argv[1]; from fastmlp.cli import main; "
        "sys.exit(main(['bench', 'run']))"
    )
    there = tmp_path / "site-packages" / "fastmlp" / "__init__.py"
    ended = subprocess.run(
        [sys.executable, "-c", code, str(there)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert "not part of the installed package, they live in the repository" in ended.stderr


# --- rounds ---


class Clock:
    """A clock that work moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.unit_s = 0.0, 0.1
        monkeypatch.setattr("bench.suites.rounds.time.perf_counter", lambda: self.now_s)

    def do(self, n: int) -> None:
        self.now_s += n * self.unit_s


def test_a_round_fills_its_window_at_the_fastest_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(clock.do, window_s=1.0)
    assert pace.units == 10
    clock.unit_s = 0.05
    pace.run(pace.units)
    assert pace.units == 20
    clock.unit_s = 0.2
    pace.run(pace.units)
    assert pace.units == 20


def test_a_unit_that_is_longer_than_the_window_is_done_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    clock.unit_s = 2.0
    assert Pace(clock.do, window_s=0.3).units == 1
    assert clock.now_s == 4.0  # what may compile, and one that counts


def test_a_round_that_raises_closes_its_window() -> None:
    meter = EnergyMeter(engine="model")

    class Benchmark:
        stats = None
        extra_info: ClassVar[dict[str, Any]] = {}

        def pedantic(self, work: Any, setup: Any, **_: Any) -> None:
            setup()
            work()

    def fail(n: int) -> None:
        raise ArithmeticError("diverged")

    suite = Suite(Benchmark(), "emissions", "numpy", PROFILES["smoke"], Probe(), meter)
    with pytest.raises(ArithmeticError, match="diverged"):
        measure(suite, "train-energy", "epoch", fail, units=1, rounds=1)
    with meter.window("next", device="cpu") as window:
        pass
    assert window.result.label == "next"


def test_joules_take_longer_windows_than_times(monkeypatch: pytest.MonkeyPatch) -> None:
    windows_s: list[float] = []

    def pace(do: Any, window_s: float, units: int | None) -> Pace:
        windows_s.append(window_s)
        return Pace(do, window_s, 1)

    monkeypatch.setattr("bench.suites.rounds.Pace", pace)
    profile = PROFILES["publish"]
    for meter in (None, EnergyMeter(engine="model")):
        fixture = SimpleNamespace(stats=None, extra_info={}, pedantic=lambda *_, **__: None)
        suite = Suite(fixture, "emissions", "numpy", profile, Probe(), meter)
        measure(suite, "train-epoch", "epoch", lambda n: None)
    assert windows_s[0] == profile.window_s
    assert windows_s[1] > profile.energy_window_s


# --- scikit-learn as it is used best ---


def few(rows: int = 256) -> Problem:
    X, y = generated_images(rows, 0)
    return make_problem(Images("generated", X, y, X, y), rows, 0, 1)


def test_scikit_learn_gets_rows_that_stay_in_float32() -> None:
    found = estimator("scikit-learn", few(), epochs=1)
    assert found
    model, X = found
    with warnings.catch_warnings(action="ignore"):
        model.fit(X, few().y)
    assert {W.dtype for W in model.coefs_} == {np.dtype(np.float32)}


def test_scikit_learn_draws_another_order_in_each_call() -> None:
    problem = few()
    contender: Any = find("scikit-learn").make(problem)
    found = []
    for _ in range(2):
        contender.model.coefs_ = [W.copy() for W, _ in problem.weights]
        contender.model.intercepts_ = [b.copy() for _, b in problem.weights]
        contender.run([np.arange(256)])
        found.append(contender.weights()[0][0].copy())
    assert not np.array_equal(*found)


def test_a_loss_beyond_all_numbers_is_unknown() -> None:
    problem = few()
    broken = [(np.full_like(W, np.nan), b) for W, b in problem.weights]
    images = Images("generated", problem.X, problem.y, problem.X, problem.y)
    accuracy, loss = judged(SimpleNamespace(weights=lambda: broken), problem, images)
    assert 0.0 <= accuracy <= 1.0
    assert loss is None


# --- the plan ---


def test_turns_are_random_and_repeatable() -> None:
    plan = Plan(PROFILES["publish"], ("speed", "accuracy"), ("numpy", "jax", "keras"), 2)
    turns = plan.turns()
    assert turns == plan.turns()
    assert turns != plan._replace(seed=1).turns()
    assert len(turns) == len(set(turns)) == 3 * (PROFILES["publish"].blocks["speed"] + 1)
    assert [turn.block for turn in turns] == sorted(turn.block for turn in turns)


def test_slow_figures_are_taken_in_fewer_processes_but_enough(folder: Path) -> None:
    smoke, content = PROFILES["smoke"], json.loads((folder / "out" / "bench.json").read_text())
    blocks = {one["group"]: set(one["extra_info"]["block"]) for one in content["benchmarks"]}
    for name in ("fit", "import", "first-call"):
        assert blocks[name] == set(range(SLOW_BLOCKS))
    for name in ("forward", "backprop", "step", "train-epoch", "predict-1", "predict-10000"):
        assert blocks[name] == set(range(smoke.blocks["speed"]))
    assert SLOW_BLOCKS >= FEWEST_PROCESSES


def test_publishing_takes_ten_rounds_at_least() -> None:
    profile = PROFILES["publish"]
    assert all(profile.blocks[suite] * profile.rounds >= 10 for suite in ("speed", "emissions"))
    assert profile.energy_window_s >= 5.0
    assert profile.seeds >= 5


def test_contenders_that_are_not_there_say_why() -> None:
    for name in names():
        entry = find(name)
        assert entry.available or entry.reason


def part(data: list[float], contender: str = "numpy") -> dict[str, Any]:
    extra: dict[str, Any] = {"suite": "speed", "contender": contender, "unit": "u"}
    extra |= {"work": [2] * len(data), "probe_s": [0.1] * len(data), "energy": [], "values": {}}
    ours: dict[str, Any] = {"machine": {"versions": {contender: "1"}}, "protocol": {}}
    ours |= {"contenders": [], "absent": []}
    return {
        "benchmarks": [{"group": "step", "extra_info": extra, "stats": {"data": data}}],
        "fastmlp": ours,
    }


def test_joined_rounds_know_their_process() -> None:
    whole = join([(0, part([1.0, 2.0])), (1, part([9.0], "jax")), (2, part([3.0]))])
    numpy, jax = whole["benchmarks"]
    assert numpy["stats"]["data"] == [1.0, 2.0, 3.0]
    assert numpy["stats"]["median"] == 2.0
    assert numpy["extra_info"]["block"] == [0, 0, 2]
    assert numpy["extra_info"]["work"] == [2, 2, 2]
    assert jax["extra_info"]["block"] == [1]
    assert whole["fastmlp"]["machine"]["versions"] == {"numpy": "1", "jax": "1"}


def test_ctrl_c_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: Iterator[tuple[dict[str, Any] | None, str]] = iter([(part([1.0, 2.0]), "")])

    def take(*_: Any) -> tuple[dict[str, Any] | None, str]:
        try:
            return next(taken)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(run, "_take", take)
    plan = Plan(ONE_BLOCK, ("speed", "accuracy"), ("numpy",), 2)
    outcome = run.run(plan, lambda *_: None)
    assert outcome.interrupted
    assert outcome.content["benchmarks"][0]["stats"]["data"] == [1.0, 2.0]
    assert outcome.failed[0].startswith("interrupted in turn 2 of 2: ")
    taken = iter([(None, "killed after 1800 s")])
    with pytest.raises(
        KeyboardInterrupt,
        match=r"^\w+ of numpy, turn 1: killed after 1800 s; interrupted in turn 2",
    ):
        run.run(plan, lambda *_: None)


def test_nothing_is_kept_of_processes_without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = part([1.0]) | {"benchmarks": []}
    monkeypatch.setattr(run, "_take", lambda *_: (empty, "FloatingPointError: diverged"))
    plan = Plan(ONE_BLOCK, ("speed",), ("numpy",), 2)
    with pytest.raises(
        ValueError, match=r"nothing was measured\. speed of numpy, turn 1: Floating"
    ):
        run.run(plan, lambda *_: None)


def test_a_contender_that_dies_does_not_lose_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(None, "Segmentation fault"), (part([1.0, 2.0]), "")])
    monkeypatch.setattr(run, "_take", lambda *_: next(answers))
    twice = ONE_BLOCK._replace(blocks={"speed": 2})
    outcome = run.run(Plan(twice, ("speed",), ("numpy",), 2), lambda *_: None)
    (figure,) = outcome.content["benchmarks"]
    assert figure["extra_info"]["block"] == [1, 1]
    assert outcome.content["fastmlp"]["failed"][0].endswith("turn 1: Segmentation fault")


def test_what_was_measured_is_written_elsewhere_if_a_disk_is_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "full").touch()  # not even a folder
    path = written("{}", tmp_path / "full" / "bench.json")
    assert path.read_text() == "{}"
    assert f"full/bench.json cannot be written (File exists), what was measured is in {path}" in (
        capsys.readouterr().err
    )
    assert written("{}", tmp_path / "out" / "bench.json") == tmp_path / "out" / "bench.json"


@pytest.mark.parametrize(
    ("name", "before", "code", "kept"),
    [
        ("SIGTERM", signal.SIG_DFL, 130, 1),
        ("SIGHUP", signal.SIG_DFL, 130, 1),
        ("SIGHUP", signal.SIG_IGN, 0, 2),  # as nohup leaves it, for the tests' own run, too
    ],
)
def test_a_signal_keeps_what_was_measured(
    tmp_path: Path, name: str, before: signal.Handlers, code: int, kept: int
) -> None:
    # a child that sets the handling and becomes the run: `preexec_fn` would fork, which JAX minds
    become = (
        "import os, signal, sys; signal.signal(int(sys.argv[1]), int(sys.argv[2]));"
        "os.execv(sys.executable, [sys.executable, *sys.argv[3:]])"
    )
    number = getattr(signal, name)
    suites = "accuracy,emissions"  # a turn of each
    options = ("--suites", suites, "--backends", "numpy", "--output-dir", tmp_path)
    run = ("-m", "fastmlp", "bench", "run", *options)
    with subprocess.Popen(
        [sys.executable, "-c", become, *(str(one) for one in (int(number), int(before), *run))],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"FASTMLP_DATA": ""},
    ) as process:
        assert process.stderr
        while "2/2" not in process.stderr.readline():  # the first has ended
            assert process.poll() is None
        process.send_signal(number)
        process.communicate(timeout=300)
    assert process.returncode == code
    assert len({one.suite for one in read(tmp_path / "bench.json").figures}) == kept


def test_a_reader_that_leaves_ends_no_run(tmp_path: Path) -> None:
    options = ("--suites", "accuracy,emissions", "--backends", "numpy", "--output-dir", tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "bench", "run", *map(str, options)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"FASTMLP_DATA": "", "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stderr
        process.stderr.readline()
        process.stderr.close()
        assert process.wait(timeout=300) == 0
    assert {one.suite for one in read(tmp_path / "bench.json").figures} == {"accuracy", "emissions"}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up there")
def test_a_turn_takes_along_what_it_started(tmp_path: Path) -> None:
    sleeps = "import time; time.sleep(60)"
    starts = (
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {sleeps!r}])\n"
        "pathlib.Path(sys.argv[1]).write_text(str(child.pid))\n"
        "time.sleep(60)"
    )
    command_ = [sys.executable, "-c", starts, str(tmp_path / "pid")]
    with pytest.raises(subprocess.TimeoutExpired):
        run.run_group(command_, dict(os.environ), 3.0)
    stat = Path("/proc", (tmp_path / "pid").read_text(), "stat")
    until_s = time.monotonic() + 10
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_a_second_signal_takes_nothing() -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    kept: list[str] = []

    def run_and_keep() -> None:
        with one_signal():
            try:
                signal.raise_signal(signal.SIGTERM)
            except KeyboardInterrupt:
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGINT)
                kept.append("figures")
                raise

    with pytest.raises(KeyboardInterrupt):
        run_and_keep()
    assert kept == ["figures"]
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_handler_that_is_not_pythons_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastmlp.bench.kept.signal.getsignal", lambda _: None)
    before = [signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)]
    try:
        with one_signal():
            signal.raise_signal(signal.SIGTERM)  # as it was: ignored
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the file")
@pytest.mark.parametrize("arguments", [("compare", "{0}", "{0}"), ("report", "{0}")])
def test_a_closed_output_is_no_regression(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    path = tmp_path / "bench.json"
    path.write_bytes((folder / "out" / "bench.json").read_bytes())
    ended = subprocess.run(
        ["sh", "-c", 'exec "$0" -m fastmlp bench "$@" >&-', sys.executable]
        + [one.format(path) for one in arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_page_replaces_no_figures(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.html"
    path.write_bytes((folder / "out" / "bench.json").read_bytes())
    ended = command("report", path)
    assert ended.returncode == 2
    assert "its page would replace it; give it a name that ends in .json" in ended.stderr
    assert read(path).figures


def test_a_contender_is_asked_for_once() -> None:
    backends = ("--bench-backends", "numpy,numpy")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "bench", "-q", "--collect-only", *backends],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
    )
    assert ended.returncode == 0, ended.stdout  # all of the folder can be collected
    assert ended.stdout.count("test_epoch[numpy]") == 2  # of speed, and of emissions


# --- the history ---


@GRID_TABLE
def test_a_history_grows_and_its_page_follows(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "out" / "bench.json").read_text())
    history = history_of("mine", PROFILES["publish"], tmp_path)
    first = save(content, history)
    content["datetime"] = "2031-01-02T03:04:05+00:00"
    assert save(content, history).name == "20310102T030405.json"
    with pytest.raises(FileExistsError):
        save(content, history)
    (tmp_path / "docs").mkdir()
    assert page.main([], tmp_path) == 0
    text = (tmp_path / "docs" / "suites.md").read_text()
    assert "2031-01-02" in text
    assert "## mine" in text
    assert page.main(["--check"], tmp_path) == 0
    first.unlink()
    assert page.main(["--check"], tmp_path) == 1


@GRID_TABLE
def test_the_page_tells_the_way_with_intervals_and_what_alarms_found(tmp_path: Path) -> None:
    numbers = {"numpy": 1.0, "jax": 0.5}
    raw = whole(numbers, numbers)
    for one in raw["benchmarks"]:
        if one["group"] == "train-energy" and one["extra_info"]["contender"] == "jax":
            for energy_ in one["extra_info"]["energy"]:
                energy_["flags"] = ["contention"]
    save(raw, history_of("mine", PROFILES["publish"], tmp_path))
    alarms_ = tmp_path / "bench" / "results" / "mine" / "alarms"
    alarms_.mkdir()
    found = {"backend": "jax", "profile": "smoke", "datetime": "2030-01-02T03", "false": 1}
    (alarms_ / "jax.json").write_text(
        json.dumps(found | {"found": 2, "pairs": [{"equal": {"step": {}, "forward": {}}}] * 3})
    )
    text = page.page(tmp_path)
    lines = text.splitlines()
    spelled = lines[lines.index("### With 95 % intervals") :]
    chosen = [
        next(line for line in spelled if line.startswith(f"| {name}"))
        for name in ("backend", "numpy")
    ]
    head, row = ([cell.strip() for cell in line.split("|")] for line in chosen)
    cells = dict(zip(head, row, strict=True))
    joules, mg = cells["to 97 % J"], cells["to 97 % mg CO2e"]
    assert all(re.fullmatch(r"[\d.]+ \([\d.]+ to [\d.]+\)", cell) for cell in (joules, mg))
    assert float(joules.split()[0]) == pytest.approx(6.0, rel=0.1)  # 3 at first, and three epochs
    assert float(mg.split()[0]) == pytest.approx(float(joules.split()[0]) / 3.6 * 0.056, rel=0.02)
    of_run = next(line for line in lines if line.startswith("| 2026-11-25"))
    assert [cell.endswith("* ") for cell in of_run.split("|")[3:5]] == [False, True]
    assert "jax, smoke profile, 2030-01-02: 2 of 3 steps" in text
    assert "1 of 3 pairs of equal runs raised an alarm in any of 2 figures." in text


# --- how far to trust a comparison ---


def test_alarms_count_what_was_found_and_what_was_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    # before, then slowed and after of each pair: found, missed; the last of the equal runs is slow
    steps = iter([1.0, 1.5, 1.0, 1.0, 1.5])

    def taken(*_: Any) -> Any:
        pieces = [benchmark(rng, "step", time_s=next(steps)), benchmark(rng, "forward")]
        return SimpleNamespace(content=content(*pieces))

    monkeypatch.setattr(alarms, "run", taken)
    monkeypatch.setattr(alarms, "folder_of", lambda machine: tmp_path / machine)
    assert alarms.main(["--pairs", "2", "--save", "mine"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1: slowdown found, equal: no alarm"
    assert lines[1] == "2: slowdown missed, equal: step"
    kept = json.loads((tmp_path / "mine" / "alarms" / "numpy.json").read_text())
    assert (kept["found"], kept["false"], len(kept["pairs"])) == (1, 1, 2)
    assert kept["pairs"][0]["slowed"]["step"]["ratio"][0] == pytest.approx(1.5, rel=0.1)


@GRID_TABLE
def test_the_page_is_what_the_results_say() -> None:
    assert page.main(["--check"]) == 0
