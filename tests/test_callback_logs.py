"""The callbacks that write files, and the one that watches the clock."""

from __future__ import annotations

import csv
import json
import re
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.model_selection import GridSearchCV

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.callbacks import Callback, CSVLog, EpochView, JSONLinesLog, TensorBoardLog, TimeBudget
from fastmlp.data import load_digits

DIGITS = load_digits()
X, Y = DIGITS.X_train[:300] / 16.0, DIGITS.y_train[:300]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Doing(Callback):
    """Does something after each epoch."""

    def __init__(self, deed: Any) -> None:
        self.deed = deed

    def on_epoch_end(self, epoch: EpochView) -> None:
        self.deed(epoch)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_log(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    lines: list[int] = []
    counter = Doing(lambda epoch: lines.append(len(path.read_text().splitlines())))
    model = MLPRegressor(hidden_layer_sizes=(9,), max_iter=3, random_state=0)
    model.set_callbacks(CSVLog(path), counter).fit(X, Y, X_val=X, y_val=Y)
    assert lines == [2, 3, 4]  # flushed
    rows = table(path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for name, values in model.history_.items():
        assert [float(row[name]) for row in rows] == values
    with pytest.raises(FileExistsError, match=r"CSVLog: path='.*' exists. Give append=True"):
        model.fit(X, Y)
    model.set_callbacks(CSVLog(path, append=True)).fit(X, Y)
    assert table(path)[-1]["val_loss"] == ""
    other = MLPClassifier((9,), max_iter=3).set_callbacks(CSVLog(path, append=True))
    with pytest.raises(ValueError, match=r"has the columns .* but no \['accuracy'\], which this"):
        other.fit(X, Y)
    assert other.n_iter_ == 1


def test_json_lines_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    model = MLPClassifier((9,), solver="adam", max_iter=2, warm_start=True).fit(X, Y)
    model.set_params(solver="lbfgs").set_callbacks(JSONLinesLog(path)).fit(X, Y)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [3, 4]
    assert [row["loss"] for row in rows] == model.history_["loss"][2:]
    assert rows[0]["accuracy"] is None


@pytest.mark.parametrize("kind", [CSVLog, JSONLinesLog])
def test_a_log_that_cannot_be_written_keeps_training_from_beginning(
    kind: Any, tmp_path: Path
) -> None:
    path = tmp_path / "nowhere" / "log"
    epochs: list[int] = []
    model = MLPClassifier((9,)).set_callbacks(Doing(lambda e: epochs.append(e.epoch)), kind(path))
    with pytest.raises(FileNotFoundError, match=f"{kind.__name__} cannot write to its path"):
        model.fit(X, Y)
    assert not epochs
    unused = tmp_path / "unused"
    model.set_callbacks(kind(unused))
    model.set_params(solver="sgd", learning_rate_init=1e300, activation="identity")
    with pytest.raises(ValueError, match="diverged in epoch 1"):
        model.fit(1e3 * X, Y)
    assert not unused.exists()


def test_tensorboard_log(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    model = MLPClassifier((9,), max_iter=3).set_callbacks(TensorBoardLog(tmp_path / "run"))
    model.fit(X, Y)
    (path,) = (tmp_path / "run").iterdir()
    data, scalars = path.read_bytes(), dict[str, list[tuple[int, float]]]()
    while data:  # records: length, its checksum, an event, its checksum
        (size,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + size])
        for value in event.summary.value:
            scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
        data = data[16 + size :]
    assert set(scalars) == {"time_s", *model.history_}
    assert [step for step, _ in scalars["loss"]] == [1, 2, 3]
    assert [value for _, value in scalars["loss"]] == pytest.approx(model.history_["loss"])
    with pytest.raises(FileExistsError, match=r"is not empty. Give append=True"):
        model.fit(X, Y)


def test_without_tensorboardx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fastmlp\[tensorboard\]'"):
        MLPClassifier().set_callbacks(TensorBoardLog(tmp_path)).fit(X, Y)


def test_a_budget_of_time() -> None:
    model = MLPClassifier((9,), max_iter=10**6, tol=0, n_iter_no_change=np.inf)
    model.set_callbacks(TimeBudget(budget_s=0.2)).fit(X, Y)
    spent_s = sum(model.history_["epoch_s"])
    assert model.n_iter_ > 1
    assert spent_s < 5
    for budget_s in (0, -1.0, np.inf, np.nan, "60", None, True):
        with pytest.raises(ValueError, match=r"budget_s=.* must be a number of seconds above 0"):
            TimeBudget(budget_s=budget_s)  # type: ignore[arg-type]


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    page = Path(__file__).parents[1] / "docs" / "callbacks.md"
    code = "".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, str(page), "exec"), names)
    assert len(table(tmp_path / "training.csv")) > 100
    assert len(names["frame"]) == 30
    assert -0.5 < names["model"].best_validation_score_ < 0.0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_line_that_was_cut_stays_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_text('{"epoch": 1}', encoding="utf-8")
    log = JSONLinesLog(path, append=True)
    MLPClassifier((5,), max_iter=2, tol=0).set_callbacks(log).fit(X, Y)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 1, 2]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_each_training_of_a_search_has_a_log_of_its_own(tmp_path: Path, n_jobs: int | None) -> None:
    model = MLPClassifier((5,), max_iter=2, tol=0).set_callbacks(CSVLog(tmp_path / "log-{n}.csv"))
    search = GridSearchCV(model, {"alpha": [0.1, 0.2]}, cv=2, n_jobs=n_jobs, error_score="raise")
    search.fit(X, Y)
    names = [f"log-{n}.csv" for n in range(1, 6)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(len(table(tmp_path / name)) == 2 for name in names)


def test_one_path_for_several_trainings_says_what_to_give(tmp_path: Path) -> None:
    model = MLPClassifier((5,), max_iter=2, tol=0).set_callbacks(CSVLog(tmp_path / "log.csv"))
    with pytest.raises(FileExistsError, match=r"\{n\}, as in 'training-\{n\}\.csv': each training"):
        GridSearchCV(model, {"alpha": [0.1]}, cv=2, error_score="raise").fit(X, Y)


def test_a_numbered_log_in_which_nothing_is_written_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "log-1.csv").write_text("mine")
    model = MLPClassifier((9,), "identity", solver="sgd", learning_rate_init=1e300)
    with pytest.raises(ValueError, match="diverged in epoch 1"):
        model.set_callbacks(CSVLog(tmp_path / "log-{n}.csv")).fit(1e3 * X, Y)
    assert [path.name for path in tmp_path.iterdir()] == ["log-1.csv"]


def test_tensorboard_folders(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    model = MLPClassifier((5,), max_iter=2, tol=0)
    model.set_callbacks(TensorBoardLog(tmp_path / "runs" / "{n}"))
    model.fit(X, Y).fit(X, Y)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["1", "2"]
    file = tmp_path / "file"
    file.write_text("mine")
    for append in (False, True):
        model.set_callbacks(TensorBoardLog(file, append=append))
        with pytest.raises(NotADirectoryError, match=r"folder='.*file' is a file, expected a fold"):
            model.fit(X, Y)
    model.set_callbacks(TensorBoardLog(file / "below"))
    with pytest.raises(NotADirectoryError, match="TensorBoardLog cannot write to its folder"):
        model.fit(X, Y)


@pytest.mark.parametrize("kind", [CSVLog, JSONLinesLog, TensorBoardLog])
def test_a_path_that_cannot_be_one(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"(path|folder)=3 must be a path: a str or a pathlib"):
        kind(3)
    with pytest.raises(ValueError, match=r"='log-\{n\}' gives each training its own .* leave one"):
        kind("log-{n}", append=True)
