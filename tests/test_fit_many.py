"""Many networks in one pass: each of them is the one that a fit of its own gives."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from many_loop import numpy_of_many
from problems import leaves, make_problem, make_recipe, make_trainer, orders

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, ParameterGrid

from fastmlp import MLPClassifier, MLPRegressor, fit_many
from fastmlp.backends import Backend, backend_status, get_backend
from fastmlp.callbacks import Callback, EpochView
from fastmlp.core import Augmentation
from fastmlp.data import load_digits
from fastmlp.estimators import many as many_face
from fastmlp.training import DeviceMemoryError, Epoch, Trainer, draw_params
from fastmlp.training.many import Learner, train_many

DIGITS = load_digits()
X, Y = DIGITS.X_train[:300] / 16.0, DIGITS.y_train[:300]
SEEDS = [{"random_state": seed} for seed in range(3)]
FOLDS = [train for train, _ in KFold(3).split(X)]
RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many networks each pass had."""
    seen: list[int] = []

    def spy(learners: Any, X: Any, y: Any) -> None:
        seen.append(len(learners))
        train_many(learners, X, y)

    monkeypatch.setattr(many_face, "train_many", spy)
    return seen


@pytest.fixture(params=["numpy-many", "jax"])
def joint(request: pytest.FixtureRequest) -> Backend:
    if request.param == "numpy-many":
        return numpy_of_many()
    status = backend_status("jax")
    if not status.available:
        pytest.skip(status.reason)
    return get_backend("jax")


def model_of(backend: Any, **choices: Any) -> Any:
    settings = {"hidden_layer_sizes": (12,), "max_iter": 4, "random_state": 1, "batch_size": 64}
    return MLPClassifier(backend=backend, **{**settings, **choices})


def assert_alike(found: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    assert found.n_iter_ == wanted.n_iter_
    for name in ("coefs_", "intercepts_"):
        for got, expected in zip(getattr(found, name), getattr(wanted, name), strict=True):
            assert got.dtype == expected.dtype
            size = np.abs(expected).max() or 1.0
            wide = np.linalg.norm(expected / size)
            assert np.linalg.norm(got / size - expected / size) <= tolerance * wide
    assert found.history_.keys() == wanted.history_.keys()
    for name in found.history_.keys() - {"epoch_s"}:
        assert found.history_[name] == pytest.approx(wanted.history_[name], rel=tolerance)
    for name in ("loss_", "best_loss_", "validation_scores_", "best_validation_score_"):
        got, expected = getattr(found, name), getattr(wanted, name)
        assert (got is None) == (expected is None)
        assert got is None or got == pytest.approx(expected, rel=tolerance)
    for name in ("t_", "n_outputs_", "n_features_in_", "backend_", "device_"):
        assert getattr(found, name) == getattr(wanted, name)
    assert vars(found).get("_home", "unknown") == vars(wanted).get("_home", "unknown")
    assert len(found.history_["epoch_s"]) == len(found.loss_curve_)


def assert_as_alone(
    model: Any,
    X: Any,
    y: Any,
    params: Any = None,
    rows: Any = None,
    weights: Any = None,
    tolerance: float = 1e-12,
    **val: Any,
) -> list[Any]:
    """Compare each network with a fit of its own."""
    found = fit_many(model, X, y, params, rows=rows, sample_weight=weights, **val)
    n_networks = len(list(params if rows is None else rows))
    assert len(found) == n_networks
    assert not hasattr(model, "coefs_")
    for number, ours in enumerate(found):
        part = slice(None) if rows is None else rows[number]
        own = {} if params is None else list(params)[number]
        alone = clone(model).set_params(**own)
        alone.fit(X[part], y[part], None if weights is None else weights[part], **val)
        assert ours.get_params() == alone.get_params()
        assert_alike(ours, alone, tolerance)
        np.testing.assert_array_equal(ours.predict(X), alone.predict(X))
    return found


# --- each is the one that it would be alone ---

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "full batch": {"batch_size": 200},
    "a rest of one": {"batch_size": 13},
    "unshuffled": {"shuffle": False},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.3},
    "cosine": {"learning_rate": "cosine", "warmup_fraction": 0.2},
    "limits": {"max_norm": 1.0, "clip_norm": 0.5, "l1": 0.01, "alpha": 0.1},
    "dropout": {"dropout": 0.3, "input_dropout": 0.2},
    "no penalty": {"alpha": 0.0},  # where one alone leaves columns of zeros out
    "linear": {"hidden_layer_sizes": ()},
    "balanced": {"class_weight": "balanced", "label_smoothing": 0.1},
    "augmentation": {"augmentation": Augmentation((8, 8), shift_px=1.0, elastic_px=0.5)},
    "early stopping": {
        "early_stopping": True,
        "n_iter_no_change": 2,
        "max_iter": 30,
        "learning_rate_init": 0.03,
    },
    "monitor": {
        "early_stopping": True,
        "monitor": "accuracy",
        "n_iter_no_change": 1,
        "max_iter": 20,
    },
}
ON_JAX = {
    "seeds": ("plain", "dropout"),
    "folds": ("augmentation", "balanced", "early stopping", "no penalty"),
}


