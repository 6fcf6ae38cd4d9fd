"""The main job, run as users run it, and what goes wrong around it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fastmlp import cli
from fastmlp.backends import BackendUnavailableError, backend_names, backend_status
from fastmlp.compare import Config, Results, compare
from fastmlp.compare.config import cores
from fastmlp.compare.contender import Contender
from fastmlp.energy.rapl import POWERCAP, RaplError, find_domains
from fastmlp.reference import reference_status

ROOT = Path(__file__).resolve().parent.parent
QUICK = ("--epochs", "3", "--hidden", "8", "--quiet")


def fastmlp(*arguments: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "fastmlp", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, text=True, capture_output=True, timeout=120, **options
    )


def installed(*names: str) -> tuple[str, ...]:
    return tuple(name for name in names if backend_status(name).available)


def test_backends_learn_the_same_in_turns() -> None:
    names = installed("numpy", "jax", "torch")
    turns: list[tuple[str, int]] = []
    config = Config(backends=names, epochs=4, hidden=(16,), seed=3)
    results = compare(config, lambda name, done, total: turns.append((name, done)))
    assert turns == [(name, epoch) for epoch in range(5) for name in names]
    oracle = results.runs[0]
    for run in results.runs:
        assert (run.status, run.reason, run.device) == ("ok", "", "cpu")
        assert set(run.history) == {"loss", "accuracy", "test_loss", "test_accuracy"}
        assert {len(values) for values in run.history.values()} == {4} == {len(run.epoch_s)}
        # ReLU units may switch on a rounding: a loss, not a weight, is what can be compared
        assert run.history["loss"] == pytest.approx(oracle.history["loss"], rel=1e-3)
        assert run.test_accuracy == pytest.approx(oracle.test_accuracy, abs=0.006)
        assert run.first_call_s == run.epoch_s[0] > 0
        assert run.median_epoch_s == sorted(run.epoch_s[1:])[1]
        assert run.samples_per_s == pytest.approx(results.config["n_train"] / run.median_epoch_s)
        assert run.speed_ratio is None  # no reference took part
    assert oracle.test_accuracy is not None
    assert oracle.test_accuracy > 0.8


def test_energy_is_labelled_and_adds_up() -> None:
    pytest.importorskip("codecarbon")
    results = compare(Config(backends=("numpy",), epochs=3, grid="POL"))
    (run,) = results.runs
    assert run.energy_source in ("measured", "sampled", "estimated", "assumed")
    assert run.energy_j is not None
    assert run.energy_j == pytest.approx(
        run.energy["first_epoch_j"] + 2 * run.energy["epoch_j"], rel=1e-12
    )
    window = run.energy["window"]
    assert window["energy_j"] / run.energy["window_epochs"] == run.energy["epoch_j"] > 0
    assert window["wall_s"] > 0.5
    assert results.config["grid"]["zone"] == "POL"
    g_per_kwh = results.config["grid"]["g_per_kwh"]
    assert run.co2e_mg == pytest.approx(run.energy_j / 3.6e6 * g_per_kwh * 1e3)


def test_without_codecarbon_energy_is_absent_with_the_reason(tmp_path: Path) -> None:
    with suppress(RaplError):
        find_domains(POWERCAP)
        pytest.skip("RAPL can be read here, and needs no CodeCarbon")
    (tmp_path / "codecarbon.py").write_text("raise ModuleNotFoundError(name='codecarbon')\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    script = (
        "from fastmlp.compare import Config, compare\n"
        "run, = compare(Config(backends=('numpy',), epochs=1, grid='WORLD')).runs\n"
        "print(run.status, run.energy_j, run.energy_source, run.co2e_mg, run.energy['reason'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.startswith("ok None absent None ")
    assert "pip install 'fastmlp[energy]'" in done.stdout


def test_command_writes_both_files_and_prints_the_table(tmp_path: Path) -> None:
    done = fastmlp(
        "compare", "--backends", "numpy", "--epochs", "2", "--output-dir", "out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "numpy" in done.stdout
    results = Results.read(tmp_path / "out" / "results.json")
    assert results.runs[0].test_accuracy is not None
    assert f"{100 * results.runs[0].test_accuracy:.2f}" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir())[-1] == "results.json"


def test_one_epoch_has_no_median(tmp_path: Path) -> None:
    results = compare(Config(backends=("numpy",), epochs=1))
    (run,) = results.runs
    assert (run.status, len(run.epoch_s), run.samples_per_s) == ("ok", 1, None)


def test_unavailable_ones_are_listed_unless_asked_for() -> None:
    if backend_status("cupy").available:
        pytest.skip("there is a GPU here")
    with pytest.raises(BackendUnavailableError, match="backend 'cupy' is not available: "):
        compare(Config(backends=("numpy", "cupy"), epochs=1))


def test_a_killed_contender_loses_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    names = installed("numpy", "jax", "torch")
    if len(names) < 2:
        pytest.skip("needs a second backend")
    victim, others = names[0], names[1:]
    train_epoch = Contender.train_epoch

    def kill_in_second_epoch(self: Contender) -> None:
        if self.run.backend == victim and len(self.run.epoch_s) == 1:
            self._process.send_signal(signal.SIGKILL)
        train_epoch(self)

    monkeypatch.setattr(Contender, "train_epoch", kill_in_second_epoch)
    runs = {run.backend: run for run in compare(Config(backends=names, epochs=3)).runs}
    assert runs[victim].status == "failed"
    assert "its process ended with code -9" in runs[victim].reason
    assert len(runs[victim].history["loss"]) == 1
    assert {runs[name].status for name in others} == {"ok"}


def test_energy_that_is_lost_costs_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_energy = Contender.measure_energy

    def kill_first(self: Contender, g_per_kwh: float) -> None:
        self._process.kill()
        measure_energy(self, g_per_kwh)

    monkeypatch.setattr(Contender, "measure_energy", kill_first)
    (run,) = compare(Config(backends=("numpy",), epochs=2)).runs
    assert (run.status, run.energy_j, run.co2e_mg) == ("ok", None, None)
    assert "ended with code -9" in run.energy["reason"]


def test_files_of_the_working_directory_and_prints_at_start_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise RuntimeError('my homework')\n")
    start = tmp_path / "start"
    start.mkdir()
    (start / "sitecustomize.py").write_text("print('good morning')\n")
    path = os.pathsep.join([str(start), str(ROOT)])
    command = [sys.executable, "-P", "-m", "fastmlp", "compare", "--backends", "numpy", *QUICK]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_one_thread_is_one_core_for_every_contender() -> None:
    names = installed("numpy", "jax", "torch")
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    clock = time.perf_counter()
    compare(Config(backends=names, epochs=2, threads=1, hidden=(512,), batch_size=1438))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime - started.ru_utime - started.ru_stime
    assert cpu_s < 1.15 * (time.perf_counter() - clock)  # all of them share core 0


def test_divergence_is_a_failed_run_that_keeps_its_history(tmp_path: Path) -> None:
    done = fastmlp(
        *("compare", "--backends", "numpy", "--hidden", "", "--learning-rate", "1e37"),
        *("--quiet", "--output-dir", "out"),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "numpy failed: DivergenceError: training diverged in epoch 1" in done.stderr
    assert "smaller learning rate than 1e+37" in done.stderr
    assert Results.read(tmp_path / "out" / "results.json").runs[0].status == "failed"


# A shell starts background jobs with Ctrl-C ignored, and what they start inherits it.
TAKES_CTRL_C = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from fastmlp.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_keeps_what_was_finished(tmp_path: Path) -> None:
    for patience_s in (6, 20, 60):  # until the first epochs are done; machines differ
        command = [sys.executable, "-c", TAKES_CTRL_C, "compare", "--backends", "numpy"]
        process = subprocess.Popen(
            [*command, "--epochs", "99999"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            time.sleep(patience_s)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
        assert process.returncode == 130, errors
        assert "Traceback" not in errors
        (run,) = Results.read(tmp_path / "fastmlp-results" / "results.json").runs
        assert run.status == "interrupted"
        assert f"after {len(run.epoch_s)} of 99999 epochs" in run.reason
        if len(run.epoch_s) > 10:
            break
    assert len(run.epoch_s) > 10
    assert run.test_accuracy is not None


BAD_OPTIONS: list[tuple[list[str], str]] = [
    (["--dataset", "cifar"], "argument --dataset: invalid choice: 'cifar'"),
    (["--backends", "nunpy"], "backends='nunpy' is not possible, expected names out of"),
    (["--backends", "numpy,numpy"], "expected no name twice"),
    (["--hidden", "12,x"], "'12,x' is not a list of layer sizes"),
    (["--hidden", "0"], "'0' is not possible, expected more than 0"),
    (["--epochs", "0"], "'0' is not possible, expected more than 0"),
    (["--batch-size", "-1"], "'-1' is not possible, expected more than 0"),
    (["--learning-rate", "0"], "'0' is not possible, expected more than 0"),
    (["--learning-rate", "nan"], "'nan' is not possible, expected more than 0"),
    (["--learning-rate", "fast"], "argument --learning-rate: invalid float value: 'fast'"),
    (["--seed", "-1"], "seed=-1 is not possible, expected 0 or more"),
    (["--threads", "4096"], f"threads=4096 is not possible, expected 1 to {cores()}"),
    (["--grid", "FRE"], "zone='FRE': expected an ISO 3166-1 alpha-3 code"),
    (["--dataset", "mnist", "--data-dir", "nowhere"], "nowhere"),
    (["--output-dir", "/dev/null/results"], "--output-dir /dev/null/results cannot be made"),
    (["--unknown"], "unrecognized arguments: --unknown"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_bad_options_are_one_line_and_exit_2(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "--grid" in options:
        pytest.importorskip("codecarbon")
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(["compare", *QUICK, *options])
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    shown = capsys.readouterr()
    assert code == 2
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_asked_for_but_unavailable_is_one_line_and_exit_2(tmp_path: Path) -> None:
    if backend_status("cupy").available:
        pytest.skip("there is a GPU here")
    done = fastmlp("compare", "--backends", "cupy", *QUICK, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("fastmlp: error: backend 'cupy' is not available: ")
    assert done.stderr.count("\n") == 1


def test_a_checkout_that_was_never_installed_works(tmp_path: Path) -> None:
    assert fastmlp("--version", cwd=tmp_path).stdout.startswith("fastmlp 0.")
    listed = fastmlp("backends", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    for status in (*map(backend_status, backend_names()), reference_status()):
        shown = (status.version,) if status.available else (status.reason, status.hint)
        assert all(text in listed.stdout for text in (status.name, *shown))


def test_results_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for text, message in (
        ("{", "is not a results.json"),
        ("[]", "is not a results.json"),
        (json.dumps({"schema_version": 99}), "schema_version 99, expected 1"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            Results.read(path)


def test_fields_of_a_newer_fastmlp_are_left_out(tmp_path: Path) -> None:
    results = Results("now", "0.1.0", {}, {}, [])
    results.write(tmp_path / "old.json")
    values = json.loads((tmp_path / "old.json").read_text())
    values |= {"new": 1, "runs": [{"backend": "numpy", "new": 2}]}
    (tmp_path / "new.json").write_text(json.dumps(values))
    assert Results.read(tmp_path / "new.json").runs[0].backend == "numpy"


def test_config_knows_what_suits_a_data_set() -> None:
    assert (Config().epochs, Config().batch_size, Config().threads) == (20, 32, cores())
    mnist = Config(dataset="mnist")
    assert (mnist.epochs, mnist.batch_size, mnist.hidden) == (10, 128, (128,))
    assert mnist.learning_rate == 0.1
