"""Early stopping by any score, and what it says when it has none."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, balanced_accuracy_score, get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.backends import backend_status
from fastmlp.data import load_digits
from fastmlp.estimators.identity import identity
from fastmlp.training import DivergenceError

DIGITS = load_digits()
X, Y = DIGITS.X_train[:400] / 16.0, DIGITS.y_train[:400]
NAMES = np.asarray([f"digit {label}" for label in Y])
HELD_OUT: dict[str, Any] = {"X_val": X[300:], "y_val": NAMES[300:]}
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # trainings here are short on purpose
)


def classifier(**choices: Any) -> MLPClassifier:
    defaults: dict[str, Any] = {"early_stopping": True, "random_state": 0, "max_iter": 12}
    return MLPClassifier((20,), **{**defaults, **choices})


# --- scores ---


@ignore_convergence
@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("monitor", ["neg_log_loss", "f1_macro", "roc_auc_ovr"])
def test_a_scorer_judges_labels_by_the_weights_of_each_epoch(monitor: str, backend: str) -> None:
    status = backend_status(backend)
    if not status.available:
        pytest.skip(status.reason)
    model = classifier(monitor=monitor, backend=backend).fit(X[:300], NAMES[:300], **HELD_OUT)
    scores = model.validation_scores_
    assert len(scores) == 12
    assert model.history_["val_score"] == scores
    expected = get_scorer(monitor)(model, X[300:], NAMES[300:])
    assert model.best_validation_score_ == max(scores) == pytest.approx(expected, rel=1e-6)
    first = classifier(monitor=monitor, backend=backend, max_iter=1)
    first.fit(X[:300], NAMES[:300], **HELD_OUT)
    assert first.validation_scores_ == pytest.approx(scores[:1], rel=1e-9)


@ignore_convergence
def test_accuracy_by_name_is_the_default() -> None:
    named, default = (classifier(monitor=monitor).fit(X, NAMES) for monitor in ("accuracy", None))
    assert named.validation_scores_ == default.validation_scores_
    np.testing.assert_array_equal(named.coefs_[0], default.coefs_[0])
    values = X[:, 20] + X[:, 30]
    regressors = [
        MLPRegressor(early_stopping=True, random_state=0, max_iter=9, monitor=monitor)
        for monitor in ("r2", None)
    ]
    named, default = (model.fit(X, values) for model in regressors)
    assert named.validation_scores_ == pytest.approx(default.validation_scores_)


@ignore_convergence
def test_loss_is_minus_the_validation_loss() -> None:
    for model in (classifier(monitor="loss"), classifier(monitor="loss", solver="sgd")):
        for held_out in ({}, HELD_OUT):
            model.fit(X, NAMES, **held_out)
            losses = [-score for score in model.validation_scores_]
            assert losses == model.history_["val_loss"]
            assert -min(losses) == model.best_validation_score_


def test_training_stops_by_the_monitor() -> None:
    def falling(estimator: Any, X: Any, y: Any) -> float:
        return -float(estimator.n_iter_)

    model = classifier(monitor=falling, n_iter_no_change=3, max_iter=50)
    model.fit(X[:300], NAMES[:300], **HELD_OUT)
    assert model.n_iter_ == 5
    assert model.best_validation_score_ == -1.0
    one = classifier(early_stopping=False, max_iter=1, tol=0).fit(X[:300], NAMES[:300])
    np.testing.assert_array_equal(model.coefs_[0], one.coefs_[0])


@ignore_convergence
def test_a_function_sees_the_samples_as_they_were_given() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    seen: list[tuple[int, set[Any]]] = []

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        assert list(X.columns) == list(frame.columns)
        seen.append((len(X), set(y)))
        return float((estimator.predict(X) == y).mean())

    model = classifier(monitor=scorer, max_iter=3).fit(frame, NAMES)
    model.fit(frame[:300], NAMES[:300], X_val=frame[300:], y_val=NAMES[300:])
    assert [n for n, _ in seen] == [40] * 3 + [100] * 3
    assert set().union(*(labels for _, labels in seen)) == set(NAMES)
    assert model.best_validation_score_ == model.score(frame[300:], NAMES[300:])


@ignore_convergence
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_validation_data_are_scored_without_stopping(solver: str) -> None:
    model = classifier(monitor="f1_macro", early_stopping=False, solver=solver, max_iter=3)
    model.fit(X[:300], NAMES[:300], **HELD_OUT)
    assert len(model.history_["val_score"]) == 3
    last = get_scorer("f1_macro")(model, X[300:], NAMES[300:])
    assert model.history_["val_score"][-1] == pytest.approx(last)
    assert model.validation_scores_ is None


@ignore_convergence
def test_scores_of_one_monitor_say_nothing_of_another() -> None:
    model = classifier(warm_start=True, max_iter=6).fit(X, NAMES)
    model.set_params(monitor="neg_log_loss").fit(X, NAMES)
    assert len(model.validation_scores_) == 6
    assert model.best_validation_score_ == max(model.validation_scores_) < 0.0
    assert model.history_.n_epochs == 12


SCRIPT = """
import pickle, sys, warnings
from fastmlp import MLPClassifier
from fastmlp.data import load_digits