@pytest.mark.parametrize("name", CASES)
def test_seeds_and_rates(joint: Backend, name: str, passes: list[int]) -> None:
    if joint.name == "jax" and name not in ON_JAX["seeds"]:
        pytest.skip("numpy-many has it; compiling takes seconds")
    params = ParameterGrid({"random_state": [0, 1], "learning_rate_init": [0.003, 0.02]})
    found = assert_as_alone(model_of(joint, **CASES[name]), X, Y, params)
    assert passes == [4]
    assert len({model.coefs_[-1][0, 0] for model in found}) == 4


@pytest.mark.parametrize("name", CASES)
def test_folds(joint: Backend, name: str, passes: list[int]) -> None:
    if joint.name == "jax" and name not in ON_JAX["folds"]:
        pytest.skip("numpy-many has it; compiling takes seconds")
    assert_as_alone(model_of(joint, **CASES[name]), X, Y, rows=FOLDS)
    assert passes == [3]


def test_rows_may_overlap_repeat_and_go_with_params(passes: list[int]) -> None:
    rows = [RNG.integers(300, size=200) for _ in range(3)]  # a bootstrap
    assert_as_alone(model_of(numpy_of_many(), dropout=0.2), X, Y, SEEDS, rows)
    assert passes == [3]


def test_they_stop_when_they_would_alone(joint: Backend, passes: list[int]) -> None:
    model = model_of(joint, tol=0.02, n_iter_no_change=1, max_iter=60)
    params = [
        {"random_state": 0, "learning_rate_init": 0.001},
        {"random_state": 1, "learning_rate_init": 0.05},
        {"random_state": 2, "learning_rate_init": 0.01},
        {"random_state": 2, "learning_rate_init": 1e-7},
    ]
    found = assert_as_alone(model, X, Y, params)
    epochs = [model.n_iter_ for model in found]
    assert len(set(epochs)) == 4
    assert max(epochs) <= 60
    assert passes == [4]


def test_adaptive_rates_fall_when_they_would_alone() -> None:
    adaptive = {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 1}
    model = model_of(numpy_of_many(), **adaptive, max_iter=80)
    rates = [{"learning_rate_init": rate} for rate in (0.5, 0.05, 1e-5)]
    found = assert_as_alone(model, X, Y, rates)
    assert len({model.n_iter_ for model in found}) == 3


def test_validation_data_judge_all(joint: Backend) -> None:
    model = model_of(joint, early_stopping=True, n_iter_no_change=1, max_iter=20)
    found = assert_as_alone(model, X, Y, SEEDS, X_val=X[:50], y_val=Y[:50])
    assert all(len(model.history_["val_loss"]) == model.n_iter_ for model in found)


def test_weights_go_with_their_rows(joint: Backend) -> None:
    assert_as_alone(model_of(joint), X, Y, rows=FOLDS, weights=RNG.uniform(0.5, 2.0, size=300))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("outputs", [1, 2])
