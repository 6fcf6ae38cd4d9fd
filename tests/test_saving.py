"""Model files: what survives, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
safetensors = pytest.importorskip("safetensors.numpy")
from sklearn.exceptions import NotFittedError

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, ModelFileError, load
from fastmlp.backends import BackendUnavailableError, backend_status, get_backend
from fastmlp.data import load_digits
from fastmlp.energy import EnergyReading, grid_intensity
from fastmlp.estimators.exchange.container import BEGIN, NO_DIGEST

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
SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {"class_weight": {0: 2.0, 3: 0.5}, "label_smoothing": 0.1},
    "float32": {"dtype": "float32", "backend": "numpy", "device": "cpu"},
    "nesterov": {"solver": "sgd", "learning_rate": "invscaling", "hidden_layer_sizes": [7, 5]},
    "sgd": {"solver": "sgd", "momentum": 0.0, "hidden_layer_sizes": ()},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
    "patient": {"n_iter_no_change": np.inf, "activation": "gelu", "alpha": np.float32(0.1)},
    "early": {"early_stopping": True},
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


# --- what is refused ---


def test_every_byte_counts(tmp_path: Path) -> None:
    path = tmp_path / "m"
    MLPClassifier((), max_iter=1, solver="sgd").fit([[0.0], [1.0]], [0, 1]).save(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for flip in (0x01, 0x20, 0x29, 0x80, 0xFF):  # 0x29 makes a tab of a space
            damaged = bytearray(whole)
            damaged[place] ^= flip
            path.write_bytes(damaged)
            with pytest.raises(ModelFileError):
                load(path)
        path.write_bytes(whole[:place])
        with pytest.raises(ModelFileError):
            load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ModelFileError, match="cut off, or damaged: 17 bytes .* expected 16"):
        load(path)
    path.write_bytes(whole)
    load(path)


def forged(path: Path, change: Callable[[Any, Any], Any]) -> None:
    """Write a file whose seal is right and whose content was changed."""
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    text = json.loads(header["__metadata__"]["fastmlp"])
    tensors = safetensors.load(data)
    text = change(text, tensors) or text
    if not isinstance(text, str):
        text = json.dumps({**text, "sha256": NO_DIGEST}, separators=(",", ":"))
    data = safetensors.save(tensors, {"fastmlp": text})
    path.write_bytes(data)
    seal(path)


def seal(path: Path) -> None:
    data = path.read_bytes()
    begin = BEGIN.match(data, 8)
    assert begin
    blank = data[: begin.start(1)] + NO_DIGEST.encode() + data[begin.end(1) :]
    digest = hashlib.sha256(blank).hexdigest().encode()
    path.write_bytes(blank[: begin.start(1)] + digest + blank[begin.end(1) :])


def put(*keys: str, value: Any) -> Callable[[Any, Any], None]:
    def change(text: Any, tensors: Any) -> None:
        for key in keys[:-1]:
            text = text[key]
        text[keys[-1]] = value

    return change


def tensor(name: str, value: Any) -> Callable[[Any, Any], None]:
    def change(text: Any, tensors: Any) -> None:
        tensors[name] = value

    return change


def twice(text: Any, tensors: Any) -> str:
    return json.dumps(text, separators=(",", ":"))[:-1] + ',"class":"MLPRegressor"}'


def nested(text: Any, tensors: Any) -> str:
    return json.dumps(text, separators=(",", ":"))[:-1] + ',"x":' + "[" * 10**5 + "]" * 10**5 + "}"


NOT_FITTING: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "newer": (put("format_version", value=2), "written by a newer fastmlp .*: upgrade"),
    "older": (put("format_version", value=0), "format_version 0, expected 1"),
    "parameter": (
        put("parameters", "rank", value=1),
        r"parameters \['rank'\], .* does not know.*U",
    ),
    "class": (put("class", value="Popen"), "'Popen' is no estimator"),
    "kind": (put("parameters", "tol", value={"eval": "1"}), "'eval' is no kind of value"),
    "dtype": (put("classes", value={"array": ["O8", [1], [1]]}), "'O8' is no dtype"),
    "layers": (
        put("layers", value=[64, 5, 10]),
        r"params.0.W has shape \(64, 6\), expected \(64, 5",
    ),
    "outputs": (put("classes", value={"array": ["int64", [2], [0, 1]]}), "do not fit the classes"),
    "activation": (put("made_of", value=["cube", "softmax_cross_entropy"]), "no activation and l"),
    "loss": (put("made_of", value=["relu", "poisson"]), "'poisson' is no loss of MLPClassifier"),
    "course": (put("course", "mood", value=1), r"\['mood'\] are no part of a training"),
    "names": (put("feature_names", value=["a"]), "1 names of 64 features"),
    "form": (put("optimizer", "form", value=["layer"] * 5), "3 is one layer too many|too many"),
    "nan": (tensor("params.1.b", np.full(10, np.nan)), "weights are not finite"),
    "mixed": (tensor("params.1.b", np.zeros(10, "f4")), "of several dtypes"),
    "whole": (tensor("params.1.b", np.zeros(10, "i8")), "dtype int64, expected float32 or float64"),
    "more": (tensor("params.2.W", np.zeros(10)), r"tensors \['params.2.W'\], which are no part"),
    "less": (lambda text, tensors: tensors.pop("params.1.b") and None, "'params.1.b' is missing"),
    "twice": (twice, "the key 'class' is there twice"),
    "nested": (nested, "nested too deeply"),
    "no object": (put("course", value=3), "does not hold what a model is made of"),
}


@pytest.mark.parametrize("case", NOT_FITTING)
def test_a_sealed_file_must_fit_together(case: str, tmp_path: Path) -> None:
    path = tmp_path / "m"
    trained().save(path)
    forged(path, lambda text, tensors: None)
    load(path)
    change, message = NOT_FITTING[case]
    forged(path, change)
    with pytest.raises(ModelFileError, match=message):
        load(path)
