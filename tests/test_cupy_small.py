"""Networks of one unit, one feature or one row, where many shapes look alike, on CuPy's ladder."""

from __future__ import annotations

import math
import operator
import sys
import warnings
from typing import Any

import fake_cupy
import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.backends import Backend, cupy_loop, get_backend
from fastmlp.backends import cupy as cupy_backend
from fastmlp.backends.record import python_scan
from fastmlp.core import (
    ACTIVATIONS,
    LOSSES,
    Activation,
    Augmentation,
    adam,
    adamw,
    clip_by_norm,
    gradient_descent,
    max_norm,
    momentum,
    nesterov,
    rmsprop,
    scheduled,
)
from fastmlp.training import draw_params

pytestmark = pytest.mark.skipif(not fake_cupy.HAS_COMPILER, reason="g++ compiles the kernels")
OPTIMIZERS = (
    gradient_descent(),
    nesterov(),
    adam(),
    adamw(weight_decay=0.1),
    rmsprop(),
    clip_by_norm(momentum(), 0.1),
    max_norm(adam(), 0.5),
    scheduled(adam(), "cosine", 20, 5),
)
MOVES = (
    None,
    None,
    Augmentation((2, 2), shift_px=1.0),
    Augmentation((3, 2), shift_px=1.0, rotation_deg=30.0, elastic_px=1.0, elastic_points=2),
)


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = fake_cupy.FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cupy_loop, "loaded_library", lambda _: fake.cublas)
    return fake


def train(backend: Backend, recipe: Any, sizes: Any, n: int, batch: int, **how: Any) -> list[Any]:
    (loss,) = (name for name, found in LOSSES.items() if found is recipe.loss)
    X, y = make_problem(loss, n, sizes[0], sizes[-1])
    if recipe.scale != 1.0:
        X = np.abs(40 * X).astype("uint8")
    weights = how.get("weights")
    trainer = make_trainer(
        recipe,
        backend=backend,
        params=draw_params(sizes, 0),
        batch_size=batch,
        learning_rate=0.05,
        dtype=how.get("dtype", "float64"),
    )
    reports: list[Any] = []
    trainer.run(
        X, y, orders(n, 2), lambda epoch: reports.append([*epoch.values.values()]), weights=weights
    )
    return [*leaves(trainer.params()), reports]


def compare(recipe: Any, sizes: Any, n: int, batch: int, **how: Any) -> None:
    backend = cupy_backend.create(None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = train(backend, recipe, sizes, n, batch, **how)
    assert backend.rung() == ("captured", "")
    wanted = train(get_backend("numpy"), recipe, sizes, n, batch, **how)
    limit = 1e-4 if how.get("dtype") == "float32" else 1e-10
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=limit, atol=limit)


@pytest.mark.parametrize("hidden", [(), (1,), (1, 1), (3, 1), (1, 3)])
@pytest.mark.parametrize(("n", "batch"), [(33, 16), (3, 1)])
@pytest.mark.parametrize("loss", ["sigmoid_cross_entropy", "squared_error"])
def test_one_output(cupy: Any, hidden: Any, n: int, batch: int, loss: str) -> None:
    recipe = make_recipe(loss, ("tanh",) * len(hidden))
    compare(recipe, (4, *hidden, 1), n, batch)


@pytest.mark.parametrize("n_outputs", [1, 2, 3, 4])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_rest_of_one_row(cupy: Any, loss: str, n_outputs: int) -> None:
    compare(make_recipe(loss, ("tanh",)), (3, 2, n_outputs), 9, 4)


def test_one_feature(cupy: Any) -> None:
    compare(make_recipe("squared_error", ()), (1, 1), 33, 16)
    compare(make_recipe(hidden=()), (1, 3), 9, 4)


def test_estimators_of_one_output(cupy: Any, fresh_registry: None) -> None:
    X = np.random.default_rng(0).normal(size=(33, 4))
    how: Any = {"hidden_layer_sizes": (5,), "batch_size": 16, "max_iter": 2, "tol": 0.0}
    for model, y in ((MLPClassifier, X[:, 0] > 0), (MLPRegressor, X[:, 0])):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            fitted = model(**how, backend="cupy", random_state=0).fit(X, y)
        assert fitted._trainer.backend.rung() == ("captured", "")