def test_regression(joint: Backend, dtype: str, tolerance: float, outputs: int) -> None:
    if joint.name == "jax" and outputs == 2:
        pytest.skip("numpy-many has it; compiling takes seconds")
    y = X[:, [20, 30]][:, :outputs] if outputs > 1 else X[:, 20]
    model = MLPRegressor(
        hidden_layer_sizes=(8, 5), max_iter=3, backend=joint, dtype=dtype, batch_size=64
    )
    found = fit_many(model, X, y, SEEDS, rows=FOLDS)
    for ours, own, part in zip(found, SEEDS, FOLDS, strict=True):
        alone = clone(model).set_params(**own).fit(X[part], y[part])
        assert_alike(ours, alone, tolerance)
        assert ours.predict(X).shape == y.shape


@pytest.mark.parametrize("kind", ["uint8", "sparse", "list", "labels", "two classes", "columns"])
def test_kinds_of_data(kind: str, passes: list[int]) -> None:
    model: Any = model_of(numpy_of_many(), learning_rate_init=1e-4)
    data: Any = X
    wanted: Any = X
    y: Any = Y
    if kind == "uint8":
        data = wanted = DIGITS.X_train[:300]
    elif kind == "sparse":
        data = pytest.importorskip("scipy.sparse").csr_array(X)
    elif kind == "list":
        data, y = X.tolist(), Y.tolist()
    elif kind == "columns":
        data = wanted = pytest.importorskip("pandas").DataFrame(
            X, columns=[f"p{i}" for i in range(64)]
        )
        y = pytest.importorskip("pandas").Series(Y, index=RNG.permutation(300))
    else:
        y = Y.astype(str) if kind == "labels" else (Y > 4)
    found = fit_many(model, data, y, rows=FOLDS)
    assert passes == [3]
    for ours, part in zip(found, FOLDS, strict=True):
        own = wanted.iloc[part] if kind == "columns" else wanted[part]
        alone = clone(model).fit(own, np.asarray(y)[part])
        assert_alike(ours, alone)
        assert list(ours.classes_) == list(alone.classes_)
        assert getattr(ours, "feature_names_in_", None) is None or (
            list(ours.feature_names_in_) == list(alone.feature_names_in_)
        )
        assert ours.score(data, y) == alone.score(wanted, np.asarray(y))


def test_arrays_of_the_device() -> None:
    jnp = pytest.importorskip("jax.numpy")
    on_device: Any = jnp.asarray(X, dtype="float32")
    model = model_of(None)
    found = fit_many(model, on_device, Y, rows=FOLDS)
    for ours, part in zip(found, FOLDS, strict=True):
        assert_alike(ours, clone(model).fit(on_device[part], Y[part]), 2e-5)
        assert isinstance(ours.predict_proba(on_device), type(on_device))


# --- what goes together, and what does not ---


def test_other_parameters_make_passes_of_their_own_and_the_order_stays(passes: list[int]) -> None:
    params = ParameterGrid({"alpha": [0.0, 0.1], "random_state": [0, 1], "dropout": [0.0, 0.5]})
    assert_as_alone(model_of(numpy_of_many()), X, Y, params)
    assert passes == [2, 2, 2, 2]


def test_folds_of_two_sizes_and_one_without_a_class(passes: list[int]) -> None:
    rows = [np.arange(200), np.arange(100, 300), np.arange(5, 256), np.flatnonzero(Y != 3)[:200]]
    found = assert_as_alone(model_of(numpy_of_many()), X, Y, rows=rows)
    assert passes == [2]
    assert [model.n_outputs_ for model in found] == [10, 10, 10, 9]


@pytest.mark.parametrize(
    "choices", [{"backend": "numpy"}, {"solver": "lbfgs"}, {"random_state": "a generator"}]
)
def test_one_after_the_other_where_they_cannot_go_together(
    choices: dict[str, Any], passes: list[int]
) -> None:
    rates = [{"learning_rate_init": rate} for rate in (0.01, 0.02)]
    if "random_state" in choices:
        shared, again = np.random.RandomState(5), np.random.RandomState(5)
        model = model_of(numpy_of_many())
        found = fit_many(model, X, Y, [{**own, "random_state": shared} for own in rates])
        for ours, own in zip(found, rates, strict=True):
            assert_alike(ours, clone(model).set_params(**own, random_state=again).fit(X, Y))
    else:
        assert_as_alone(model_of(**{"backend": numpy_of_many(), **choices}), X, Y, rates)
    assert passes == []


