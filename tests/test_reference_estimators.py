"""The reference behind the faces of the estimators."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("tensorflow")

import fastmlp
from fastmlp import reference
from fastmlp.data import load_digits

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
DIGITS = load_digits()
X, Y = DIGITS.X_train[:300] / 16.0, DIGITS.y_train[:300]


@pytest.mark.parametrize("hidden", [(), (20,), (20, 10)])
def test_classifier_learns_as_ours(hidden: tuple[int, ...]) -> None:
    # tanh has no kink: a rounding cannot switch a unit on or off
    choices: dict[str, Any] = {"activation": "tanh", "max_iter": 5, "random_state": 0}
    choices |= {"solver": "sgd", "learning_rate_init": 0.2, "batch_size": 32, "dtype": "float32"}
    ours = fastmlp.MLPClassifier(hidden, **choices).fit(X, Y, X_val=X[:50], y_val=Y[:50])
    theirs = reference.MLPClassifier(hidden, **choices).fit(X, Y, X_val=X[:50], y_val=Y[:50])
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(theirs.history_[name], ours.history_[name], rtol=1e-5)
    np.testing.assert_array_equal(theirs.predict(X), ours.predict(X))
    assert theirs.score(X, Y) == ours.score(X, Y) > 0.3
    again = pickle.loads(pickle.dumps(theirs))
    np.testing.assert_allclose(again.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)


def test_regressor_learns_as_ours() -> None:
    choices: dict[str, Any] = {"activation": "tanh", "max_iter": 5, "random_state": 0}
    ours = fastmlp.MLPRegressor(hidden_layer_sizes=(20,), **choices).fit(X, Y)
    theirs = reference.MLPRegressor(hidden_layer_sizes=(20,), **choices).fit(X, Y)
    np.testing.assert_allclose(theirs.predict(X), ours.predict(X), rtol=1e-9)


def test_early_stopping_and_dropout_are_ours() -> None:
    choices: dict[str, Any] = {"activation": "tanh", "max_iter": 6, "random_state": 0}
    choices |= {"dropout": 0.3, "input_dropout": 0.1, "early_stopping": True, "max_norm": 1.0}
    choices |= {"solver": "adamw", "learning_rate": "cosine", "warmup_fraction": 0.2}
    ours = fastmlp.MLPClassifier((20, 10), **choices).fit(X, Y)
    theirs = reference.MLPClassifier((20, 10), **choices).fit(X, Y)
    np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=1e-8)
    assert theirs.validation_scores_ == ours.validation_scores_


def test_an_array_of_a_device_goes_to_keras_through_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")

    def refused(*_: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    monkeypatch.setattr(torch.Tensor, "__array__", refused)  # as a GPU would
    device_X = torch.asarray(X, dtype=torch.float32)
    model = reference.MLPClassifier(max_iter=1, random_state=0).fit(device_X, Y)
    labels = model.predict(device_X)
    assert isinstance(labels, torch.Tensor)
    np.testing.assert_array_equal(labels.numpy(), model.predict(X.astype("float32")))
