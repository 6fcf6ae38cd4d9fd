"""Callbacks: called once per epoch, on every scikit-learn, and what they may do to a training."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from fastmlp import MLPClassifier
from fastmlp.backends import backend_status, get_backend
from fastmlp.callbacks import Callback, CSVLog, EpochView, TrainingDoctor
from fastmlp.data import load_digits
from fastmlp.training import DivergenceError, Trainer

DIGITS = load_digits()
X, Y = DIGITS.X_train[:300] / 16.0, DIGITS.y_train[:300]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Recorder(Callback):
    """Keeps what it is told; does something in one epoch."""

    def __init__(self, epoch: int = 0, deed: Any = lambda view: None) -> None:
        self.epoch, self.deed = epoch, deed
        self.told: list[Any] = []

    def on_fit_begin(self) -> None:
        self.told.append("begin")

    def on_epoch_end(self, epoch: EpochView) -> bool | None:
        self.told.append(epoch)
        return self.deed(epoch) if epoch.epoch == self.epoch else None

    def on_fit_end(self) -> None:
        self.told.append("end")


def fail(view: EpochView) -> None:
    raise RuntimeError("of the callback")


def interrupt(view: EpochView) -> None:
    raise KeyboardInterrupt


# --- what they are told ---


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_each_epoch_is_told_once_with_the_row_of_the_history(solver: str) -> None:
    class Fetching(Recorder):
        def on_epoch_end(self, epoch: EpochView) -> bool | None:
            params.append(epoch.params())
            return super().on_epoch_end(epoch)

    params: list[Any] = []
    recorder = Fetching()
    model = MLPClassifier((9,), solver=solver, max_iter=4, random_state=0)
    model.set_callbacks(recorder).fit(X, Y, X_val=X[:50], y_val=Y[:50])
    begin, *epochs, end = recorder.told
    assert (begin, end) == ("begin", "end")
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4]
    for i, epoch in enumerate(epochs):
        assert dict(epoch.values) == {name: values[i] for name, values in model.history_.items()}
        assert epoch.n_samples == len(X)
        assert epoch.settings["solver"] == solver
        with pytest.raises(TypeError):
            epoch.values["loss"] = 0.0
    assert "val_loss" in epochs[0].values
    times_s = [epoch.time_s for epoch in epochs]
    assert times_s == sorted(times_s)
    assert times_s[0] >= 0.9 * model.history_["epoch_s"][0]
    np.testing.assert_array_equal(params[-1][0].W, model.coefs_[0])
    assert not np.array_equal(params[0][0].W, params[1][0].W)


def test_parameters_are_not_the_networks_own() -> None:
    def spoil(view: EpochView) -> None:
        for layer in view.params():
            layer.W[...] = np.nan  # type: ignore[index]

    model = MLPClassifier((9,), max_iter=2, random_state=0)
    model.set_callbacks(Recorder(1, spoil)).fit(X + 0.1, Y)  # no column is left out of training
    assert np.isfinite(model.coefs_[0]).all()


def test_rows_are_those_learnt_from() -> None:
    seen: list[Any] = []
    recorder = Recorder(1, lambda view: seen.extend([view.rows(1000), view.rows(7)]))
    model = MLPClassifier((9,), max_iter=2, early_stopping=True, random_state=0)
    model.set_callbacks(recorder).fit(X, Y)
    (all_X, all_y), (few_X, few_y) = seen
    assert (all_X.shape, few_X.shape, few_y.shape) == ((270, 64), (7, 64), (7, 10))
    known = {row.tobytes(): number for number, row in enumerate(X)}
    numbers = [known[row.tobytes()] for row in all_X]
    assert len(set(numbers)) == 270
    assert max(numbers) > 270  # a part of the rows, not the first of them
    assert Y[numbers].tolist() == all_y.argmax(axis=1).tolist()


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_rows_of_a_device_come_to_the_host(name: str) -> None:
    status = backend_status(name)
    if not status.available:
        pytest.skip(status.reason)
    place, seen = get_backend(name).to_device, list[Any]()
    recorder = Recorder(1, lambda view: seen.extend(view.rows(5)))
    model = MLPClassifier((9,), max_iter=2, early_stopping=True, monitor="f1_macro", random_state=0)
    on_host = clone(model).set_params(backend=name).fit(X, Y)
    model.set_callbacks(recorder, TrainingDoctor()).fit(place(X, "float64"), place(Y, "int32"))
    assert all(isinstance(array, np.ndarray) for array in seen)
    assert model.validation_scores_ == on_host.validation_scores_


def test_training_is_the_same_with_callbacks_and_without() -> None:
    for name in ("numpy", "jax"):
        if not backend_status(name).available:
            continue
        choices: dict[str, Any] = {"max_iter": 5, "random_state": 0, "backend": name}
        alone = MLPClassifier((9,), **choices).fit(X, Y)
        heard = MLPClassifier((9,), **choices).set_callbacks(Recorder()).fit(X, Y)
        np.testing.assert_array_equal(alone.coefs_[0], heard.coefs_[0])


@pytest.mark.parametrize("callbacks", [[], [Recorder()]])
def test_without_callbacks_epochs_may_overlap(
    callbacks: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    made = Trainer.__init__

    def noting(self: Trainer, *args: Any, **how: Any) -> None:
        asked.append(how["overlap"])
        made(self, *args, **how)

    monkeypatch.setattr(Trainer, "__init__", noting)
    MLPClassifier((9,), max_iter=2, random_state=0).set_callbacks(*callbacks).fit(X, Y)
    assert asked == [not callbacks]


def test_partial_fit_tells_nobody() -> None:
    recorder = Recorder()
    MLPClassifier((9,)).set_callbacks(recorder).partial_fit(X, Y, classes=np.arange(10))
    assert recorder.told == []


def test_a_warm_start_counts_on() -> None:
    recorder = Recorder()
    model = MLPClassifier((9,), max_iter=2, warm_start=True).set_callbacks(recorder)
    model.fit(X, Y).fit(X, Y)
    assert [view.epoch for view in recorder.told if isinstance(view, EpochView)] == [1, 2, 3, 4]


# --- what they may do ---


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_true_answer_ends_the_training(solver: str) -> None:
    last, other = Recorder(3, lambda view: True), Recorder()
    model = MLPClassifier((9,), solver=solver, random_state=0).set_callbacks(last, other).fit(X, Y)
    assert model.n_iter_ == 3
    assert len(other.told) == 5
    three = MLPClassifier((9,), solver=solver, max_iter=3, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(model.coefs_[0], three.coefs_[0])


def test_ending_a_training_is_no_reason_to_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPClassifier((9,), solver="lbfgs").set_callbacks(Recorder(3, lambda view: True)).fit(X, Y)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_what_is_learnt_by_then_survives_an_exception(solver: str) -> None:
    failing, other = Recorder(2, fail), Recorder()
    model = MLPClassifier((9,), solver=solver, random_state=0).set_callbacks(failing, other)
    with pytest.raises(RuntimeError, match="of the callback"):
        model.fit(X, Y)
    assert (failing.told[-1], other.told[-1]) == ("end", "end")
    assert model.n_iter_ == len(model.history_["loss"]) == 2
    two = MLPClassifier((9,), solver=solver, max_iter=2, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), two.predict_proba(X))
    assert model._epoch_view is None
    assert not {"_callback_fit_ctx", "_told"} & set(vars(model))


def test_ctrl_c_ends_well_and_says_which_weights_are_kept() -> None:
    recorder = Recorder(4, interrupt)
    model = MLPClassifier((9,), early_stopping=True, random_state=0).set_callbacks(recorder)
    with pytest.warns(UserWarning, match="the best weights up to epoch 4 are kept") as caught:
        model.fit(X, Y)
    assert {warning.filename for warning in caught} == {__file__}
    assert recorder.told[-1] == "end"
    assert {len(values) for values in model.history_.values()} == {4}


def test_an_exception_before_training_leaves_the_model_as_it_was() -> None:
    model = MLPClassifier((9,), max_iter=2, random_state=0).fit(X, Y)
    before = model.predict_proba(X)

    class Failing(Recorder):
        def on_fit_begin(self) -> None:
            raise RuntimeError("not today")

    failing, other = Failing(), Recorder()
    with pytest.raises(RuntimeError, match="not today"):
        model.set_callbacks(other, failing).fit(X, Y + 1)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert (other.told, failing.told) == (["begin", "end"], ["end"])


def test_callbacks_belong_to_networks_one_training_at_a_time() -> None:
    with pytest.raises(TypeError, match="callbacks"):
        MLPClassifier().set_callbacks(Recorder)
    with pytest.raises(TypeError, match="callbacks"):
        MLPClassifier().set_callbacks(print)
    if hasattr(LogisticRegression, "set_callbacks"):
        with pytest.raises(TypeError, match=r"Recorder hears of .* but is set on LogisticRegr"):
            LogisticRegression().set_callbacks(Recorder()).fit(X, Y)
    model: Any = MLPClassifier((3,), max_iter=2)
    inner = Recorder(1, lambda view: clone(model).fit(X, Y))
    model.set_callbacks(inner)
    with pytest.raises(RuntimeError, match="Recorder hears of another training at this moment"):
        model.fit(X, Y)
    assert inner.told == ["begin", inner.told[1], "end"]


def test_clone_pickle_and_search(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "log.csv", append=True)
    model = MLPClassifier((9,), max_iter=2, random_state=0).set_callbacks(log)
    assert clone(model)._skl_callbacks == [log]
    model.fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    again.fit(X, Y)
    for n_jobs in (1, 2):
        GridSearchCV(model, {"alpha": [0.0, 1.0]}, cv=2, n_jobs=n_jobs).fit(X, Y)
    lines = log.path.read_text().splitlines()
    assert len(lines) == 1 + 2 * (1 + 1 + 5 + 5)
    assert not model.set_callbacks()._has_callbacks


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_training_within_a_callback_that_diverges_comes_through(early_stopping: bool) -> None:
    class Probe(Callback):
        def on_epoch_end(self, epoch: EpochView) -> None:
            raise DivergenceError("of another network")

    model = MLPClassifier((5,), max_iter=5, early_stopping=early_stopping).set_callbacks(Probe())
    with pytest.raises(DivergenceError, match="of another network"):
        model.fit(X, Y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_copy_made_while_a_callback_listens_hears_of_others(tmp_path: Path) -> None:
    copies: list[CSVLog] = []

    class Copied(CSVLog):
        def on_epoch_end(self, epoch: EpochView) -> None:
            super().on_epoch_end(epoch)
            copies.append(copy.deepcopy(self))

    log = Copied(tmp_path / "a.csv")
    MLPClassifier((5,), max_iter=1).set_callbacks(log).fit(X, Y)
    copies[0].path = tmp_path / "b.csv"
    MLPClassifier((5,), max_iter=1).set_callbacks(copies[0]).fit(X, Y)
    assert (tmp_path / "b.csv").exists()