def test_callbacks_hear_of_one_training_at_a_time(passes: list[int]) -> None:
    heard: list[int] = []

    class Ear(Callback):
        def on_epoch_end(self, epoch: EpochView) -> None:
            heard.append(epoch.epoch)

    model = model_of(numpy_of_many(), max_iter=2).set_callbacks(Ear())
    fit_many(model, X, Y, SEEDS)
    assert heard == [1, 2, 1, 2, 1, 2]
    assert not passes


def test_the_reference_is_trained_by_keras(passes: list[int]) -> None:
    pytest.importorskip("keras")
    from fastmlp.reference import MLPClassifier as OnKeras

    model = OnKeras((5,), max_iter=1, backend=numpy_of_many(), dtype="float32")
    found = fit_many(model, X, Y, SEEDS[:2])
    assert [model.backend_ for model in found] == ["keras", "keras"]
    assert passes == []


def test_without_a_seed_they_differ() -> None:
    model = model_of(numpy_of_many(), random_state=None)
    first, second = fit_many(model, X, Y, [{}, {}])
    assert not np.allclose(first.coefs_[0], second.coefs_[0])


def test_no_networks() -> None:
    assert fit_many(model_of("numpy"), X, Y, []) == []


def test_data_lie_on_the_device_once() -> None:
    placed: list[tuple[int, ...]] = []
    backend = numpy_of_many()

    def to_device(host: Any, dtype: str) -> Any:
        placed.append(np.shape(host))
        return backend.to_device(host, dtype)

    spied = replace(backend, to_device=to_device)
    fit_many(model_of(spied), X, Y, SEEDS, rows=FOLDS)
    large = [shape for shape in placed if 64 in shape and max(shape) > 64]
    assert large == [(300, 64)]


# --- what goes wrong for one, or for all ---


@pytest.mark.parametrize("rate", [1e10, 1e200])
def test_one_that_diverges_is_named_and_does_not_spoil_the_others(
    joint: Backend, rate: float, passes: list[int]
) -> None:
    model = model_of(joint, solver="sgd", momentum=0, activation="identity", alpha=0.0)
    params = [{"learning_rate_init": one} for one in (0.01, rate, 0.02)]
    with pytest.warns(ConvergenceWarning, match="1 of 3 networks diverged") as caught:
        found = fit_many(model, X, Y, params)
    assert passes == [3]
    (said,) = [str(w.message) for w in caught if "diverged" in str(w.message)]
    assert f"number 1 with {params[1]}" in said
    for number in (0, 2):
        assert_alike(found[number], clone(model).set_params(**params[number]).fit(X, Y))
    alone = clone(model).set_params(**params[1])
    with pytest.raises(FloatingPointError):
        alone.fit(X, Y)
    assert hasattr(found[1], "coefs_") == hasattr(alone, "coefs_")
    if hasattr(alone, "coefs_"):
        assert_alike(found[1], alone, 1e-9)
        assert f"after epoch {alone.n_iter_}" in said
    else:
        assert "in the first epoch, which leaves it unfitted" in said
        assert vars(found[1]).keys() == vars(clone(model)).keys()


def test_divergence_is_told_alike_where_there_is_no_pass(passes: list[int]) -> None:
    params = [{"learning_rate_init": 1e200}, {"learning_rate_init": 0.01}]
    model = model_of("numpy", solver="sgd", activation="identity")
    with pytest.warns(ConvergenceWarning, match=r"1 of 2 networks diverged .* number 0 with"):
        found = fit_many(model, X, Y, params)
    assert hasattr(found[1], "coefs_")
    assert not hasattr(found[0], "coefs_")
    assert passes == []


