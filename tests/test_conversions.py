"""To scikit-learn and back: the same outputs, and trainings that go on."""

from __future__ import annotations

import pickle
from itertools import product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.data import load_digits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
DIGITS = load_digits()
X, Y = DIGITS.X_train[:150] / 16.0, DIGITS.y_train[:150].astype(np.int64)
TARGETS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "multiclass": (MLPClassifier, Y, {}),
    "text": (MLPClassifier, np.asarray([f"digit {label}" for label in Y]), {}),
    "binary": (MLPClassifier, (Y > 4).astype(int), {}),
    "multilabel": (MLPClassifier, np.stack([Y > 4, Y % 2 == 0, Y == 3], axis=1).astype(int), {}),
    "values": (MLPRegressor, X[:, 20], {}),
    "three values": (MLPRegressor, X[:, 20:23], {}),
    "counts": (MLPRegressor, Y, {"loss": "poisson"}),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {},
    "nesterov": {"solver": "sgd", "learning_rate": "invscaling", "activation": "tanh"},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "activation": "logistic"},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
    "stalled": {"tol": 1.0, "n_iter_no_change": 7},
    "sgd": {"solver": "sgd", "momentum": 0.0, "hidden_layer_sizes": ()},
    "early": {"early_stopping": True, "hidden_layer_sizes": (7, 5)},
    "lbfgs": {"solver": "lbfgs", "activation": "identity"},
}
CHOICES: dict[str, Any] = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 3}
TRAINED_ON = ("coefs_", "intercepts_", "loss_curve_", "validation_scores_")
# scikit-learn 1.7 itself cannot stop early on text
PAIRS = [pair for pair in product(SETTINGS, TARGETS) if pair != ("early", "text")]
every_pair = pytest.mark.parametrize(("setting", "target"), PAIRS)


def trained(target: str, **settings: Any) -> Any:
    kind, y, needed = TARGETS[target]
    return kind(**{**CHOICES, **needed, **settings}).fit(X, y)


def outputs(model: Any) -> Any:
    """Probabilities or values, (n, n_outputs or 2)."""
    found = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    return np.reshape(found, (X.shape[0], -1))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def assert_alike(a: Any, b: Any) -> None:
    np.testing.assert_allclose(outputs(a), outputs(b), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(a.predict(X).shape, b.predict(X).shape)
    if hasattr(a, "classes_"):
        np.testing.assert_array_equal(a.predict(X), b.predict(X))


def assert_go_on_alike(a: Any, b: Any, y: Any) -> None:
    """Train both on, by parts and by a warm start: the same weights and losses."""
    for one in (a, b):
        if one.solver != "lbfgs" and not one.early_stopping:
            one.partial_fit(X[:70], y[:70]).partial_fit(X[70:], y[70:])
        one.set_params(warm_start=True).fit(X, y)
    assert_alike(a, b)
    for name in TRAINED_ON:
        ours, theirs = getattr(a, name, None), getattr(b, name, None)
        if ours is not None and theirs is not None:
            for left, right in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-11)


@every_pair
def test_scikit_learn_goes_on_with_ours(setting: str, target: str) -> None:
    ours = trained(target, **SETTINGS[setting])
    theirs = ours.to_sklearn()
    assert type(theirs) is getattr(neural_network, type(ours).__name__)
    assert_alike(theirs, ours)
    assert_alike(pickle.loads(pickle.dumps(theirs)), ours)
    assert not hasattr(clone(theirs), "coefs_")
    y = TARGETS[target][1]
    assert theirs.score(X, y) == pytest.approx(ours.score(X, y), rel=1e-12)
    assert_go_on_alike(theirs, ours, y)


@every_pair
def test_ours_goes_on_with_scikit_learns(setting: str, target: str) -> None:
    kind, y, needed = TARGETS[target]
    theirs = getattr(neural_network, kind.__name__)(**{**CHOICES, **needed, **SETTINGS[setting]})
    ours = kind.from_sklearn(theirs.fit(X, y))
    assert_alike(ours, theirs)
    assert_alike(kind.from_sklearn(ours.to_sklearn()), theirs)
    if setting != "early":  # scikit-learn trains its best weights on, see docs/scikit-learn.md
        assert_go_on_alike(ours, theirs, y)


@every_pair
def test_scikit_learn_gets_all_that_its_fit_leaves(setting: str, target: str) -> None:
    kind, y, needed = TARGETS[target]
    theirs = getattr(neural_network, kind.__name__)(**{**CHOICES, **needed, **SETTINGS[setting]})
    theirs.fit(X, y)
    made = trained(target, **SETTINGS[setting]).to_sklearn()
    assert set(vars(made)) == set(vars(theirs))
    for name, value in vars(theirs).items():
        assert isinstance(value, type(getattr(made, name))), name  # float for float64
    if setting != "lbfgs":
        assert made._no_improvement_count == theirs._no_improvement_count
        of_made, of_theirs = vars(made._optimizer), vars(theirs._optimizer)
        assert of_made.keys() == of_theirs.keys()
        told = {"ms", "vs", "learning_rate", "t"} | ({"velocities"} if theirs.momentum else set())
        for name in told & of_theirs.keys():
            left, right = (
                np.hstack([np.ravel(part) for part in listed(of[name])])
                for of in (of_made, of_theirs)
            )
            np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-12)


def test_what_scikit_learn_lacks_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"no activation='gelu', only .*: take to_onnx or to_torch"
    ):
        trained("values", activation="gelu").to_sklearn()
    model = trained("multiclass", class_weight="balanced", dtype="float32")
    with pytest.warns(
        UserWarning, match="scikit-learn has no class_weight='balanced': it predicts"
    ):
        theirs = model.to_sklearn()
    np.testing.assert_allclose(theirs.predict_proba(X), model.predict_proba(X), atol=1e-6)
    with pytest.raises(NotFittedError):
        MLPClassifier().to_sklearn()
    with pytest.raises(NotFittedError):
        MLPClassifier.from_sklearn(neural_network.MLPClassifier())
    for wrong in (neural_network.MLPRegressor(), model, 3):
        with pytest.raises(TypeError, match=r"expected a fitted sklearn\.neural_network\.MLPC"):
            MLPClassifier.from_sklearn(wrong)


def test_scikit_learn_gets_the_network_as_it_was_trained() -> None:
    model = trained("multiclass", early_stopping=True)
    expected = model.predict_proba(X)
    model.set_params(activation="tanh", hidden_layer_sizes=(3, 3), early_stopping=False)
    theirs = model.to_sklearn()
    np.testing.assert_allclose(theirs.predict_proba(X), expected, atol=1e-12)
    theirs.partial_fit(X, Y)
