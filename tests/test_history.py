"""The history: a value per epoch for each name, whatever a training goes through."""

from __future__ import annotations

import math
import pickle
import sys
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.data import load_digits
from fastmlp.estimators.history import History
from fastmlp.training import DivergenceError, Trainer

DIGITS = load_digits()
X, Y = DIGITS.X_train[:200] / 16.0, DIGITS.y_train[:200]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def n_epochs(model: Any) -> int:
    (length,) = {len(values) for values in model.history_.values()}
    return length


def test_solvers_that_take_turns_stay_aligned() -> None:
    model = MLPClassifier((5,), max_iter=3, warm_start=True, random_state=0)
    model.fit(X, Y).set_params(solver="lbfgs", max_iter=2).fit(X, Y, X_val=X, y_val=Y)
    model.set_params(solver="sgd", max_iter=4).fit(X, Y)
    assert n_epochs(model) == 9
    known = {name: ~np.isnan(values) for name, values in model.history_.items()}
    places = {
        "loss": range(9),
        "epoch_s": range(9),
        "accuracy": [0, 1, 2, 5, 6, 7, 8],
        "learning_rate": [0, 1, 2, 5, 6, 7, 8],
        "val_loss": [3, 4],
        "val_accuracy": [3, 4],
    }
    assert {name: np.flatnonzero(is_known).tolist() for name, is_known in known.items()} == {
        name: list(expected) for name, expected in places.items()
    }
    assert model.loss_curve_ == model.history_["loss"]
    model = MLPClassifier((5,), solver="lbfgs", max_iter=2, warm_start=True, random_state=0)
    model.fit(X, Y).set_params(solver="adam", max_iter=1).fit(X, Y)
    assert n_epochs(model) == 3
    assert np.isnan(model.history_["accuracy"]).tolist() == [True, True, False]


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_learning_rates_are_those_of_their_epochs(backend: str) -> None:
    if backend == "jax":
        pytest.importorskip("jax")
    choices: dict[str, Any] = {
        "solver": "sgd",
        "learning_rate_init": 0.1,
        "random_state": 0,
        "backend": backend,
    }
    falling = MLPClassifier((5,), max_iter=4, learning_rate="invscaling", **choices).fit(X, Y)
    rates = falling.history_["learning_rate"]
    assert rates == pytest.approx([0.1, *(0.1 / (200 * i + 1) ** 0.5 for i in (1, 2, 3))])
    steps = MLPClassifier(
        (5,), max_iter=9, learning_rate="adaptive", tol=100.0, n_iter_no_change=2, **choices
    ).fit(X, Y)
    assert steps.history_["learning_rate"][:8] == pytest.approx([0.1] * 4 + [0.02] * 3 + [0.004])
    assert MLPRegressor(max_iter=2).fit(X, Y).history_["learning_rate"] == [0.001] * 2


def test_learning_rates_of_a_schedule_are_those_of_the_first_step() -> None:
    model = MLPClassifier(
        (5,), learning_rate="cosine", warmup_fraction=0.25, max_iter=8, batch_size=50, tol=0
    )
    rates = model.fit(X, Y).history_["learning_rate"]  # 4 steps an epoch, 8 of them to warm up
    assert rates[:2] == pytest.approx([0.001 * 1 / 8, 0.001 * 5 / 8])
    half = [0.5 * (1.0 + math.cos(math.pi * done / 24)) for done in range(0, 24, 4)]
    assert rates[2:] == pytest.approx([0.001 * part for part in half])


def test_scores_that_stop_are_there() -> None:
    model = MLPClassifier((5,), early_stopping=True, max_iter=3, random_state=0).fit(X, Y)
    assert model.history_["val_score"] == model.validation_scores_
    assert model.history_["val_score"] == pytest.approx(model.history_["val_accuracy"])


def test_a_frame_has_a_row_per_epoch() -> None:
    pytest.importorskip("pandas")
    model = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, Y, X_val=X, y_val=Y)
    frame = model.history_.to_frame()
    assert list(frame.columns) == ["epoch", *model.history_]
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert frame["val_loss"].tolist() == model.history_["val_loss"]
    again = pickle.loads(pickle.dumps(model)).history_
    assert again == model.history_
    assert again.to_frame().equals(frame)


def test_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        History(loss=[0.5]).to_frame()


@pytest.mark.parametrize("deed", [KeyboardInterrupt, RuntimeError])
def test_an_epoch_whose_validation_is_cut_off_has_a_row(
    deed: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = Trainer.evaluate

    def cut_off(self: Trainer, *args: Any) -> dict[str, float]:
        if self.epoch == 3:
            raise deed
        return evaluate(self, *args)

    monkeypatch.setattr(Trainer, "evaluate", cut_off)
    model = MLPClassifier((5,), random_state=0)
    with warnings.catch_warnings(), suppress(RuntimeError):
        warnings.simplefilter("ignore")  # of the interruption, which ends well
        model.fit(X, Y, X_val=X, y_val=Y)
    assert n_epochs(model) == model.n_iter_ == 3
    assert math.isnan(model.history_["val_loss"][-1])
    assert math.isfinite(model.history_["loss"][-1])


def test_a_divergence_leaves_the_epochs_before() -> None:
    model = MLPRegressor(
        "squared_error", (9,), "identity", solver="sgd", learning_rate_init=1e3, random_state=0
    )
    with pytest.raises(DivergenceError):
        model.fit(X, Y, X_val=X, y_val=Y)
    assert n_epochs(model) == model.n_iter_ > 0


def test_history_of_a_fit_does_not_grow_by_the_next() -> None:
    model = MLPClassifier((5,), max_iter=2, warm_start=True, random_state=0).fit(X, Y)
    first = model.history_
    model.fit(X, Y)
    assert (first.n_epochs, model.history_.n_epochs) == (2, 4)