def test_best_weights_survive_divergence() -> None:
    params = [{"learning_rate_init": rate} for rate in (0.01, 30.0)]
    choices = {"solver": "sgd", "momentum": 0, "activation": "identity", "early_stopping": True}
    model = model_of(numpy_of_many(), **choices, n_iter_no_change=50, max_iter=30)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = assert_as_alone(model, X, Y, params)
    assert found[1].n_iter_ < 30
    said = [str(warning.message) for warning in caught]
    assert any("best weights before are kept" in text for text in said)
    assert not any("of 2 networks diverged" in text for text in said)


def small_learners(n: int, epochs: int, on_epoch: Any) -> list[Learner]:
    recipe, found = make_recipe("softmax_cross_entropy"), []
    for number in range(n):
        trainer = make_trainer(
            recipe, backend=numpy_of_many(), params=draw_params((7, 5, 3), number)
        )
        found.append(
            Learner(
                trainer,
                iter(orders(70, epochs, number)),
                partial(on_epoch, number),
                iter([0.1 * (number + 1)] * epochs),
            )
        )
    backend = found[0].trainer.backend
    for learner in found:
        learner.trainer.backend = backend
    return found


def test_an_interruption_leaves_each_with_the_epoch_it_has_heard_of() -> None:
    def on_epoch(number: int, epoch: Epoch) -> None:
        if (number, epoch.epoch) == (1, 3):
            raise KeyboardInterrupt

    data = make_problem("softmax_cross_entropy")
    learners = small_learners(3, 5, on_epoch)
    with pytest.raises(KeyboardInterrupt):
        train_many(learners, *data)
    assert [learner.trainer.epoch for learner in learners] == [3, 3, 2]
    for number, learner in enumerate(learners):
        alone = small_learners(3, 5, print)[number].trainer
        alone.learning_rate = 0.0
        alone.run(
            *data,
            orders(70, learner.trainer.epoch, number),
            learning_rates=iter([0.1 * (number + 1)] * 5),
        )
        for got, wanted in zip(leaves(learner.trainer.carry), leaves(alone.carry), strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_ctrl_c_keeps_what_has_been_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    for last, wanted in ((0, None), (2, 2)):
        calls = iter(range(100))

        def score(*_: Any, calls: Any = calls, last: int = last) -> float:
            if next(calls) == 3 * last + 1:  # of the second network, after `last` epochs of all
                raise KeyboardInterrupt
            return 0.5

        monkeypatch.setattr(MLPClassifier, "_score_of", score)
        model = model_of(numpy_of_many(), early_stopping=True)
        if wanted is None:
            with pytest.raises(KeyboardInterrupt):
                fit_many(model, X, Y, SEEDS)
            continue
        with pytest.warns(UserWarning, match=r"interrupted in epoch 3: each network keeps"):
            found = fit_many(model, X, Y, SEEDS)
        assert [one.n_iter_ for one in found] == [3, 3, 2]
        assert all(np.isfinite(one.predict_proba(X)).all() for one in found)


def test_no_room_for_so_many() -> None:
    backend = numpy_of_many()

    def to_device(host: Any, dtype: str) -> Any:
        if np.ndim(host) == 3 and len(host) == 3 and dtype == "int32":
            raise MemoryError("Unable to allocate 9 GiB")
        return backend.to_device(host, dtype)

    with pytest.raises(DeviceMemoryError, match=r"no memory for 3 networks .*9 GiB.* fewer at a"):
        fit_many(model_of(replace(backend, to_device=to_device)), X, Y, SEEDS)


def test_an_order_that_names_no_row_is_refused() -> None:
    learners = small_learners(2, 1, print)
    learners[1].orders = iter([np.asarray([70], dtype=np.int32)])
    with pytest.raises(ValueError, match="row numbers from 0 to 69"):
        train_many(learners, *make_problem("softmax_cross_entropy"))


def test_a_backend_without_it_says_so() -> None:
    learners = small_learners(2, 1, print)
    for learner in learners:
        learner.trainer.backend = get_backend("numpy")
    with pytest.raises(ValueError, match="'numpy' does not train many networks at once"):
        train_many(learners, *make_problem("softmax_cross_entropy"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "params and rows are left out"),
        ({"params": {"random_state": [0, 1]}}, r"must be a list of dicts.*ParameterGrid"),
        ({"params": SEEDS, "rows": FOLDS[:2]}, "params has 3 entries and rows 2"),
        ({"params": [{"seed": 1}]}, "Invalid parameter 'seed'"),
        ({"params": [{"alpha": -1.0}]}, "'alpha' parameter"),
        ({"rows": [np.zeros(300, dtype=bool)]}, r"rows\[0\] has shape .*bool.*np.flatnonzero"),
        ({"rows": [FOLDS[0], []]}, r"rows\[1\] has shape \(0,\)"),
        ({"rows": [[0, 300]]}, r"rows\[0\] runs from 0 to 300, expected 0 to 299"),
        ({"rows": [[-1, 2]]}, r"rows\[0\] runs from -1 to 2"),
        ({"params": SEEDS, "X_val": X}, "X_val and y_val go together"),
        ({"params": SEEDS, "sample_weight": np.ones(3)}, "inconsistent numbers of samples"),
        ({"rows": FOLDS, "sample_weight": np.ones(400)}, "inconsistent numbers of samples"),
    ],
)
def test_what_cannot_be_used(given: dict[str, Any], message: str) -> None:
    for backend in ("numpy", numpy_of_many()):
        with pytest.raises(ValueError, match=message):
            fit_many(model_of(backend), X, Y, **given)


