"""The doctor: silent beside healthy trainings, and a patient for every illness that it knows."""

from __future__ import annotations

import re
import warnings
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.backends import backend_status
from fastmlp.callbacks import Finding, TrainingAdvice, TrainingDoctor
from fastmlp.callbacks import symptoms as known_symptoms
from fastmlp.data import load_digits

DIGITS = load_digits()
X, Y = DIGITS.X_train / 16.0, DIGITS.y_train
HELD_OUT = {"X_val": DIGITS.X_test / 16.0, "y_val": DIGITS.y_test}
RNG = np.random.default_rng(0)
NOISY_X = RNG.normal(size=(120, 20))
NOISY_Y = (NOISY_X[:, 0] + 2.0 * RNG.normal(size=120) > 0).astype(int)
SETTINGS = MLPClassifier().get_params()


def findings(model: Any, X: Any, y: Any, **held_out: Any) -> dict[str, Finding]:
    doctor = TrainingDoctor()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.set_params(random_state=0).set_callbacks(doctor).fit(X, y, **held_out)
    names = [finding.name for finding in doctor.findings_]
    assert len(set(names)) == len(names)
    return dict(zip(names, doctor.findings_, strict=True))


HEALTHY: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "digits by default": (MLPClassifier(), X, Y, {}),
    "digits by default, validated": (MLPClassifier(), X, Y, HELD_OUT),
    "digits as bytes": (MLPClassifier(), DIGITS.X_train, Y, {}),
    "early stopping": (MLPClassifier(early_stopping=True), X, Y, {}),
    "sgd": (MLPClassifier(solver="sgd", learning_rate_init=0.1, max_iter=60), X, Y, HELD_OUT),
    "slow to begin": (MLPClassifier((50,) * 3, "logistic", max_iter=100), X, Y, {}),
    "several layers": (MLPClassifier((100, 100, 50)), X, Y, HELD_OUT),
    "several labels": (MLPClassifier(), X, np.stack([Y > 4, Y < 2], axis=1).astype(int), {}),
    "linear": (MLPClassifier((), max_iter=50), X, Y, {}),
    "regression": (MLPRegressor(), X, X[:, 10] + 2.0 * X[:, 20], {}),
    "fast, and many units die": (MLPClassifier(learning_rate_init=0.1, max_iter=100), X, Y, {}),
    "fast with dropout": (
        MLPClassifier((100, 50), learning_rate_init=0.03, dropout=0.5, max_iter=40),
        X,
        Y,
        {},
    ),
    "few samples with dropout": (
        MLPClassifier(dropout=0.5, learning_rate_init=0.01, max_iter=60),
        X[:100],
        Y[:100],
        {},
    ),
    "slow, but on its way": (MLPClassifier(learning_rate_init=1e-4, max_iter=100), X, Y, {}),
}


@pytest.mark.parametrize("case", HEALTHY)
def test_no_false_alarm(case: str) -> None:
    model, features, targets, held_out = HEALTHY[case]
    assert findings(model, features, targets, **held_out) == {}


ILL: dict[str, list[tuple[Any, Any, Any, dict[str, Any], str]]] = {
    "dead_units": [
        (
            MLPClassifier(learning_rate_init=0.1, max_iter=3),
            X,
            Y,
            {},
            r"\d\d of 100 units of hidden layer 1 never fire .*Lower learning_rate_init=0.1, scale",
        )
    ],
    "vanishing_gradients": [
        (
            MLPClassifier((20,) * 8, "logistic", max_iter=3),
            X,
            Y,
            {},
            r"in the first, .* \(activation='logistic', 8 hidden layers\)\. Take activation='relu'",
        )
    ],
    "exploding_gradients": [
        (MLPRegressor(max_iter=3), X, 1e5 * Y, {}, r"The gradient of layer \d is .* Scale X, and y")
    ],
    "unscaled_inputs": [
        (
            MLPClassifier(max_iter=3),
            np.where(np.arange(64) == 20, 1000.0 * X, X),
            Y,
            {},
            r"1 of 64 columns of X have large values \(column 20: .*StandardScaler",
        ),
        (MLPClassifier((9,), "tanh", max_iter=3), 1e-4 * X, Y, {}, r"No value of X is larger than"),
    ],
    "high_learning_rate": [
        (
            MLPClassifier((50,), "tanh", solver="sgd", learning_rate_init=1.0, max_iter=5),
            X,
            Y,
            {},
            r"The loss has risen from .*Lower learning_rate_init=1, by a factor",
        ),
        (
            MLPClassifier(learning_rate_init=0.02, batch_size=10, max_iter=20),
            X,
            Y,
            {},
            r"The loss swings between",
        ),
    ],
    "low_learning_rate": [
        (
            MLPClassifier(learning_rate_init=rate, solver=solver, dropout=dropout, max_iter=100),
            X,
            Y,
            {},
            rf"The loss has only come from 2.* Raise learning_rate_init={rate:g}, by .* scale X",
        )
        for rate, solver, dropout in [(3e-5, "adam", 0.0), (1e-5, "adam", 0.5), (1e-4, "sgd", 0.2)]
    ],
    "one_class": [
        (
            MLPClassifier(max_iter=6),
            X,
            np.arange(len(X)) % 30 == 0,
            {},
            r"all of 1000 samples are .* of class number 0\. .*class_weight='balanced'",
        ),
        (MLPClassifier((9,), "tanh", learning_rate_init=1e-9, max_iter=6), X - 9.0, Y, {}, "class"),
    ],
    "overtraining": [
        (
            MLPClassifier((200,), max_iter=120, alpha=0.0),
            NOISY_X[:60],
            NOISY_Y[:60],
            {"X_val": NOISY_X[60:], "y_val": NOISY_Y[60:]},
            r"The validation loss was best \d+ epochs ago .*Set early_stopping=True, raise dropout",
        )
    ],
}


