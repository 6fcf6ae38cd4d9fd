"""To ONNX, Keras and PyTorch, and from Keras: the same outputs to rounding."""

from __future__ import annotations

import json
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.core import ACTIVATIONS
from fastmlp.data import load_digits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
DIGITS = load_digits()
X, Y = DIGITS.X_train[:150] / 16.0, DIGITS.y_train[:150].astype(np.int64)
CHOICES: dict[str, Any] = {"hidden_layer_sizes": (9, 7), "max_iter": 5, "random_state": 3}
TARGETS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "multiclass": (MLPClassifier, np.asarray([f"digit {label}" for label in Y]), {}),
    "binary": (MLPClassifier, np.where(Y > 4, "high", "low"), {}),
    "multilabel": (MLPClassifier, np.stack([Y > 4, Y % 2 == 0, Y == 3], axis=1).astype(int), {}),
    "value": (MLPRegressor, 10 * X[:, 20], {}),
    "three values": (MLPRegressor, X[:, 20:23], {}),
    "counts": (MLPRegressor, Y, {"loss": "poisson"}),
}
every_target = pytest.mark.parametrize("target", TARGETS)
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def trained(target: str, **settings: Any) -> Any:
    """Fit a network whose units go well below and above 0."""
    kind, y, needed = TARGETS[target]
    return kind(**{"learning_rate_init": 0.05, **CHOICES, **needed, **settings}).fit(X, y)


def outputs(model: Any) -> Any:
    """Outputs of the network (n, n_outputs): one column of a binary classification."""
    found = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    found = np.reshape(found, (X.shape[0], -1))
    return found[:, 1:] if model.n_outputs_ < found.shape[1] else found


def assert_close(found: Any, expected: Any, dtype: str) -> None:
    assert found.dtype == dtype
    bound = (2e-6 if dtype == "float32" else 1e-12) * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


# --- ONNX ---


def run_onnx(made: Any, dtype: str) -> dict[str, Any]:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X.astype(dtype)}), strict=True))


@both_dtypes
def test_the_page_runs_what_it_wrote(
    dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    page = (Path(__file__).parents[1] / "docs" / "saving.md").read_text(encoding="utf-8")
    (code,) = [
        part for part in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "onnx" in part
    ]
    model = trained("multiclass", dtype=dtype)
    names: dict[str, Any] = {"model": model, "X_test": X}
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "saving.md", "exec"), names)
    assert names["label"].tolist() == model.predict(X).tolist()
    assert_close(names["probabilities"], model.predict_proba(X), dtype)


