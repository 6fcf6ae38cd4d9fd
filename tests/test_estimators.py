"""The estimators: scikit-learn's numbers, every backend's arrays, and what users do wrong."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.backends import BackendUnavailableError, backend_status, get_backend
from fastmlp.data import load_digits
from fastmlp.estimators import settings
from fastmlp.training import DivergenceError, Epoch, Trainer

DIGITS = load_digits()
X = DIGITS.X_train[:400] / 16.0
Y = DIGITS.y_train[:400]
TARGETS = {
    "multiclass": Y,
    "text": np.asarray([f"digit {label}" for label in Y]),
    "binary": (Y > 4).astype(int),
    "multilabel": np.stack([Y > 4, Y % 2 == 0], axis=1).astype(int),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "batch_size": 64},
    "sgd": {"solver": "sgd", "momentum": 0.0, "alpha": 0.1},
    "full batch": {"solver": "sgd", "batch_size": 400, "shuffle": False},
    "deep tanh": {"activation": "tanh", "hidden_layer_sizes": (20, 10), "alpha": 0.0},
    "logistic": {"activation": "logistic"},
    "linear": {"hidden_layer_sizes": ()},
}
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # trainings here are short on purpose
)


def installed(name: str) -> Any:
    status = backend_status(name)
    return pytest.param(name, marks=pytest.mark.skipif(not status.available, reason=status.reason))


BACKENDS = [installed(name) for name in ("numpy", "jax", "torch", "cupy")]


@ignore_convergence
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_classifier_equals_scikit_learn(setting: str, target: str) -> None:
    choices = {"random_state": 3, "max_iter": 8, **SETTINGS[setting]}
    theirs = neural_network.MLPClassifier(**choices).fit(X, TARGETS[target])
    ours = MLPClassifier(**choices).fit(X, TARGETS[target])
    for a, b in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-12)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(ours, name) == getattr(theirs, name)


@ignore_convergence
@pytest.mark.parametrize("y", [Y * 1.0, X[:, 20:23]], ids=["one output", "three outputs"])
def test_regressor_equals_scikit_learn(y: Any) -> None:
    choices: dict[str, Any] = {"random_state": 3, "max_iter": 8}
    theirs = neural_network.MLPRegressor(**choices).fit(X, y)
    ours = MLPRegressor(**choices).fit(X, y)
    for a, b in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-10)


def test_training_stops_where_scikit_learn_stops() -> None:
    choices: dict[str, Any] = {"random_state": 0, "max_iter": 300, "tol": 1e-2}
    theirs = neural_network.MLPClassifier(**choices).fit(X, Y)
    ours = MLPClassifier(**choices).fit(X, Y)
    assert ours.n_iter_ == theirs.n_iter_ < 300
    assert ours.best_loss_ == pytest.approx(theirs.best_loss_, rel=1e-9)


@ignore_convergence
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_backends_learn_the_same(backend: str, dtype: str, tolerance: float) -> None:
    # tanh has no kink: a rounding cannot switch a unit on or off
    choices: dict[str, Any] = {"max_iter": 5, "random_state": 1, "activation": "tanh"}
    oracle = MLPClassifier(**choices, backend="numpy", dtype="float64").fit(X, Y)
    model = MLPClassifier(**choices, backend=backend, dtype=dtype).fit(X, Y)
    for a, b in zip(model.coefs_, oracle.coefs_, strict=True):
        assert a.dtype == dtype
        assert np.linalg.norm(a - b) <= tolerance * np.linalg.norm(b)


@ignore_convergence
@pytest.mark.parametrize("name", BACKENDS[1:])
def test_an_array_decides_by_itself_and_answers_in_kind(name: str) -> None:
    backend = get_backend(name)
    device_X = backend.to_device(X, "float32")
    model = MLPClassifier(max_iter=2, random_state=0).fit(device_X, backend.to_device(Y, "int32"))
    assert model.coefs_[0].dtype == np.float32
    assert type(model.predict_proba(device_X)) is type(device_X)
    assert type(model.predict(device_X)) is type(device_X)
    assert isinstance(model.predict(X), np.ndarray)
    np.testing.assert_array_equal(backend.to_host(model.predict(device_X)), model.predict(X))


@ignore_convergence
def test_host_data_takes_the_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTMLP_BACKEND", "cupy-of-tomorrow")
    with pytest.raises(ValueError, match=r"FASTMLP_BACKEND='cupy-of-tomorrow' names no backend"):
        MLPClassifier().fit(X, Y)
    MLPClassifier(backend="numpy", max_iter=1).fit(X, Y)


@ignore_convergence
def test_dtype_follows_the_input() -> None:
    kinds = {np.float32: "float32", np.float64: "float64", np.uint8: "float64", np.int32: "float64"}
    for kind, dtype in kinds.items():
        model = MLPClassifier(max_iter=1).fit(DIGITS.X_train[:50].astype(kind), Y[:50])
        assert model.coefs_[0].dtype == dtype


@ignore_convergence
def test_bytes_are_taken_at_face_value() -> None:
    as_bytes, as_floats = DIGITS.X_train[:100], DIGITS.X_train[:100].astype(float)
    models = [
        MLPClassifier(max_iter=3, random_state=0).fit(x, Y[:100]) for x in (as_bytes, as_floats)
    ]
    np.testing.assert_array_equal(models[0].coefs_[0], models[1].coefs_[0])


@ignore_convergence
def test_history_holds_training_and_validation() -> None:
    model = MLPClassifier(max_iter=4, random_state=0)
    model.fit(X[:300], Y[:300], X_val=X[300:], y_val=Y[300:])
    names = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_s"}
    assert set(model.history_) == names
    assert {len(values) for values in model.history_.values()} == {4}
    assert model.history_["val_accuracy"][-1] == pytest.approx(model.score(X[300:], Y[300:]))
    regressor = MLPRegressor(max_iter=4).fit(X, Y, X_val=X, y_val=Y)
    assert set(regressor.history_) == {"loss", "val_loss", "learning_rate", "epoch_s"}


@ignore_convergence
def test_validation_data_teach_nothing() -> None:
    alone = MLPClassifier(max_iter=3, random_state=0).fit(X, Y)
    watched = MLPClassifier(max_iter=3, random_state=0).fit(X, Y, X_val=X[:50], y_val=Y[:50])
    np.testing.assert_array_equal(alone.coefs_[0], watched.coefs_[0])


@ignore_convergence
def test_progress_bar_is_shown_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    MLPClassifier(max_iter=3, verbose=True).fit(X, Y)
    shown = capsys.readouterr()
    assert "3/3" in shown.err
    assert "accuracy" in shown.err
    assert shown.out == ""


@ignore_convergence
def test_answers_stay_those_of_the_training_when_parameters_change() -> None:
    values = X[:, 0] + X[:, 1]
    model = MLPRegressor("poisson", (7,), "tanh", random_state=0, max_iter=3).fit(X, values)
    expected = model.predict(X)
    model.set_params(loss="squared_error", hidden_layer_sizes=(3, 3), activation="relu")
    assert np.array_equal(model.predict(X), expected)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict(X), expected)
    assert copy.out_activation_ == model.out_activation_ == "exp"
    model.fit(X, values)
    assert model.out_activation_ == "identity"


@pytest.mark.parametrize("sizes", [(5.9,), ((3,), (4,)), 0, (3, -1), "7"])
def test_sizes_are_whole_numbers(sizes: Any) -> None:
    with pytest.raises(ValueError, match=r"hidden_layer_sizes"):
        MLPClassifier(sizes).fit(X, Y)


@ignore_convergence
def test_pickle_clone_and_search() -> None:
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert clone(MLPClassifier(backend=get_backend("numpy"))).backend is get_backend("numpy")
    search = GridSearchCV(MLPClassifier(max_iter=2), {"alpha": [0.0, 1.0]}, cv=2).fit(X, Y)
    assert search.best_params_["alpha"] in (0.0, 1.0)


def test_divergence_names_the_epoch_and_keeps_the_last_weights() -> None:
    # no ReLU: dead units would end the divergence
    model = MLPRegressor(
        "squared_error", (9,), "identity", solver="sgd", learning_rate_init=1e3, random_state=0
    )
    message = r"diverged in epoch \d+ .*smaller learning rate than 1000"
    with pytest.raises(DivergenceError, match=message):
        model.fit(X, Y)
    assert all(np.isfinite(np.asarray(W)).all() for W in model.coefs_)
    assert len(model.loss_curve_) == model.n_iter_
    with pytest.raises(ValueError, match="weights of a training that diverged, are too large"):
        model.predict(X)


def test_a_first_fit_that_learns_nothing_leaves_an_estimator_that_is_not_fitted() -> None:
    model = MLPClassifier((5,), "identity", solver="sgd", learning_rate_init=1e300)
    with pytest.raises(DivergenceError, match="diverged in epoch 1 "):
        model.fit(1e3 * X, Y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert set(vars(model)) == set(vars(MLPClassifier()))


@ignore_convergence
def test_lbfgs_looks_at_validation_data() -> None:
    model = MLPClassifier(solver="lbfgs", max_iter=5, random_state=0)
    model.fit(X[:300], Y[:300], X_val=X[300:], y_val=Y[300:])
    assert {len(values) for values in model.history_.values()} == {5}
    assert model.history_["val_accuracy"][-1] == pytest.approx(model.score(X[300:], Y[300:]))


def test_a_loss_that_rose_is_no_silence() -> None:
    model = MLPRegressor(
        "squared_error", (9,), "identity", solver="sgd", learning_rate_init=0.5, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match=r"rose from .* learning_rate_init=0.5 is too"):
        model.set_params(max_iter=2, momentum=0.0).fit(X, 1e3 * Y)


@pytest.mark.filterwarnings("error")
def test_all_epochs_were_asked_for() -> None:
    assert MLPClassifier(max_iter=3, tol=0.0, random_state=0).fit(X, Y).n_iter_ == 3


@ignore_convergence
def test_a_fitted_model_says_what_it_ran_on() -> None:
    model = MLPClassifier(max_iter=1).fit(X, Y)
    assert (model.backend_, model.device_) == ("numpy", "cpu")


def test_ctrl_c_keeps_the_last_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Trainer):
        def run(self, X: Any, y: Any, orders: Any, on_epoch: Any = None, **how: Any) -> None:
            def press(epoch: Epoch) -> None:
                on_epoch(epoch)
                if epoch.epoch == 2:
                    raise KeyboardInterrupt

            super().run(X, y, orders, press, **how)

    monkeypatch.setattr(settings, "Trainer", Interrupted)
    with pytest.warns(UserWarning, match="weights of epoch 2 are kept"):
        model = MLPClassifier(random_state=0).fit(X, Y)
    monkeypatch.undo()
    with pytest.warns(ConvergenceWarning, match="max_iter=2 epochs are done before the loss"):
        two = MLPClassifier(random_state=0, max_iter=2).fit(X, Y)
    np.testing.assert_array_equal(model.coefs_[0], two.coefs_[0])


BAD_PARAMETERS: list[tuple[dict[str, Any], str]] = [
    (
        {"hidden_layer_sizes": (10, 0)},
        r"hidden_layer_sizes=\(10, 0\) must hold whole numbers of at least 1",
    ),
    ({"activation": "sigmoid"}, r"'activation' parameter .* Got 'sigmoid'"),
    ({"solver": "adagrad"}, r"'solver' parameter .* Got 'adagrad'"),
    ({"alpha": -1.0}, r"'alpha' parameter .* Got -1.0"),
    ({"batch_size": 0}, r"'batch_size' parameter .* Got 0"),
    ({"learning_rate_init": 0.0}, r"'learning_rate_init' parameter .* Got 0.0"),
    ({"max_iter": 0}, r"'max_iter' parameter .* Got 0"),
    ({"momentum": 2}, r"'momentum' parameter .* Got 2"),
    ({"dtype": "float16"}, r"'dtype' parameter .* Got 'float16'"),
    ({"backend": "nunpy"}, r"backend='nunpy' is unknown, expected one of \['numpy', 'jax'"),
]


REFITS: list[tuple[dict[str, Any], Any, Any]] = [
    ({}, X, Y[:-1]),
    ({"hidden_layer_sizes": (0,)}, X, Y + 10),
    ({}, X[:, :5], np.where(Y > 4, np.nan, 1.0)),
    ({"solver": "sgd", "learning_rate_init": 1e300, "activation": "identity"}, X, Y % 3),
]


@ignore_convergence
@pytest.mark.parametrize(("change", "new_X", "new_y"), REFITS)
def test_a_refit_that_fails_leaves_the_model_as_it_was(
    change: dict[str, Any], new_X: Any, new_y: Any
) -> None:
    model = MLPClassifier(max_iter=2, random_state=0).fit(X, Y)
    before = model.predict_proba(X), model.predict(X)
    with pytest.raises((ValueError, DivergenceError)):
        model.set_params(**change).fit(new_X, new_y)
    np.testing.assert_array_equal(model.predict_proba(X), before[0])
    np.testing.assert_array_equal(model.predict(X), before[1])


@pytest.mark.parametrize(("parameters", "message"), BAD_PARAMETERS)
def test_bad_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**parameters).fit(X, Y)


NAN = X.copy()
NAN[3, 4] = np.nan
BAD_DATA: list[tuple[Any, Any, str]] = [
    (X[:0], Y[:0], "0 sample"),
    (X, Y[:-1], "inconsistent numbers of samples"),
    (NAN, Y, "NaN"),
    (np.where(np.isnan(NAN), np.inf, NAN), Y, "infinity"),
    (X[0], Y, "Expected 2D array"),
    (X[None], Y, "dim 3"),
    (X, np.where(Y > 4, np.nan, 1.0), "NaN"),
    (X, X[:, 0] + 0.5, "Unknown label type"),
    (np.ma.masked_less(X, 0.5), Y, "X has masked values"),
    (X, np.ma.masked_less(Y, 3), "y has masked values"),
    (X.astype("M8[D]"), Y, "X has dtype datetime64"),
    (X.astype(str), Y, "X has dtype <U"),
    (X, 255 * TARGETS["multilabel"], "expected label indicators, 0 or 1"),
]


@pytest.mark.parametrize(("bad_X", "bad_y", "message"), BAD_DATA)
def test_bad_data(bad_X: Any, bad_y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPClassifier().fit(bad_X, bad_y)


@ignore_convergence
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_outputs_beyond_the_dtype() -> None:
    model = MLPClassifier(max_iter=1, dtype="float32").fit(X, Y)
    with pytest.raises(
        ValueError, match=r"outputs are not finite: X, .* too large for dtype float32"
    ):
        model.predict(1e300 * X)


def test_regressor_takes_numbers_only() -> None:
    with pytest.raises(ValueError, match="y has dtype datetime64"):
        MLPRegressor().fit(X, Y.astype("M8[D]"))


@ignore_convergence
def test_bad_use() -> None:
    model = MLPClassifier(max_iter=1)
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match="give both, or neither"):
        model.fit(X, Y, X_val=X)
    with pytest.raises(ValueError, match=r"X_val, y_val: y has the labels \[11\]"):
        model.fit(X, Y, X_val=X[:1], y_val=[11])
    with pytest.raises(ValueError, match="63 features"):
        model.fit(X, Y).predict(X[:, 1:])
    with pytest.warns(UserWarning, match="batch_size=500 is more than the 400 samples"):
        MLPClassifier(max_iter=1, batch_size=500).fit(X, Y)
    if not backend_status("cupy").available:
        with pytest.raises(BackendUnavailableError, match="backend 'cupy' is not available"):
            MLPClassifier(backend="cupy").fit(X, Y)


@ignore_convergence
def test_sparse_indicators_are_taken_as_dense_ones() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    indicators = TARGETS["multilabel"]
    dense = MLPClassifier(max_iter=3, random_state=0).fit(X, indicators)
    filled = MLPClassifier(max_iter=3, random_state=0).fit(X, sparse.csr_matrix(indicators))
    np.testing.assert_array_equal(filled.predict(X), dense.predict(X))


@pytest.mark.parametrize("weight", [1e38, 1e-45])
def test_weights_whose_sum_the_dtype_cannot_hold_are_refused(weight: float) -> None:
    model = MLPClassifier(dtype="float32")
    with pytest.raises(ValueError, match=r"weights sum to .*, which float32 cannot hold"):
        model.fit(X, Y, sample_weight=np.full(len(X), weight))


@ignore_convergence
def test_bfloat16_of_a_device_is_learnt_from() -> None:
    numpy = pytest.importorskip("jax.numpy")
    values = numpy.asarray(X, dtype=numpy.bfloat16)
    model = MLPClassifier(max_iter=3, random_state=0, alpha=0.1).fit(values, Y)
    same = MLPClassifier(max_iter=3, random_state=0, alpha=0.1)
    same.fit(np.asarray(values.astype("float32"), dtype=np.float64), Y)
    np.testing.assert_allclose(model.coefs_[0], same.coefs_[0], rtol=1e-6, atol=1e-9)


CONTRACT = [
    pytest.param(
        estimator,
        check,
        id=f"{type(estimator).__name__}-{backend}-{check.func.__name__}",
        marks=installed(backend).marks,
    )
    for kind in (MLPClassifier, MLPRegressor)
    for backend, dtype in (("numpy", None), ("jax", "float64"))
    for estimator, check in estimator_checks_generator(
        kind(max_iter=50, backend=backend, dtype=dtype)
    )
]


@ignore_convergence
@pytest.mark.parametrize(("estimator", "check"), CONTRACT)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)
