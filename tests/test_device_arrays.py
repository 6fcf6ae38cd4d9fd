"""Arrays of a device in, arrays of that device out: X never goes through the host."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import fake_cupy
import numpy as np
import pytest
from source_tree import ROOT
from strict_backend import strict_device

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.backends import (
    Backend,
    BackendUnavailableError,
    array_backend,
    backend_status,
    cupy_loop,
    get_backend,
    owners,
    registry,
)
from fastmlp.backends import cupy as cupy_backend
from fastmlp.backends.registry import Source
from fastmlp.data import load_digits
from fastmlp.estimators import arrays

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS = load_digits()
N, N_TEST = 200, 90
X = DIGITS.X_train[:N] / 16.0
X_TEST = DIGITS.X_test[:N_TEST] / 16.0
Y = DIGITS.y_train[:N]
TARGETS: dict[str, Any] = {
    "multiclass": Y,
    "binary": (Y > 4).astype(np.int32),
    "odd numbers": np.where(Y > 4, 7.0, -1.0),
    "multilabel": np.stack([Y > 4, Y % 2 == 0], axis=1).astype(np.int64),
    "one class": np.full(N, 3),
}
TEXT = np.asarray(["low", "high"])[(Y > 4).astype(int)]
QUICK: dict[str, Any] = {"hidden_layer_sizes": (12,), "max_iter": 2, "random_state": 0}


class Machine:
    """A backend that counts what is brought to the host through it."""

    def __init__(self, real: Backend) -> None:
        self.fetched: list[int] = []  # numbers of each array

        def to_host(array: Any) -> Any:
            host = real.to_host(array)
            self.fetched.append(host.size)
            return host

        # blocks of 64 rows, so that the answers are put together from two
        self.backend = replace(real, to_host=to_host, block_rows=64)

    def place(self, host: Any, dtype: str = "float32") -> Any:
        """Bring it to the device."""
        return self.backend.to_device(host, dtype)

    def fetch(self, array: Any) -> Any:
        """Bring it to the host, uncounted."""
        host = self.backend.to_host(array)
        self.fetched.pop()
        return host


@pytest.fixture(params=["strict", "cupy", "jax", "torch"])
def machine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, fresh_registry: None
) -> Iterator[Machine]:
    """Put a counting backend in the place of the real one; the strict one refuses all else."""
    name: str = request.param
    with ExitStack() as stack:
        if name == "strict":
            real, library = stack.enter_context(strict_device(static_shapes=True)), "strict"
            owner = library, lambda array: str(array.device)
            monkeypatch.setitem(owners.ARRAY_PACKAGES, "array_api_strict", owner)
        elif name == "cupy":
            if not fake_cupy.HAS_COMPILER:
                pytest.skip("g++ compiles the kernels")
            fake = fake_cupy.FakeCupy()
            monkeypatch.setitem(sys.modules, "cupy", fake)
            monkeypatch.setattr(cupy_loop, "loaded_library", lambda _: fake.cublas)
            real, library = cupy_backend.create(None), "cupy"
            monkeypatch.setitem(owners.ARRAY_PACKAGES, "fake_cupy", ("cupy", lambda _: "cuda:0"))
        else:
            if not backend_status(name).available:
                pytest.skip(f"{name} is not installed")
            real, library = get_backend(name), name
            registry._make.cache_clear()
        machine = Machine(real)

        def create(device: str | None, precision: str) -> Backend:
            if precision != "float32" or device not in (None, real.device, "cpu:0"):
                raise BackendUnavailableError(library, f"{device=}, {precision=}", "")
            return machine.backend

        monkeypatch.setitem(registry.BUILT_IN, library, Source(lambda: create, library, ""))
        yield machine


def silent(machine: Machine, limit: int) -> None:
    """Assert that no array as large as that was brought to the host."""
    assert machine.fetched, "nothing was counted"
    assert max(machine.fetched) < limit, machine.fetched


def test_the_count_counts(machine: Machine) -> None:
    device_X = machine.place(X)
    arrays.as_host(device_X)
    with pytest.raises(AssertionError):
        silent(machine, X.size)


@pytest.mark.parametrize("target", TARGETS)
def test_answers_stay_on_the_device(machine: Machine, target: str) -> None:
    y = TARGETS[target]
    model = MLPClassifier(**QUICK).fit(machine.place(X), machine.place(y, y.dtype.name))
    device_X = machine.place(X_TEST)
    machine.fetched.clear()
    answers = {
        name: getattr(model, name)(device_X)
        for name in ("predict", "predict_proba", "predict_log_proba")
    }
    silent(machine, 2)  # whether all is finite
    for name, answer in answers.items():
        assert type(answer) is type(device_X)
        assert array_backend(answer) is machine.backend
        with np.errstate(divide="ignore"):
            expected = getattr(model, name)(X_TEST.astype("float32"))
        host = machine.fetch(answer)
        assert isinstance(expected, np.ndarray)
        assert (host.shape, host.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(host, expected, rtol=1e-6, atol=1e-6)


def test_text_is_numpys(machine: Machine) -> None:
    model = MLPClassifier(**QUICK).fit(machine.place(X), TEXT)
    machine.fetched.clear()
    labels = model.predict(machine.place(X_TEST))
    silent(machine, N_TEST + 1)
    assert isinstance(labels, np.ndarray)
    np.testing.assert_array_equal(labels, model.predict(X_TEST.astype("float32")))
    one = MLPClassifier(**QUICK).fit(machine.place(X), np.full(N, "only"))
    assert set(one.predict(machine.place(X_TEST))) == {"only"}


@pytest.mark.parametrize("y", [Y * 1.0, X[:, 20:23]], ids=["one output", "three outputs"])
def test_values_stay_on_the_device(machine: Machine, y: Any) -> None:
    model = MLPRegressor(**QUICK).fit(machine.place(X), machine.place(y))
    device_X = machine.place(X_TEST)
    machine.fetched.clear()
    answer = model.predict(device_X)
    silent(machine, 2)
    assert type(answer) is type(device_X)
    expected = model.predict(X_TEST.astype("float32"))
    host = machine.fetch(answer)
    assert (host.shape, host.dtype) == (expected.shape, np.float32)
    np.testing.assert_allclose(host, expected, rtol=1e-5, atol=1e-6)


TRAININGS: dict[str, dict[str, Any]] = {
    "adam": {},
    "sgd without a penalty": {"solver": "sgd", "alpha": 0.0},
    "early stopping": {"early_stopping": True},
    "float64": {"dtype": "float64"},
    "lbfgs": {"solver": "lbfgs"},
}


@pytest.mark.parametrize("training", TRAININGS)
def test_x_of_a_fit_stays_on_the_device(machine: Machine, training: str) -> None:
    choices = {**QUICK, **TRAININGS[training]}
    weights = np.linspace(0.5, 1.5, N)
    machine.fetched.clear()
    model = MLPClassifier(**choices)
    model.fit(
        machine.place(X),
        machine.place(Y, "int32"),
        machine.place(weights),
        X_val=machine.place(X_TEST),
        y_val=machine.place(DIGITS.y_test[:N_TEST], "int32"),
    )
    # y, the weights, the network, its outputs for validation: all of them smaller than X_val
    silent(machine, X_TEST.size)
    assert model.backend_ == machine.backend.name
    twin = clone(model).set_params(backend=machine.backend)
    twin.fit(
        X.astype("float32"),
        Y,
        weights,
        X_val=X_TEST.astype("float32"),
        y_val=DIGITS.y_test[:N_TEST],
    )
    assert twin.coefs_[0].dtype == model.coefs_[0].dtype
    for a, b in zip(model.coefs_, twin.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.history_["val_loss"], twin.history_["val_loss"], rtol=1e-4)
    assert model.n_features_in_ == twin.n_features_in_ == 64


def test_a_part_is_split_off_on_the_device(machine: Machine) -> None:
    choices = {**QUICK, "early_stopping": True, "validation_fraction": 0.3}
    machine.fetched.clear()
    model = MLPClassifier(**choices).fit(machine.place(X), Y)
    silent(machine, int(0.3 * N) * 64)
    twin = MLPClassifier(**choices, backend=machine.backend).fit(X.astype("float32"), Y)
    assert model.validation_scores_ == twin.validation_scores_


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64", "bool"])
def test_x_of_any_dtype_is_cast_on_the_device(machine: Machine, dtype: str) -> None:
    host = DIGITS.X_train[:N].astype(dtype)
    device_X = machine.place(host, dtype)
    machine.fetched.clear()
    model = MLPClassifier(**QUICK).fit(device_X, Y)
    probabilities = model.predict_proba(device_X)
    silent(machine, X.size)
    assert model.coefs_[0].dtype == np.float64
    twin = MLPClassifier(**QUICK, backend=machine.backend).fit(host, Y)
    np.testing.assert_allclose(model.coefs_[0], twin.coefs_[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(machine.fetch(probabilities), twin.predict_proba(host), atol=1e-9)


def test_scores_compare_on_the_host(machine: Machine) -> None:
    device_X, weights = machine.place(X), machine.place(np.linspace(0.0, 1.0, N))
    for model, y in ((MLPClassifier(**QUICK), Y), (MLPRegressor(**QUICK), 1.0 * Y)):
        device_y = machine.place(y)
        model.fit(device_X, device_y)
        machine.fetched.clear()
        score = model.score(device_X, device_y, weights)
        silent(machine, N + 1)
        expected = model.score(X.astype("float32"), y, np.linspace(0.0, 1.0, N))
        assert isinstance(score, float)
        assert score == pytest.approx(expected, rel=1e-5)


def test_parts_and_warm_starts_go_on_on_the_device(machine: Machine) -> None:
    model = MLPClassifier(**QUICK)
    model.partial_fit(machine.place(X), machine.place(Y, "int32"), classes=np.arange(10))
    twin = MLPClassifier(**QUICK).partial_fit(X.astype("float32"), Y, classes=np.arange(10))
    machine.fetched.clear()
    model.partial_fit(machine.place(X), machine.place(Y, "int32"))
    silent(machine, X.size)
    twin.partial_fit(X.astype("float32"), Y)
    np.testing.assert_allclose(model.coefs_[0], twin.coefs_[0], rtol=0, atol=1e-5)


def test_nothing_is_written_into_the_array(machine: Machine) -> None:
    device_X = machine.place(X)
    model = MLPClassifier(**QUICK).fit(device_X, Y)
    model.predict(device_X)
    np.testing.assert_array_equal(machine.fetch(device_X), X.astype("float32"))


def test_what_was_pickled_follows_x_again(machine: Machine) -> None:
    model = MLPClassifier(**QUICK).fit(machine.place(X), Y)
    again = pickle.loads(pickle.dumps(model))
    machine.fetched.clear()
    labels = again.predict(machine.place(X_TEST))
    silent(machine, 2)
    np.testing.assert_array_equal(machine.fetch(labels), model.predict(X_TEST))


def test_another_device_than_the_networks_is_answered_in_kind(machine: Machine) -> None:
    model = MLPClassifier(**QUICK, backend="numpy").fit(X, Y)
    device_X = machine.place(X_TEST)
    machine.fetched.clear()
    answer = model.predict(device_X)
    assert type(answer) is type(device_X)
    assert X_TEST.size in machine.fetched, "said in docs/scikit-learn.md"


# --- what is wrong with X is said in the same words ---


def bad(kind: str) -> Any:
    host = X_TEST.astype("float32").copy()
    if kind == "NaN":
        host[3, 4] = np.nan
        host[0, 0] = np.inf
    elif kind in ("infinity", "-inf"):
        host[3, 4] = {"infinity": np.inf, "-inf": -np.inf}[kind]
    return {
        "no rows": host[:0],
        "no columns": host[:, :0],
        "one axis": host[0],
        "three axes": host[None],
        "a column less": host[:, 1:],
    }.get(kind, host)


MESSAGES = {
    "NaN": r"Input X contains NaN",
    "infinity": r"Input X contains infinity or a value too large for dtype\('float32'\)",
    "-inf": r"Input X contains infinity or a value too large for dtype\('float32'\)",
    "no rows": r"Found array with 0 sample\(s\) \(shape=\(0, 64\)\) while a minimum of 1",
    "no columns": r"Found array with 0 feature\(s\) \(shape=\(90, 0\)\) while a minimum of",
    "one axis": r"Expected 2D array, got 1D array instead",
    "three axes": r"Found array with dim 3",
    "a column less": r"X has 63 features, but MLPClassifier is expecting 64 features",
}


# NumPy computes for the stand-in of CuPy, and warns, as CuPy would not
numpy_computes_for_cupy = pytest.mark.filterwarnings("ignore:(invalid|overflow):RuntimeWarning")


@numpy_computes_for_cupy
@pytest.mark.parametrize("kind", MESSAGES)
def test_bad_x(machine: Machine, kind: str) -> None:
    model = MLPClassifier(**QUICK).fit(machine.place(X), Y)
    before = vars(model).copy()
    machine.fetched.clear()
    for use in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match=MESSAGES[kind]):
            use(bad(kind))  # NumPy's, for the same words
        with pytest.raises(ValueError, match=MESSAGES[kind]):
            use(machine.place(bad(kind)))
    if kind != "a column less":
        with pytest.raises(ValueError, match=MESSAGES[kind]):
            model.fit(machine.place(bad(kind)), Y[: bad(kind).shape[0]])
    assert max(machine.fetched, default=0) <= N
    assert vars(model) == before, "it stays the one it was"


@numpy_computes_for_cupy
def test_bad_use(machine: Machine) -> None:
    device_X = machine.place(X)
    with pytest.raises(NotFittedError):
        MLPClassifier().predict(device_X)
    model = MLPClassifier(**QUICK)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(device_X, Y[:-1])
    with pytest.raises(ValueError, match="X_val, y_val: Input X contains NaN"):
        model.fit(device_X, Y, X_val=machine.place(bad("NaN")), y_val=Y[:N_TEST])
    assert not hasattr(model, "n_features_in_")
    large = MLPClassifier(**QUICK, dtype="float32").fit(device_X, Y)
    with pytest.raises(ValueError, match="the outputs are not finite"):
        large.predict(machine.place(1e300 * X, "float64"))


def test_jax_brings_nothing_to_the_host_that_was_not_asked_for() -> None:
    jax = pytest.importorskip("jax")
    device_X, weights = get_backend("jax").to_device(X, "float32"), np.ones(N)
    with jax.transfer_guard_device_to_host("disallow"):
        try:
            np.asarray(device_X + 1.0)
        except Exception:
            pass
        else:
            pytest.skip("on this device nothing is a transfer to JAX's guard")
        model = MLPClassifier(**QUICK).fit(device_X, Y, weights)
        for name in ("predict", "predict_proba", "predict_log_proba"):
            getattr(model, name)(device_X)


def test_torch_brings_nothing_to_the_host_but_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    device_X = torch.asarray(X, dtype=torch.float32)
    model = MLPClassifier(**QUICK).fit(device_X, Y)
    sizes, numpy = [], torch.Tensor.numpy

    def counted(self: Any, *args: Any, **settings: Any) -> Any:
        sizes.append(self.numel())
        return numpy(self, *args, **settings)

    monkeypatch.setattr(torch.Tensor, "numpy", counted)
    model.predict_log_proba(device_X)
    labels = model.predict(device_X)
    assert sizes == [1, 1, 1, 1]
    np.asarray(labels)
    assert sizes[-1] == N, "an implicit way is seen, too"


def test_gradients_of_the_caller_are_not_followed() -> None:
    torch = pytest.importorskip("torch")
    device_X = torch.asarray(X, dtype=torch.float32).requires_grad_()
    model = MLPClassifier(**QUICK).fit(device_X, Y)
    assert not model.predict_proba(device_X).requires_grad


def test_float64_survives_where_jax_is_left_at_32_bits() -> None:
    pytest.importorskip("jax")
    backend = get_backend("jax")
    rows = np.random.default_rng(0).normal(size=(2500, 3)) * np.asarray([1.0, 1e9, 1.0])
    y = rows[:, 0]
    device_rows = backend.to_device(rows, "float64")
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(device_rows, y)
    answer = model.predict(device_rows)
    assert answer.dtype == np.float64
    np.testing.assert_allclose(backend.to_host(answer), model.predict(rows), rtol=1e-12)


DISPATCH = """
import numpy as np, warnings
warnings.simplefilter("ignore")
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.backends import get_backend
from fastmlp.data import load_digits