@pytest.mark.parametrize("seed", range(10))
def test_any_small_network(cupy: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def pick(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    hidden = [pick(1, 1, 2, 3, 4) for _ in range(rng.integers(4))]
    names = tuple(pick(*ACTIVATIONS) for _ in hidden)
    moves, batch, dtype = pick(*MOVES), pick(1, 2, 4, 16), pick("float32", "float64", "float64")
    n = pick(batch + 1, 2 * batch + 1, 2 * batch, 3 * batch + 2, 1)
    n_features = math.prod(moves.shape) if moves else pick(1, 1, 2, 3, 4)
    recipe = make_recipe(
        pick(*LOSSES), names, pick(*OPTIMIZERS), pick(0.0, 0.1), pick(1.0, 1 / 255)
    )
    recipe = recipe._replace(
        dropout=pick((), tuple(pick(0.0, 0.3) for _ in range(len(hidden) + 1))),
        augmentation=moves,
        l1=pick(0.0, 0.0, 0.05),
    )
    weights = pick(None, None, rng.uniform(0.5, 1.5, n).astype(dtype))
    sizes = (n_features, *hidden, pick(1, 1, 2, 3, 4))
    compare(recipe, sizes, n, batch, dtype=dtype, weights=weights)


def test_the_rung_tells_of_steps_that_ran_on_another(cupy: Any) -> None:
    power: Any = operator.pow

    def unlike(xp: Any, z: Any) -> Any:  # of the rest alone, NumPy's power has no kernel
        return power(z, 2) if z.shape[0] == 2 else z * z

    mine = Activation(lambda xp, z: 0.1 * unlike(xp, z), lambda xp, z, a: 0.2 * z)
    recipe = make_recipe()._replace(hidden=(mine,))
    X, y = make_problem("softmax_cross_entropy", 34)
    backend = cupy_backend.create(None)
    trainer = make_trainer(recipe, backend=backend)
    with pytest.warns(RuntimeWarning, match=r"has nothing for numpy.power") as seen:
        trainer.run(X, y, orders(34, 2))
    assert len(seen) == 1
    assert seen[0].filename == __file__
    name, reason = backend.rung()
    assert name == "captured"
    assert reason.startswith("2 of 6 steps ran plain: no captured step for numpy.power")


def scan_of(cupy: Any, f: Any, host: Any, xs: Any, shared: Any) -> tuple[Backend, Any, Any]:
    """Answers of a loop on CuPy and as it is written."""
    backend, numpy = cupy_backend.create(None), get_backend("numpy")
    placed = [
        backend.to_device(x, x.dtype.name) if isinstance(x, np.ndarray) else x for x in (xs, shared)
    ]
    got = backend.scan(lambda *a: f(backend.xp, *a), backend.place(host, "float64"), *placed)
    wanted = python_scan(numpy.xp)(lambda *a: f(numpy.xp, *a), host, xs, shared)
    return backend, backend.fetch(got), wanted


def test_a_row_is_taken_where_columns_are_many(cupy: Any) -> None:
    def f(xp: Any, carry: Any, x: Any, shared: Any) -> Any:
        taken = xp.take(shared, x, axis=0)  # (1, 1)
        return (0.5 * carry[0] + taken,), (1.0 * xp.sum(carry[0]),)

    rng = np.random.default_rng(0)
    host: Any = (rng.normal(size=(1, 4)),)
    xs, shared = rng.integers(5, size=(3, 1)).astype(np.int32), rng.normal(size=(5, 1))
    backend, got, wanted = scan_of(cupy, f, host, xs, shared)
    assert backend.rung().name == "captured"
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_rows_of_a_turned_matrix_are_its_own(cupy: Any) -> None:
    def f(xp: Any, carry: Any, x: Any, shared: Any) -> Any:
        return (0.5 * carry[0] + xp.max(shared.T, axis=1),), (1.0 * x,)

    rng = np.random.default_rng(0)
    host: Any = (rng.normal(size=4),)
    backend, got, wanted = scan_of(cupy, f, host, rng.normal(size=(3, 2)), rng.normal(size=(3, 4)))
    assert backend.rung().name == "captured"
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