def test_all_is_checked_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Any] = []
    monkeypatch.setattr(MLPClassifier, "fit", lambda self, *data, **val: trained.append(self))
    with pytest.raises(ValueError, match="'alpha' parameter"):
        fit_many(model_of("numpy"), X, Y, [{}, {"alpha": -1.0}])
    assert not trained
    fit_many(model_of("numpy"), X, Y, [{}, {"alpha": 1.0}])
    assert len(trained) == 2


def test_a_batch_without_weight_is_refused_as_it_would_be_alone() -> None:
    model, weights = model_of(numpy_of_many(), shuffle=False), np.ones(300)
    weights[64:128] = 0.0
    with pytest.raises(ValueError, match="64 rows of batch 2 sum to zero"):
        fit_many(model, X, Y, SEEDS, sample_weight=weights)


def test_weights_that_are_no_numbers_are_refused() -> None:
    learners = small_learners(2, 1, print)
    for learner in learners:
        learner.weights = np.full(70, np.nan)
    with pytest.raises(ValueError, match=r"expected \(70,\) finite numbers"):
        train_many(learners, *make_problem("softmax_cross_entropy"))


def test_other_estimators_are_refused() -> None:
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(TypeError, match="LogisticRegression, expected an MLPClassifier"):
        fit_many(LogisticRegression(), X, Y, SEEDS)


# --- they are estimators like others ---


def test_each_goes_on_alone(joint: Backend) -> None:
    found = fit_many(model_of(joint, solver="adam"), X, Y, SEEDS)
    alone = [clone(one).fit(X, Y) for one in found]
    for ours, other in zip(found, alone, strict=True):
        ours.partial_fit(X, Y)
        other.partial_fit(X, Y)
        assert_alike(ours, other)
        assert isinstance(ours._trainer, Trainer)


def test_one_bar_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    fit_many(model_of(numpy_of_many(), verbose=True, max_iter=10), X, Y, SEEDS)
    lines: list[str] = capsys.readouterr().err.strip().splitlines()
    assert [line.split()[1] for line in lines] == [f"{epoch}/10" for epoch in range(1, 11)]


def test_time_of_a_pass_is_shared() -> None:
    data = make_problem("softmax_cross_entropy")
    told: list[float] = []
    learners = small_learners(4, 3, lambda number, epoch: told.append(epoch.epoch_s))
    started = time.perf_counter()
    train_many(learners, *data)
    elapsed_s = time.perf_counter() - started
    assert len(told) == 12
    assert len(set(told)) == 3
    assert 0.0 < sum(told) <= elapsed_s