backend = get_backend(NAME)
digits = load_digits()
X, y = digits.X_train[:300].astype("float32"), digits.y_train[:300]
device_X, device_y = backend.to_device(X, "float32"), backend.to_device(y, "int64")
choices = {"random_state": 0, "max_iter": 20, "learning_rate_init": 0.01}
scaler = StandardScaler() if NAME == "torch" else "passthrough"  # it writes into its arrays
chain = make_pipeline(scaler, MLPClassifier(**choices))
with config_context(array_api_dispatch=True):
    chain.fit(device_X, device_y)
    labels, p = chain.predict(device_X), chain.predict_proba(device_X)
    score = chain.score(device_X, device_y)
    values = MLPRegressor(max_iter=2).fit(device_X, device_y).predict(device_X)
assert chain[-1].backend_ == NAME
assert type(labels) is type(p) is type(values) is type(device_X)
twin = make_pipeline(scaler, MLPClassifier(**choices))
twin.fit(X, y)
np.testing.assert_allclose(backend.to_host(p), twin.predict_proba(X), atol=1e-3)
assert abs(score - twin.score(X, y)) < 0.02 and score > 0.9
"""


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_scikit_learn_dispatches(name: str) -> None:
    """In a process of its own: SciPy reads its variable when it is imported."""
    pytest.importorskip(name)
    if not get_tags(StandardScaler()).array_api_support:
        pytest.skip("this scikit-learn's scaler is NumPy's alone")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-c", f"NAME = {name!r}\n{DISPATCH}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_complex_numbers_are_refused_in_scikit_learns_words() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="Complex data not supported"):
        MLPClassifier(**QUICK).fit(torch.asarray(X + 1j), Y)


@pytest.mark.parametrize("name", ["jax", "torch"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
def test_labels_of_every_unsigned_dtype(name: str, dtype: str) -> None:
    status = backend_status(name)
    if not status.available:
        pytest.skip(status.reason)
    backend = get_backend(name)
    model = MLPClassifier(**QUICK).fit(backend.to_device(X, "float32"), Y.astype(dtype))
    answer = model.predict(backend.to_device(X_TEST, "float32"))
    assert array_backend(answer) == backend
    expected = MLPClassifier(**QUICK, dtype="float32").fit(X, Y).predict(X_TEST)
    assert (backend.to_host(answer) == expected).mean() > 0.98
    if dtype != "uint64":  # which JAX has in its 64-bit mode only
        assert backend.to_host(answer).dtype == dtype


def test_sparse_tensors_are_named() -> None:
    torch = pytest.importorskip("torch")
    dense = torch.as_tensor(X)
    model = MLPClassifier(**QUICK).fit(X, Y)
    message = r"X is a tensor with layout torch\.sparse_coo, expected .* X\.to_dense\(\), or a"
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**QUICK).fit(dense.to_sparse(), Y)
    with pytest.raises(ValueError, match=message):
        model.predict(dense.to_sparse())
    with pytest.raises(ValueError, match=r"y is a tensor with layout torch\.sparse_coo, expected"):
        MLPClassifier(**QUICK).fit(X, torch.as_tensor(Y).to_sparse())


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_what_jax_traces_is_named(backend: str) -> None:
    jax = pytest.importorskip("jax")
    model = MLPClassifier(**QUICK, backend=backend).fit(X, Y)
    for traced in (jax.jit(model.predict), jax.grad(lambda x: model.predict_proba(x)[0, 0])):
        with pytest.raises(
            TypeError, match=r"X is a \w*Tracer of JAX, expected an array .* outside"
        ):
            traced(jax.numpy.asarray(X))
