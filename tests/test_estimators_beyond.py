"""What the estimators have beyond scikit-learn's: dropout, optimizers, limits, schedules, inits."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.backends import backend_status
from fastmlp.core import Augmentation
from fastmlp.data import load_digits

DIGITS = load_digits()
X, Y = DIGITS.X_train[:300] / 16.0, DIGITS.y_train[:300]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BEYOND: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": 0.5},
    "dropout of each": {"dropout": [0.0, 0.4], "input_dropout": 0.2},
    "adamw": {"solver": "adamw", "weight_decay": 0.1},
    "rmsprop": {"solver": "rmsprop", "beta_2": 0.9, "epsilon": 1e-7},
    "l1": {"l1": 0.01, "solver": "sgd", "learning_rate_init": 0.1},
    "max_norm": {"max_norm": 1.0},
    "clip_norm": {"clip_norm": 0.1, "solver": "sgd", "learning_rate_init": 0.1},
    "cosine": {"learning_rate": "cosine", "warmup_fraction": 0.25},
    "one_cycle": {"learning_rate": "one_cycle", "solver": "sgd", "learning_rate_init": 0.5},
    "warm-up": {"warmup_fraction": 0.5},
    "he_normal": {"init": "he_normal"},
    "augmentation": {
        "augmentation": Augmentation((8, 8), shift_px=1, rotation_deg=10, scale=0.1, elastic_px=0.5)
    },
}


def fitted(backend: str = "numpy", **choices: Any) -> MLPClassifier:
    settings = {"activation": "tanh", "max_iter": 5, "random_state": 1, "learning_rate_init": 0.01}
    model: MLPClassifier = MLPClassifier((16, 12), backend=backend, **{**settings, **choices})
    return model.fit(X, Y)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", BEYOND)
def test_every_backend_gives_the_same_numbers(name: str) -> None:
    expected, plain = fitted(**BEYOND[name]), fitted()
    assert not np.allclose(expected.coefs_[0], plain.coefs_[0], rtol=1e-3)
    for backend in ("jax", "torch"):
        if not backend_status(backend).available:
            continue
        found = fitted(backend, **BEYOND[name])
        for ours, wanted in zip(found.coefs_, expected.coefs_, strict=True):
            assert np.linalg.norm(ours - wanted) <= 1e-8 * np.linalg.norm(wanted)
        assert found.loss_curve_ == pytest.approx(expected.loss_curve_, rel=1e-9)


@pytest.mark.parametrize("name", BEYOND)
def test_same_seed_is_the_same_training(name: str) -> None:
    model = MLPClassifier((16, 12), max_iter=3, random_state=5, **BEYOND[name]).fit(X, Y)
    again = clone(model).fit(X, Y)
    for a, b in zip(model.coefs_, again.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["dropout", "augmentation"])
def test_seed_decides_what_is_drawn_in_each_step(name: str) -> None:
    """The weights are the same at first, as they are drawn before."""
    rng = np.random.RandomState(3)
    choices = {**BEYOND[name], "max_iter": 1, "shuffle": False}
    models = [MLPClassifier((16,), random_state=r, **choices).fit(X, Y) for r in (3, rng)]
    np.testing.assert_array_equal(models[0].coefs_[0], models[1].coefs_[0])
    other = MLPClassifier((16,), random_state=rng, **choices).fit(X, Y)
    assert not np.array_equal(models[0].coefs_[0], other.coefs_[0])
    plain = [MLPClassifier((16,), random_state=np.random.RandomState(3)) for _ in range(2)]
    drawn = [np.random.RandomState(3) for _ in plain]
    for model, generator, asked in zip(plain, drawn, (BEYOND[name], {}), strict=True):
        model.set_params(random_state=generator, max_iter=1, shuffle=False, **asked).fit(X, Y)
    assert drawn[0].randint(2**31) != drawn[1].randint(2**31)  # a number was drawn for it


def test_dropout_goes_on_with_other_units_in_partial_fit() -> None:
    model = MLPClassifier((16,), dropout=0.5, random_state=0, shuffle=False, solver="sgd")
    start = model.partial_fit(X, Y, classes=np.unique(Y)).loss_curve_[-1]
    losses = [model.partial_fit(X, Y).loss_curve_[-1] for _ in range(20)]
    assert losses[-1] < 0.97 * start
    assert model.t_ == 21 * len(X)


def test_augmentation_is_a_parameter_like_others() -> None:
    augmentation = Augmentation((8, 8), shift_px=1.0)
    model = MLPRegressor("squared_error", (8,), augmentation=augmentation, max_iter=3)
    again = pickle.loads(pickle.dumps(clone(model)))
    assert again.get_params()["augmentation"] == augmentation
    again.fit(X, X[:, :2])
    outputs = again.predict(X)
    kept = pickle.loads(pickle.dumps(again.set_params(augmentation=None)))
    np.testing.assert_array_equal(kept.predict(X), outputs)  # images as they are


@pytest.mark.parametrize("batch_size", [50, 300])
def test_max_norm_and_schedule_hold_to_the_end(batch_size: int) -> None:
    model = fitted(max_norm=0.7, learning_rate="cosine", batch_size=batch_size, max_iter=10)
    for W in model.coefs_:
        assert np.linalg.norm(W, axis=0).max() <= 0.7 * (1 + 1e-12)
    falls = np.abs(np.diff(model.loss_curve_))
    assert falls[-1] < 0.3 * falls[1:].max()


def test_counts_are_learnt_with_dropout() -> None:
    counts = np.round(10 * X[:, 20])
    model = MLPRegressor("poisson", (50,), dropout=0.2, max_iter=60, random_state=0)
    assert model.fit(X, counts).score(X, counts) > 0.7


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"dropout": 1.0}, r"dropout=1\.0 must be a rate|'dropout' parameter"),
        ({"dropout": [0.5]}, r"dropout=\[0\.5\] must be .* each of the 2 hidden layers"),
        ({"dropout": [0.5, -0.1]}, r"dropout=\[0\.5, -0\.1\] must be a rate of at least 0"),
        ({"dropout": ["a", "b"]}, r"dropout=\['a', 'b'\] must be a rate"),
        ({"input_dropout": 1.0}, r"'input_dropout' parameter .* Got 1\.0"),
        ({"max_norm": 0.0}, r"'max_norm' parameter .* Got 0\.0"),
        ({"clip_norm": -1.0}, r"'clip_norm' parameter .* Got -1\.0"),
        ({"init": "glorot"}, r"'init' parameter .* Got 'glorot'"),
        ({"learning_rate": "linear"}, r"'learning_rate' parameter .* Got 'linear'"),
        (
            {"learning_rate": "one_cycle", "warmup_fraction": 0.1},
            r"warmup_fraction=0\.1: .* has a warm-up of its own",
        ),
        (
            {"augmentation": {"shape": (8, 8), "shift": 1}},
            r"is a dict with the unknown fields \['shift'\], expected an Augmentation: give f",
        ),
        (
            {"augmentation": {"shape": (8, 8)}},
            r"augmentation={'shape': \(8, 8\)} is a dict, expecte",
        ),
        ({"augmentation": (8, 8)}, r"'augmentation' parameter .* Got \(8, 8\)"),
        ({"augmentation": Augmentation((4, 4))}, r"augmentation\.shape=\(4, 4\) .* 64 features"),
        (
            {"solver": "lbfgs", "augmentation": Augmentation((8, 8))},
            r"solver='lbfgs' cannot do augmentation: ",
        ),
        (
            {"solver": "lbfgs", "dropout": 0.5, "clip_norm": 1.0, "learning_rate": "cosine"},
            r"solver='lbfgs' cannot do dropout, clip_norm, learning_rate='cosine'",
        ),
    ],
)
def test_bad_parameters(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fitted(**choices)


def test_parts_have_no_end_to_plan_with() -> None:
    with pytest.raises(ValueError, match="does not know how many steps will follow"):
        MLPClassifier(learning_rate="cosine").partial_fit(X, Y, classes=np.unique(Y))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_schedule_that_is_complete_asks_for_no_more_epochs(schedule: str) -> None:
    model = MLPClassifier((16,), learning_rate=schedule, max_iter=8, random_state=0)
    assert model.fit(X, Y).n_iter_ == 8
