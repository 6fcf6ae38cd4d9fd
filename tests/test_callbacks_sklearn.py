"""scikit-learn's own callbacks on our networks, and ours on a scikit-learn that has none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.callbacks import CSVLog
from fastmlp.data import load_digits

DIGITS = load_digits()
X, Y = DIGITS.X_train[:300] / 16.0, DIGITS.y_train[:300]
ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def theirs() -> Any:
    return pytest.importorskip("sklearn.callback")


def epochs_of(monitor: Any) -> list[dict[str, Any]]:
    return [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_scoring_monitor_scores_each_epoch(theirs: Any, solver: str) -> None:
    monitor = theirs.ScoringMonitor(scoring="accuracy")
    model = MLPClassifier((9,), solver=solver, max_iter=4, random_state=0).set_callbacks(monitor)
    model.fit(X, Y, X_val=X, y_val=Y)
    scores = [row["accuracy"] for row in epochs_of(monitor)]
    assert scores == pytest.approx(model.history_["val_accuracy"])
    (root,) = [row for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert root["accuracy"] == model.score(X, Y) == pytest.approx(scores[-1])


def test_scoring_monitor_sees_data_frames_weights_and_the_part_that_is_learnt_from(
    theirs: Any,
) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    sizes: list[Any] = []

    def scorer(model: Any, X: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
        sizes.append((len(X), list(X.columns) == list(frame.columns), len(sample_weight)))
        return {"score": accuracy_score(y, model.predict(X), sample_weight=sample_weight)}

    monitor = theirs.ScoringMonitor(scoring=scorer)
    model = MLPClassifier((9,), max_iter=3, early_stopping=True, random_state=0)
    model.set_callbacks(monitor).fit(frame, Y, sample_weight=np.linspace(0.5, 1.5, 300))
    assert set(sizes) == {(270, True, 270)}
    assert len(sizes) == 4


def test_a_model_of_an_epoch_outlives_it(theirs: Any) -> None:
    class Keeping:
        models: list[Any]

        def setup(self, estimator: Any, context: Any) -> None:
            self.models = []

        def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...

        def on_fit_task_end(
            self, estimator: Any, context: Any, *, fitted_estimator: Any = None
        ) -> None:
            self.models.append(fitted_estimator)

        def teardown(self, estimator: Any, context: Any) -> None: ...

    for model in (MLPClassifier((9,), max_iter=3), MLPRegressor(max_iter=3)):
        keeping = Keeping()
        model.set_params(random_state=0).set_callbacks(keeping).fit(X, Y)
        assert [kept.n_iter_ for kept in keeping.models] == [1, 2, 3, 3]
        assert [len(kept.history_["loss"]) for kept in keeping.models] == [1, 2, 3, 3]
        outputs = [kept.predict(X) for kept in keeping.models]
        one = type(model)(**{**model.get_params(), "max_iter": 1}).fit(X, Y)
        np.testing.assert_array_equal(outputs[0], one.predict(X))
        np.testing.assert_array_equal(outputs[2], model.predict(X))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_reach_networks_in_a_search(
    theirs: Any, n_jobs: int, capfd: pytest.CaptureFixture[str]
) -> None:
    monitor = theirs.ScoringMonitor(scoring="accuracy")
    bar = theirs.ProgressBar(max_propagation_depth=None)
    network = MLPClassifier((9,), max_iter=3, random_state=0).set_callbacks(monitor)
    search = GridSearchCV(network, {"alpha": [0.0, 1.0]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(bar).fit(X, Y)
    assert len(epochs_of(monitor)) == 3 * (2 * 2 + 1)
    assert "MLPClassifier" in capfd.readouterr().out
    assert search.best_estimator_._skl_callbacks == [monitor]


def test_progress_bar_ends_with_a_training_that_ends_early(
    theirs: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    model = MLPClassifier((9,), max_iter=500, tol=1.0, n_iter_no_change=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), model)
    pipeline.set_callbacks(theirs.ProgressBar()).fit(X, Y)
    assert "100%" in capfd.readouterr().out


OLDER = """
import sys
import sklearn.model_selection, sklearn.metrics, sklearn.preprocessing  # they need their callbacks
real = sys.modules.pop("sklearn.callback", None)
sys.modules["sklearn.callback"] = None
import fastmlp.callbacks
from fastmlp import MLPClassifier
from fastmlp.estimators import hooks
assert hooks.CallbackSupportMixin.__module__ == "fastmlp.estimators.hooks"
del sys.modules["sklearn.callback"]
if real:
    sys.modules["sklearn.callback"] = real
sys.path.insert(0, "tests")
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "tests/test_callbacks.py",
                      "tests/test_callback_logs.py", "tests/test_doctor.py",
                      "-k", "not false_alarm and not backends"]))
"""


def test_ours_do_the_same_on_a_scikit_learn_without_callbacks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OLDER],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_a_file_of_a_search_says_that_it_is_there(tmp_path: Path) -> None:
    network = MLPClassifier((9,), max_iter=2).set_callbacks(CSVLog(tmp_path / "log.csv"))
    search = GridSearchCV(network, {"alpha": [0.0]}, cv=2, refit=False, error_score="raise")
    with pytest.raises(FileExistsError, match="append=True"):
        search.fit(X, Y)