def named(estimator, X, y):
    return float(estimator.score(X, y)) + SHIFT

SHIFT = 1.0 - float(sys.argv[2])  # scores of a later process are lower
MONITORS = {"named": named, "lambda": lambda e, X, y: float(e.score(X, y)) + SHIFT}
warnings.simplefilter("ignore")
digits = load_digits()
X, y = digits.X_train[:200] / 16.0, digits.y_train[:200]
_, kind, later, path = sys.argv
if later == "0":
    model = MLPClassifier((5,), max_iter=3, early_stopping=True, warm_start=True, random_state=0)
    model.set_params(monitor=MONITORS[kind]).fit(X, y).set_params(monitor=None)
    open(path, "wb").write(pickle.dumps(model))
else:
    model = pickle.load(open(path, "rb"))
    before = [W.copy() for W in model.coefs_]
    model.set_params(monitor=MONITORS[kind]).fit(X, y)
    assert len(model.validation_scores_) == 6
    assert all((a == b).all() for a, b in zip(before, model.coefs_))  # they are the best ones
"""


@pytest.mark.parametrize("kind", ["named", "lambda"])
def test_best_weights_outlive_the_process(kind: str, tmp_path: Path) -> None:
    for later in "01":
        command = [sys.executable, "-c", SCRIPT, kind, later, str(tmp_path / "model.pickle")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _of(number: float) -> Any:
    return lambda estimator, X, y: number


def _mine(estimator: Any, X: Any, y: Any, beta: float = 1.0) -> float:
    return beta


def test_monitors_are_told_apart() -> None:
    lock, beta_2 = threading.Lock(), functools.partial(_mine, beta=2.0)
    monitors: list[Any] = [
        None,
        "loss",
        _mine,
        beta_2,
        functools.partial(_mine, beta=3.0),
        _of(1.0),
        _of(2.0),
        lambda estimator, X, y: 1.0,
        lambda estimator, X, y: float(len(y)),
        lambda estimator, X, y: float(max(y)),
        make_scorer(lambda y, p: 0.0),
        make_scorer(lambda y, p: 1.0),
        make_scorer(lambda y, p: lock),
        make_scorer(accuracy_score),
        make_scorer(balanced_accuracy_score),
    ]
    names = [identity(monitor) for monitor in monitors]
    assert len(set(names)) == len(names)
    for one in monitors[:5]:
        assert identity(pickle.loads(pickle.dumps(one))) == identity(one)
    assert identity(_of(1.0)) == identity(_of(1.0))
    assert identity(_of(lock)) != identity(_of(lock))  # type: ignore[arg-type]  # not known


@pytest.mark.parametrize("given", [True, False])
@ignore_convergence
def test_a_score_counts_samples_by_sample_weight_alone(given: bool) -> None:
    """As `score` does, also where classes weigh differently in learning."""
    seen: list[float] = []

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        seen.append(float(accuracy_score(y, estimator.predict(X))))
        return seen[-1]

    by_class = {label: float(1 + label) for label in range(10)}
    held_out: dict[str, Any] = {"X_val": X[300:], "y_val": Y[300:]} if given else {}
    models = [classifier(class_weight=by_class, monitor=monitor) for monitor in (None, scorer)]
    for model in models:
        model.fit(X[:300], Y[:300], **held_out)
    assert models[0].validation_scores_ == models[1].validation_scores_ == pytest.approx(seen)
    if not given:
        weighted = classifier(monitor=None).fit(X[:300], Y[:300], 1.0 + np.arange(300.0) % 7)
        plain = classifier(monitor="accuracy").fit(X[:300], Y[:300], 1.0 + np.arange(300.0) % 7)
        assert weighted.validation_scores_ != plain.validation_scores_


@ignore_convergence
def test_R2_of_one_sample_is_refused_where_it_would_decide() -> None:  # noqa: N802
    model = MLPRegressor(hidden_layer_sizes=(5,), early_stopping=True, max_iter=3, random_state=0)
    one = {"X_val": X[:1], "y_val": Y[:1]}
    with pytest.raises(ValueError, match=r"X_val and y_val have 1 sample, expected at least 2: R2"):
        model.fit(X, Y, **one)
    assert len(model.set_params(monitor="loss").fit(X, Y, **one).validation_scores_) == 3
    model.set_params(monitor=None, early_stopping=False).fit(X, Y, **one)
    assert np.isfinite(model.history_["val_loss"]).all()
    assert len(classifier(max_iter=2).fit(X, Y, **one).validation_scores_) == 2


@ignore_convergence
def test_clone_pickle_and_search() -> None:
    model = classifier(monitor=make_scorer(balanced_accuracy_score), max_iter=2)
    again = pickle.loads(pickle.dumps(clone(model).fit(X, NAMES)))
    assert again.predict(X).shape == NAMES.shape
    monitors = {"monitor": [None, "loss", "f1_macro"]}
    search = GridSearchCV(classifier(max_iter=2), monitors, cv=2, error_score="raise")
    assert search.fit(X, NAMES).best_estimator_.n_iter_ == 2


@ignore_convergence
def test_a_model_with_a_monitor_is_saved_with_its_history(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    model = classifier(monitor="f1_macro", warm_start=True, max_iter=3).fit(X, NAMES)
    model.set_params(early_stopping=False, monitor=None).fit(X, NAMES)
    model.set_params(early_stopping=True, monitor="loss").fit(X, NAMES)
    model.save(tmp_path / "model.safetensors", card=True)
    again = fastmlp.load(tmp_path / "model.safetensors")
    assert repr(again.history_) == repr(model.history_)
    assert again.history_.n_epochs == 9
    for one in (model, again):
        one.fit(X, NAMES)
    assert again.validation_scores_ == model.validation_scores_
    assert len(again.validation_scores_) == 6
    model.set_params(monitor=lambda estimator, X, y: 0.5).fit(X, NAMES)
    with pytest.raises(
        ValueError, match=r"monitor=<function .* cannot be saved .* set_params\(mon"
    ):
        model.save(tmp_path / "other.safetensors")
    model.set_params(monitor=None).save(tmp_path / "other.safetensors")


# --- what goes wrong ---


def test_a_monitor_needs_samples() -> None:
    with pytest.raises(ValueError, match=r"monitor='loss' has no samples .* early_stopping=True, "):
        classifier(monitor="loss", early_stopping=False).fit(X, Y)
    with pytest.raises(ValueError, match=r"early_stopping=True \(solver='lbfgs' ignores it\), or"):
        classifier(monitor="loss", solver="lbfgs").fit(X, Y)
    with pytest.raises(ValueError, match=r"monitor='f1_marco' is unknown \(did you mean 'f1_mac"):
        classifier(monitor="f1_marco").fit(X, Y)
    with pytest.raises(ValueError, match=r"'monitor' parameter .* Got 3"):
        classifier(monitor=3).fit(X, Y)


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (lambda model, X, y: 1 / 0, r"raised ZeroDivisionError on .* in epoch 1: division by zero"),
        (lambda model, X, y: X[0], r"gave array.*, expected a number, and TypeError on the valid"),
        ("roc_auc", r"monitor='roc_auc' raised ValueError on the validation samples in epoch 1"),
    ],
)
def test_a_scorer_that_fails_is_named(scorer: Any, message: str) -> None:
    model = classifier(monitor=scorer)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)
    assert model.n_iter_ == 1
    assert model.predict(X).shape == Y.shape


def test_scores_that_are_no_numbers_neither_stop_nor_are_best() -> None:
    def scorer(estimator: Any, X: Any, y: Any) -> float:
        return {3: 0.5, 6: 0.4}.get(estimator.n_iter_, float("nan"))

    model = classifier(monitor=scorer, n_iter_no_change=1, max_iter=9)
    with pytest.warns(ConvergenceWarning, match="max_iter=9 epochs"):
        model.fit(X[:300], NAMES[:300], **HELD_OUT)
    assert (model.n_iter_, model.best_validation_score_) == (9, 0.5)
    three = classifier(early_stopping=False, max_iter=3, tol=0).fit(X[:300], NAMES[:300])
    np.testing.assert_array_equal(model.coefs_[0], three.coefs_[0])


@pytest.mark.parametrize("has_score", [True, False])
def test_a_training_that_diverges_warns_once_and_keeps_what_it_has(has_score: bool) -> None:
    def scorer(estimator: Any, X: Any, y: Any) -> float:
        return float(estimator.n_iter_ == 1) if has_score else float("nan")

    model = MLPRegressor(
        "squared_error",
        (9,),
        "identity",
        solver="sgd",
        learning_rate_init=1e3,
        early_stopping=True,
        random_state=0,
        monitor=scorer,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y)
    (warning,) = [w for w in caught if w.category is ConvergenceWarning]
    kept = "best weights before" if has_score else f"weights of epoch {model.n_iter_}"
    assert f"diverged in epoch {model.n_iter_ + 1} " in str(warning.message)
    assert f"The {kept} are kept." in str(warning.message)
    assert all(np.isfinite(W).all() for W in model.coefs_)


def test_no_samples_for_validation() -> None:
    with pytest.raises(ValueError, match=r"validation_fraction=0.0 of 400 samples are 0 for valid"):
        classifier(validation_fraction=0.0).fit(X, Y)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_lbfgs_without_a_finite_loss_says_so() -> None:
    model = MLPRegressor(solver="lbfgs", dtype="float32", random_state=0)
    with pytest.raises(DivergenceError, match=r"lbfgs found no finite loss in iteration 1 .*Scale"):
        model.fit(X, 1e30 * Y)
    assert not hasattr(model, "coefs_")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_estimator_that_a_scorer_keeps_stays_that_of_its_epoch() -> None:
    kept: list[Any] = []
    answers: list[Any] = []

    def scorer(estimator: Any, X_part: Any, y_part: Any) -> float:
        kept.append(estimator)
        answers.append(estimator.predict_proba(X[:5]))
        return float(estimator.score(X_part, y_part))

    MLPClassifier((5,), max_iter=4, tol=0, early_stopping=True, monitor=scorer).fit(X, Y)
    assert len(kept) == 4
    for number, (estimator, answer) in enumerate(zip(kept, answers, strict=True), start=1):
        np.testing.assert_array_equal(estimator.predict_proba(X[:5]), answer)
        assert len(estimator.history_["loss"]) == estimator.n_iter_ == number
    assert not np.allclose(answers[0], answers[-1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_one_weight_for_all_samples_is_taken_with_a_monitor() -> None:
    model = MLPClassifier((5,), max_iter=2, early_stopping=True, monitor="accuracy")
    assert len(model.fit(X, Y, sample_weight=2.0).validation_scores_) == 2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Constructing a DIA matrix")  # what this test is about
@pytest.mark.parametrize("format_", ["bsr", "coo", "csr", "dia"])
def test_scorers_see_rows_of_any_sparse_format(format_: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    seen: list[Any] = []

    def scorer(estimator: Any, X_part: Any, y_part: Any) -> float:
        seen.append(X_part)
        return float(estimator.score(X_part, y_part))

    model = MLPClassifier((5,), max_iter=2, early_stopping=True, monitor=scorer, random_state=0)
    model.fit(sparse.csr_matrix(X).asformat(format_), Y)
    dense = MLPClassifier((5,), max_iter=2, early_stopping=True, monitor=scorer, random_state=0)
    dense.fit(X, Y)
    np.testing.assert_array_equal(seen[0].toarray(), seen[-1])
    assert model.validation_scores_ == dense.validation_scores_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_weights_that_were_best_by_another_monitor_do_not_come_back() -> None:
    def no_score(estimator: Any, X_part: Any, y_part: Any) -> float:
        return float("nan")

    model = MLPClassifier(
        (5,), max_iter=3, early_stopping=True, monitor="accuracy", warm_start=True, random_state=0
    ).fit(X, Y)
    best = [W.copy() for W in model.coefs_]
    model.set_params(monitor=no_score).fit(X, Y)
    assert any((a != b).any() for a, b in zip(model.coefs_, best, strict=True))
