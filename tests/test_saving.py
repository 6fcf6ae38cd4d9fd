"""Model files: what survives, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")
from sklearn.exceptions import NotFittedError

from fastmlp import MLPClassifier, MLPRegressor, load
from fastmlp.backends import BackendUnavailableError, backend_status, get_backend
from fastmlp.core import Augmentation
from fastmlp.data import load_digits
from fastmlp.estimators.exchange.model_file import described, made

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
DIGITS = load_digits()
X, Y = DIGITS.X_train[:120] / 16.0, DIGITS.y_train[:120].astype(np.int64)
LABELS: dict[str, Any] = {
    "ints": Y,
    "small ints": Y.astype(np.int8),
    "text": np.asarray([f"ziffer »{label}«" for label in Y]),
    "objects": np.asarray([f"digit {label}" for label in Y], dtype=object),
    "floats": Y.astype(np.float32),
    "bool": Y > 4,
    "binary text": np.where(Y > 4, "high", "low"),
    "one class": np.full(Y.shape, 7),
    "multilabel": np.stack([Y > 4, Y % 2 == 0, Y == 3], axis=1).astype(int),
}
VALUES: dict[str, Any] = {"one": X[:, 20], "column": X[:, 20:21], "three": X[:, 20:23]}
MOVES = Augmentation((8, 8), shift_px=1.0, elastic_px=0.5)
SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {"class_weight": {0: 2.0, 3: 0.5}, "label_smoothing": 0.1},
    "float32": {"dtype": "float32", "backend": "numpy", "device": "cpu"},
    "nesterov": {"solver": "sgd", "learning_rate": "invscaling", "hidden_layer_sizes": [7, 5]},
    "sgd": {"solver": "sgd", "momentum": 0.0, "hidden_layer_sizes": ()},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
    "patient": {"n_iter_no_change": np.inf, "activation": "gelu", "alpha": np.float32(0.1)},
    "early": {"early_stopping": True},
    "dropout": {"dropout": 0.3, "solver": "adamw", "augmentation": MOVES, "max_norm": 1.0},
    "lbfgs": {"solver": "lbfgs", "hidden_layer_sizes": np.asarray([6])},
}


def trained(y: Any = Y, kind: Any = MLPClassifier, **settings: Any) -> Any:
    choices = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 2, "warm_start": True}
    return kind(**{**choices, **settings}).fit(X, y)


def assert_same(a: Any, b: Any) -> None:
    """Types, dtypes and values are the same, to the bit."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    elif isinstance(a, dict):
        assert_same(list(a.items()), list(b.items()))
    elif hasattr(a, "__dict__"):
        assert_same(vars(a), vars(b))
    else:
        assert a == b or (a != a and b != b)


def state(model: Any, *without: str) -> dict[str, Any]:
    """All that a model is but for its trainer: what would be pickled."""
    found = dict(sorted(model.__getstate__().items()))
    return {name: value for name, value in found.items() if name not in without}


WHERE = ("backend", "device", "precision")


def assert_survives(model: Any, y: Any, path: Path) -> None:
    model.save(path)
    again = load(path)
    assert type(again) is type(model)
    moments = "_optimizer_state"  # of a 0-dimensional array NumPy makes a scalar at times
    assert_same(state(again, *WHERE, moments), state(model, *WHERE, moments))
    assert_same(again.predict(X), model.predict(X))
    if model.solver != "lbfgs" and not model.early_stopping:
        for _ in range(2):
            model.partial_fit(X[:90], y[:90])
            again.partial_fit(X[:90], y[:90])
    for one in (again, model):
        one.fit(X, y)
    for name in ("coefs_", "intercepts_"):
        assert_same(getattr(again, name), getattr(model, name))
    assert again.loss_curve_ == model.loss_curve_
    assert again.n_iter_ == model.n_iter_


@pytest.mark.parametrize("labels", LABELS)
def test_labels_survive_with_their_types(labels: str, tmp_path: Path) -> None:
    assert_survives(trained(LABELS[labels]), LABELS[labels], tmp_path / "model.safetensors")


@pytest.mark.parametrize("setting", SETTINGS)
def test_training_goes_on_as_without_the_file(setting: str, tmp_path: Path) -> None:
    assert_survives(trained(**SETTINGS[setting]), Y, tmp_path / "model.safetensors")


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("values", VALUES)
def test_regressions_survive(values: str, loss: str, tmp_path: Path) -> None:
    y = VALUES[values]
    assert_survives(trained(y, MLPRegressor, loss=loss), y, tmp_path / "model.safetensors")


def test_a_first_part_survives(tmp_path: Path) -> None:
    model = MLPClassifier((3,), random_state=0).partial_fit(X[:9], Y[:9], classes=np.arange(12))
    assert_survives(model, Y, tmp_path / "model.safetensors")