@every_target
@every_activation
@both_dtypes
def test_onnx_says_the_same(dtype: str, activation: str, target: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    model = trained(target, activation=activation, dtype=dtype)
    made = model.to_onnx(tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == made.SerializeToString()
    found = run_onnx(made, dtype)
    if isinstance(model, MLPRegressor):
        assert_close(found.pop("variable"), outputs(model), dtype)
    else:
        assert_close(found.pop("probabilities"), model.predict_proba(X), dtype)
        np.testing.assert_array_equal(found.pop("label"), model.predict(X))
    assert not found


@pytest.mark.parametrize("labels", [Y > 4, Y * 0.5 // 0.5, np.full(Y.shape, 7), Y.astype(np.uint8)])
def test_onnx_labels(labels: Any) -> None:
    pytest.importorskip("onnx")
    model = MLPClassifier(**CHOICES).fit(X, labels)
    np.testing.assert_array_equal(run_onnx(model.to_onnx(), "float64")["label"], model.predict(X))


def test_onnx_tells_where_it_is_from() -> None:
    pytest.importorskip("onnx")
    model = trained("value")
    model.feature_names_in_ = np.asarray([f"pixel, {i}" for i in range(64)], dtype=object)
    made = model.to_onnx()
    told = {entry.key: entry.value for entry in made.metadata_props}
    assert json.loads(told["feature_names"])[1] == "pixel, 1"
    assert (made.producer_name, told["estimator"], told["output"]) == (
        "fastmlp",
        "MLPRegressor",
        "identity",
    )


# --- PyTorch ---


@every_target
@every_activation
@both_dtypes
def test_torch_says_the_same(dtype: str, activation: str, target: str) -> None:
    torch = pytest.importorskip("torch")
    model = trained(target, activation=activation, dtype=dtype)
    made = model.to_torch()
    assert isinstance(made, torch.nn.Sequential)
    for network in (made, pickle.loads(pickle.dumps(made))):
        with torch.no_grad():
            found = network(torch.as_tensor(X, dtype=getattr(torch, dtype))).numpy()
        assert_close(found, outputs(model), dtype)


def test_torch_loses_no_digit_of_a_large_softplus() -> None:
    torch = pytest.importorskip("torch")
    model = trained("value", activation="softplus", dtype="float64")
    far = 40.0 * X
    with torch.no_grad():
        found = model.to_torch()(torch.as_tensor(far)).numpy()[:, 0]
    np.testing.assert_allclose(found, model.predict(far), rtol=1e-13)


# --- Keras ---


def keras() -> Any:
    pytest.importorskip("tensorflow")
    return pytest.importorskip("keras")


@every_target
@every_activation
@both_dtypes
def test_keras_says_the_same_and_comes_back(dtype: str, activation: str, target: str) -> None:
    network_type = keras().Sequential
    model = trained(target, activation=activation, dtype=dtype)
    network = model.to_keras()
    assert isinstance(network, network_type)
    # TensorFlow rounds the slope of leaky_relu to float32
    precision = "float32" if activation == "leaky_relu" else dtype
    found = np.asarray(network(X.astype(dtype)))
    assert_close(found.astype(precision), outputs(model).astype(precision), precision)
    classes = model.classes_ if target in ("multiclass", "binary") else None
    again = type(model).from_keras(network, classes)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(outputs(again), outputs(model))
    assert again.get_params()["hidden_layer_sizes"] == (9, 7)
    assert again.partial_fit(X, TARGETS[target][1]).t_ == len(X)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own
@every_activation
def test_keras_files_hold_the_network(activation: str, tmp_path: Path) -> None:
    saving = keras().saving
    model = trained("multiclass", activation=activation, dtype="float32")
    model.to_keras().save(tmp_path / "m.keras")
    network = saving.load_model(tmp_path / "m.keras")
    again = MLPClassifier.from_keras(network, model.classes_)
    np.testing.assert_array_equal(outputs(again), outputs(model))


def network_of(*layers: Any, shape: tuple[int, ...] = (64,)) -> Any:
    k = keras()
    k.utils.set_random_seed(0)
    return k.Sequential([k.Input(shape), *layers])


def images() -> Any:
    return X.reshape(-1, 8, 8, 1).astype("float32")


def test_keras_layers_around_the_dense_ones() -> None:
    of = keras().layers
    network = network_of(
        of.Rescaling(2.0, offset=[0.5]),
        of.Rescaling(0.5, offset=-0.75),
        of.Flatten(),
        of.Dropout(0.5),
        of.Dense(9),
        of.GaussianNoise(0.1),
        of.ReLU(),
        of.Rescaling(0.5, 0.1),
        of.Dense(9, "relu", use_bias=False),
        of.Dense(4, bias_initializer="uniform"),
        of.Softmax(),
        shape=(8, 8, 1),
    )
    model = MLPClassifier.from_keras(network, ["d", "b", "c", "a"])
    expected = np.asarray(network(images()))
    np.testing.assert_allclose(model.predict_proba(X), expected[:, [3, 1, 2, 0]], atol=2e-6)
    assert model.classes_.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("units", "end"), [(2, "softmax"), (1, "sigmoid")])
@pytest.mark.parametrize("classes", [None, ["no", "yes"], ["yes", "no"]])
def test_keras_of_two_classes(units: int, end: str, classes: Any) -> None:
    network = network_of(keras().layers.Dense(units, end, bias_initializer="uniform"))
    p = np.asarray(network(X.astype("float32")))[:, -1]
    model = MLPClassifier.from_keras(network, classes)
    column = 0 if classes == ["yes", "no"] else 1
    np.testing.assert_allclose(model.predict_proba(X)[:, column], p, atol=2e-6)
    names = np.asarray(classes or [0, 1])
    np.testing.assert_array_equal(model.predict(X), names[(p > 0.5).astype(int)])


def refused(layers: str) -> Any:
    of = keras().layers
    end = of.Dense(3, "softmax", name="end")
    bad = {
        "conv": ([of.Conv2D(2, 3, name="odd"), of.Flatten(), end], (8, 8, 1)),
        "axes": ([of.Dense(2, name="odd"), of.Flatten(), end], (8, 8)),
        "norm": ([of.Dense(2), of.BatchNormalization(name="odd"), end], (64,)),
        "two": ([of.Dense(2, "relu"), of.ReLU(name="odd"), end], (64,)),
        "capped": ([of.Dense(2), of.ReLU(6.0, name="odd"), end], (64,)),
        "slope": ([of.Dense(2), of.LeakyReLU(0.3, name="odd"), end], (64,)),
        "gelu": ([of.Dense(2, "gelu", name="odd"), end], (64,)),
        "mixed": ([of.Dense(2, "relu"), of.Dense(2, "tanh", name="odd"), end], (64,)),
        "inner": ([of.Dense(2, "softmax", name="odd"), end], (64,)),
        "logits": ([of.Dense(3, name="odd")], (64,)),
        "one": ([of.Dense(1, "softmax", name="odd")], (64,)),
    }
    found, shape = bad[layers]
    return network_of(*found, shape=shape)


@pytest.mark.parametrize(
    "layers",
    ["conv", "axes", "norm", "two", "capped", "slope", "gelu", "mixed", "inner", "logits", "one"],
)
def test_keras_layers_without_counterpart_are_named(layers: str) -> None:
    with pytest.raises(ValueError, match=r"layer.*'odd'"):
        MLPClassifier.from_keras(refused(layers))


def test_keras_networks_that_are_no_such_model() -> None:
    k = keras()
    dense, three = k.layers.Dense, network_of(k.layers.Dense(3, "sigmoid"))
    for call, error, message in (
        (lambda: MLPClassifier.from_keras(3), TypeError, "got a int, expected a keras.Sequential"),
        (
            lambda: MLPClassifier.from_keras(k.Sequential([dense(3)])),
            ValueError,
            "has no weights yet: begin it with keras.Input",
        ),
        (lambda: MLPClassifier.from_keras(three, [1, 2, 3]), ValueError, "Leave classes out"),
        (lambda: MLPRegressor.from_keras(three), ValueError, "'logistic', expected one of"),
        (
            lambda: MLPClassifier.from_keras(network_of(dense(3, "softmax")), [1, 1, 2]),
            ValueError,
            "expected 3 different labels",
        ),
        (
            lambda: MLPRegressor.from_keras(network_of(dense(1)), [0]),
            ValueError,
            "MLPRegressor has none, leave it out",
        ),
        (
            lambda: MLPRegressor.from_keras(network_of(dense(1), k.layers.Rescaling(2.0))),
            ValueError,
            "does not end in a Dense layer",
        ),
    ):
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize(
    ("name", "method", "extra"),
    [
        ("onnx", "to_onnx", "onnx"),
        ("keras", "to_keras", "tensorflow"),
        ("torch", "to_torch", "torch"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    name: str, method: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained("value")
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"{method} needs {name} .*'fastmlp\[{extra}\]'"):
        getattr(model, method)()


def test_labels_that_onnx_cannot_hold_are_refused() -> None:
    pytest.importorskip("onnx")
    labels = (Y > 4).astype(np.uint64) + np.uint64(2**63 - 1)
    model = MLPClassifier((5,), max_iter=2, random_state=0).fit(X, labels)
    with pytest.raises(ValueError, match=r"classes_ go up to 9223372036854775808, .* int64"):
        model.to_onnx()


# --- what is refused ---


@pytest.mark.parametrize(
    ("method", "library"),
    [
        ("to_sklearn", "sklearn"),
        ("to_onnx", "onnx"),
        ("to_keras", "keras"),
        ("to_torch", "torch"),
    ],
)
def test_weights_that_are_not_finite_stay_here(method: str, library: str) -> None:
    model = trained("value")
    model.coefs_[1][0, 0] = np.nan
    pytest.importorskip(library)
    with pytest.raises(
        ValueError, match=r"layer 2 has weights that are not finite, .* train again"
    ):
        getattr(model, method)()
    again = pickle.loads(pickle.dumps(model))  # to be looked at
    assert np.isnan(again.coefs_[1][0, 0])


def test_weights_that_are_not_finite_do_not_come_in() -> None:
    theirs = trained("value").to_sklearn()
    theirs.intercepts_[0][1] = np.inf
    with pytest.raises(ValueError, match="layer 1 has weights that are not finite"):
        MLPRegressor.from_sklearn(theirs)