@pytest.mark.parametrize(
    ("name", "patient"), [(name, patient) for name, cases in ILL.items() for patient in cases]
)
def test_every_illness_is_seen(name: str, patient: Any) -> None:
    model, features, targets, held_out, text = patient
    doctor = TrainingDoctor()
    model.set_params(random_state=0).set_callbacks(doctor)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(features, targets, **held_out)
    found = {finding.name: finding for finding in doctor.findings_}
    assert name in found, found
    advice = [w for w in caught if w.category is TrainingAdvice]
    assert [str(w.message) for w in advice] == [str(finding) for finding in doctor.findings_]
    assert {w.filename for w in advice} == {__file__}
    (message,) = [str(w.message) for w in advice if str(w.message) == str(found[name])]
    assert re.search(text, message), message
    with pytest.raises(FrozenInstanceError):
        found[name].epoch = 0  # type: ignore[misc]


def test_every_name_of_the_list_has_a_patient() -> None:
    assert known_symptoms.Finding.__doc__ is not None
    assert all(f'"{name}"' in known_symptoms.Finding.__doc__ for name in ILL)


def test_noise_of_dropout_is_no_swing() -> None:
    losses = [2.0, 1.5, 1.0, 1.06, 0.98, 1.04, 0.97, 1.03, 0.95]  # rises of 3 % of the first loss
    assert known_symptoms.high_learning_rate(losses, SETTINGS) is not None
    for choice in ({"dropout": [0.0, 0.5]}, {"input_dropout": 0.2}, {"augmentation": "moves"}):
        assert known_symptoms.high_learning_rate(losses, {**SETTINGS, **choice}) is None
    wild = [2.0, 1.5, 1.0, 1.2, 0.98, 1.2, 0.97, 1.2, 0.95]
    assert known_symptoms.high_learning_rate(wild, {**SETTINGS, "dropout": 0.5}) is not None


def test_a_training_of_its_own_begins_with_no_findings() -> None:
    doctor = TrainingDoctor(every=1, n_rows=50)
    model = MLPClassifier((9,), "tanh", max_iter=2, tol=0, random_state=0).set_callbacks(doctor)
    with pytest.warns(TrainingAdvice, match="large values"):
        model.fit(1e4 * X, Y)
    model.fit(X, Y)
    assert doctor.findings_ == []


def test_findings_are_told_of_a_training_that_diverges() -> None:
    doctor = TrainingDoctor()
    model = MLPRegressor(
        "squared_error", (9,), "identity", solver="sgd", learning_rate_init=1e3, random_state=0
    )
    with pytest.warns(TrainingAdvice), pytest.raises(ValueError, match="diverged"):
        model.set_callbacks(doctor).fit(X[:400], Y[:400])
    assert doctor.findings_


@pytest.mark.parametrize("name", ["numpy", "jax", "torch"])
def test_backends_are_looked_at_alike(name: str) -> None:
    status = backend_status(name)
    if not status.available:
        pytest.skip(status.reason)
    for dtype in ("float32", "float64"):
        model = MLPClassifier(learning_rate_init=0.1, max_iter=2, backend=name, dtype=dtype)
        text = findings(model, DIGITS.X_train, Y)["dead_units"].text
        assert int(text.split()[0]) > 33


@pytest.mark.parametrize("name", ["every", "n_rows"])
@pytest.mark.parametrize("value", [0, None, 1.5, "2", True])
def test_bad_argument(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name}={value!r} must be a whole number above 0\."):
        TrainingDoctor(**{name: value})