def test_names_of_features_survive(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    model = MLPClassifier((3,), max_iter=1).fit(frame, Y, X_val=frame, y_val=Y)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert_same(again.feature_names_in_, model.feature_names_in_)
    assert again.history_ == model.history_
    assert_same(again.predict(frame), model.predict(frame))


@pytest.mark.parametrize("name", ["jax", "torch", "cupy"])
def test_a_file_asks_for_no_backend(name: str, tmp_path: Path) -> None:
    if not backend_status(name).available:
        pytest.skip(backend_status(name).reason)
    there, here = tmp_path / "there.safetensors", tmp_path / "here.safetensors"
    trained(backend=get_backend(name), dtype="float64").save(there)
    model = load(there, backend="numpy")
    assert (model.backend, model.device, model.backend_) == ("numpy", None, name)
    ours = trained(backend="numpy")
    ours.save(here)
    theirs = load(here, backend=name)
    np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), atol=1e-12)
    np.testing.assert_allclose(model.predict_proba(X), ours.predict_proba(X), atol=1e-12)
    parts = [one.partial_fit(X, Y).coefs_[0] for one in (ours, theirs, model)]
    np.testing.assert_allclose(parts[1], parts[0], atol=1e-12)
    np.testing.assert_allclose(parts[2], parts[0], atol=1e-12)


def test_a_precision_is_not_lost_without_a_word(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "m.safetensors"
    model = trained(backend="torch", dtype="float32", precision="bfloat16")
    assert model.precision_ == "bfloat16"
    model.save(path)
    with pytest.warns(UserWarning, match=r"was fitted with precision='bfloat16' and computes in"):
        full = load(path, backend="torch")
    assert (full.precision, full.precision_) == (None, "bfloat16")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(path, precision="float32").predict_proba(X).dtype == np.float32
        same = load(path, backend="torch", precision="bfloat16")
        record = load(path, backend=get_backend("torch", precision="bfloat16"))
    for again in (same, record):
        assert_same(again.predict_proba(X), model.predict_proba(X))
    assert not np.array_equal(full.predict_proba(X), model.predict_proba(X))
    with pytest.raises(BackendUnavailableError, match="precision='bfloat16' is not one of its own"):
        load(path, backend="numpy", precision="bfloat16")
    same.partial_fit(X, Y)
    full.partial_fit(X, Y)
    assert (same.precision_, full.precision_) == ("bfloat16", "float32")


def test_a_file_that_does_not_name_a_precision_loads(tmp_path: Path) -> None:
    description, tensors = described(trained())
    del description["precision"]
    assert made(description, dict(tensors)).precision_ is None
    with pytest.raises(ValueError, match="'int8' is no precision of this fastmlp"):
        made(description | {"precision": "int8"}, dict(tensors))


def test_a_backend_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    trained().save(tmp_path / "m.safetensors")
    if backend_status("cupy").available:
        pytest.skip("there is a GPU")
    with pytest.raises(BackendUnavailableError, match="backend 'cupy' is not available"):
        load(tmp_path / "m.safetensors", backend="cupy")


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = trained()
    model.coefs_[0] = np.asfortranarray(model.coefs_[0])  # memory may lie otherwise
    model.save(tmp_path / "a")
    load(tmp_path / "a").save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert_same(load(tmp_path / "b").coefs_[0], np.ascontiguousarray(model.coefs_[0]))


# --- the file on the disk ---


def kept(path: Path, save: Any, error: type[Exception], message: str) -> None:
    """Saving fails, what was there is still there, and nothing else is."""
    path.write_text("the work of a week")
    with pytest.raises(error, match=message):
        save(path)
    assert path.read_text() == "the work of a week"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace", "shutil.copymode"])
def test_a_disk_that_fails_loses_nothing(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained()

    def fail(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(broken, fail)
    kept(tmp_path / "m", model.save, OSError, "no space left")


def test_what_no_file_can_hold_is_named(tmp_path: Path) -> None:
    model = trained(random_state=np.random.RandomState(3))
    message = r"random_state=RandomState.* cannot be saved .*set_params\(random_state=...\)"
    kept(tmp_path / "m", model.save, ValueError, message)
    model.set_params(random_state=None).save(tmp_path / "m")
    assert_same(load(tmp_path / "m").predict(X), model.predict(X))
    model.set_params(hidden_layer_sizes=range(3, 5))
    kept(tmp_path / "m", model.save, ValueError, r"hidden_layer_sizes=range\(3, 5\) cannot be sav")


def test_what_is_no_model_is_not_saved(tmp_path: Path) -> None:
    class Own(MLPClassifier):
        """A subclass, whose parts nobody knows."""

    path = tmp_path / "m"
    kept(path, MLPClassifier().save, NotFittedError, "not fitted yet")
    kept(path, trained(kind=Own).save, ValueError, "not <class .*Own'>, whose own parts")
    model = trained()
    model.intercepts_[1][3] = np.inf
    kept(path, model.save, ValueError, "layer 2 has weights that are not finite")
    dates = MLPClassifier(max_iter=2).fit(
        X, np.where(Y > 0, "2020-01-01", "2021-01-01").astype("M8")
    )
    kept(path, dates.save, ValueError, r"classes_ has dtype datetime64.*astype\(str\)")
    with pytest.raises(OSError, match="directory"):
        trained().save(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_mode_and_link_of_a_file_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("")
    target.chmod(0o640)
    link.symlink_to(target)
    trained().save(link)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    load(target)


def test_without_safetensors_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained()
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for use in (model.save, load):
        with pytest.raises(ImportError, match=r"pip install 'fastmlp\[safetensors\]'"):
            use(tmp_path / "m")
