"""CuPy's ladder on a stand-in for CuPy: the same numbers on each rung, few launches, no waiting."""

from __future__ import annotations

import gc
import math
import operator
import sys
import warnings
import weakref
from typing import Any

import fake_cupy
import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import Backend, cupy_loop, get_backend
from fastmlp.backends import cupy as cupy_backend
from fastmlp.backends.record import python_scan
from fastmlp.core import (
    ACTIVATIONS,
    LOSSES,
    Activation,
    Augmentation,
    Optimizer,
    Recipe,
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
from fastmlp.core.tree import tree_map
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

pytestmark = pytest.mark.skipif(not fake_cupy.HAS_COMPILER, reason="g++ compiles the kernels")
RUNGS = ("captured", "fused", "plain")


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = fake_cupy.FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cupy_loop, "loaded_library", lambda _: fake.cublas)
    return fake


def backend_on(cupy: Any, rung: str) -> Backend:
    """A record that stands on a rung."""
    if rung != "captured":
        cupy.refuses["capture"] = RuntimeError("operation failed due to a previous error")
    if rung == "plain":
        cupy.refuses["compile"] = RuntimeError("compilation error")
    return cupy_backend.create(None)


def train(backend: Backend, recipe: Recipe, dtype: str, loss: str, n: int = 70) -> list[Any]:
    n_features = math.prod(recipe.augmentation.shape) if recipe.augmentation else 7
    X, y = make_problem(loss, n, n_features)
    X = X.astype("float32").astype(dtype)
    if recipe.scale != 1.0:
        X = np.abs(40 * X).astype("uint8")
    trainer = make_trainer(
        recipe, backend=backend, params=draw_params((n_features, 6, 5, 3), 0), dtype=dtype
    )
    reports: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the rungs that are left
        trainer.run(X, y, orders(n, 3), lambda epoch: reports.append(epoch.values))
    return [*leaves(trainer.params()), [list(values.values()) for values in reports]]


RECIPES = (
    ("softmax_cross_entropy", ("relu", "tanh"), gradient_descent(), 0.0, 1.0, "float32"),
    ("softmax_cross_entropy", ("relu", "relu"), adam(), 0.3, 1 / 255, "float32"),
    ("softmax_cross_entropy", ("logistic", "identity"), momentum(), 0.3, 1.0, "float64"),
    ("sigmoid_cross_entropy", ("tanh", "logistic"), nesterov(), 0.0, 1 / 255, "float64"),
    ("squared_error", ("identity", "relu"), adam(), 0.0, 1.0, "float64"),
)
# more is put around a step than the lecture has; tanh, as a rounding moves no kink of it
MOVES = Augmentation(
    (4, 5), shift_px=1.0, rotation_deg=30.0, scale=0.2, elastic_px=1.0, elastic_points=2
)
FURTHER: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": (0.2, 0.5, 0.25)},
    "dropout of one layer": {"dropout": (0.0, 0.0, 0.5), "scale": 1 / 255},
    "adamw": {"optimizer": adamw(weight_decay=0.1)},
    "rmsprop": {"optimizer": rmsprop()},
    "clip_by_norm": {"optimizer": clip_by_norm(momentum(), 0.1)},
    "max_norm": {"optimizer": max_norm(adam(), 0.5)},
    "cosine": {"optimizer": scheduled(adam(), "cosine", 20, 5)},
    "one_cycle": {"optimizer": scheduled(nesterov(), "one_cycle", 20)},
    "l1": {"l1": 0.2},
    "shift": {"augmentation": Augmentation((4, 5), shift_px=2.0), "scale": 1 / 255},
    "all moves": {"augmentation": MOVES},
    "moves and dropout": {"augmentation": MOVES._replace(shape=(8, 10)), "dropout": (0.2, 0.5, 0)},
}


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("name", FURTHER)
def test_every_rung_runs_what_is_put_around_a_step(cupy: Any, rung: str, name: str) -> None:
    loss = "softmax_cross_entropy"
    recipe = make_recipe(loss, ("tanh", "tanh"))._replace(**FURTHER[name])
    backend = backend_on(cupy, rung)
    got = train(backend, recipe, "float64", loss)
    assert backend.rung().name == rung
    for a, b in zip(got, train(get_backend("numpy"), recipe, "float64", loss), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("parts", RECIPES, ids=lambda parts: f"{parts[0]}-{parts[2].name}")
def test_every_rung_gives_the_numbers_of_numpy(cupy: Any, rung: str, parts: Any) -> None:
    loss, hidden, optimizer, l2, scale, dtype = parts
    recipe = make_recipe(loss, hidden, optimizer, l2, scale)
    backend = backend_on(cupy, rung)
    got = train(backend, recipe, dtype, loss)
    wanted = train(get_backend("numpy"), recipe, dtype, loss)
    assert backend.rung().name == rung
    limit = 1e-12 if dtype == "float64" else 2e-5
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=limit, atol=limit)


@pytest.mark.parametrize("n_outputs", [1, 2, 80])
@pytest.mark.parametrize("loss", LOSSES)
def test_outputs_may_be_few_or_many(cupy: Any, loss: str, n_outputs: int) -> None:
    X, y = make_problem(loss, 64, n_outputs=n_outputs)
    results = []
    for backend in (backend_on(cupy, "captured"), get_backend("numpy")):
        trainer = make_trainer(
            make_recipe(loss), backend=backend, params=draw_params((7, 5, n_outputs), 0)
        )
        trainer.run(X, y, orders(64, 2))
        results.append(leaves(trainer.params()))
        assert backend.rung().name in ("captured", "")
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_a_large_batch_is_learnt_in_blocks(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cupy_backend, "GPU_BLOCK_ROWS", 16)
    X, y = make_problem("softmax_cross_entropy", 120)
    results = []
    for backend in (backend_on(cupy, "captured"), get_backend("numpy")):
        trainer = make_trainer(make_recipe(l2=0.1), backend=backend, batch_size=40)
        trainer.run(X, y, orders(120, 2))
        results.append(leaves(trainer.params()))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_data_are_not_kept_from_being_freed(cupy: Any) -> None:
    backend = backend_on(cupy, "captured")
    trainer = make_trainer(make_recipe(), backend=backend)
    data = trainer.place(*make_problem("softmax_cross_entropy", 64))
    trainer.train(data, orders(64, 2))
    arrays: Any = data.arrays
    freed = [weakref.ref(array.host) for array in leaves(arrays)]
    del arrays
    del data
    gc.collect()
    assert [array() for array in freed] == [None, None]


def test_data_may_lie_in_any_order(cupy: Any) -> None:
    X, y = make_problem("softmax_cross_entropy", 64)
    results = []
    for order in ("C", "F"):
        backend = backend_on(cupy, "captured")
        trainer = make_trainer(make_recipe(), backend=backend)
        trainer.run(np.asarray(X, order=order), np.asarray(y, order=order), orders(64, 1))
        assert backend.rung().name == "captured"
        results.append(leaves(trainer.params()))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------------------- launches


def s_step(backend: Backend, n_steps: int = 4) -> Any:
    """Train the lecture's network for so many steps, compiled before; return what counts them."""
    recipe = make_recipe(scale=1 / 255)
    trainer = Trainer(
        backend,
        recipe,
        draw_params((784, 128, 10), 0),
        learning_rate=0.1,
        batch_size=128,
        dtype="float32",
    )
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(128 * n_steps, 784), dtype=np.uint8)
    data = trainer.place(X, one_hot(rng.integers(10, size=len(X)), 10))
    order = [epoch_order(len(X), 0, 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        trainer.train(data, order)
    return lambda: trainer.train(data, order)


@pytest.mark.parametrize(("rung", "most"), [("captured", 12), ("fused", 12), ("plain", 46)])
def test_a_step_is_few_launches(cupy: Any, rung: str, most: int) -> None:
    backend = backend_on(cupy, rung)
    counts, found = cupy.counts, []
    for n_steps in (4, 8):
        again = s_step(backend, n_steps)
        before = counts.launches + counts.in_graphs
        again()
        found.append(counts.launches + counts.in_graphs - before)
    per_step = (found[1] - found[0]) / 4
    print(rung, per_step)
    assert backend.rung().name == rung
    assert per_step <= most
    assert (counts.graphs > 0) == (rung == "captured")


def test_forward_and_backward_are_few_launches(cupy: Any) -> None:
    from fastmlp.core.step import gradient

    backend = backend_on(cupy, "plain")
    params = backend.place(draw_params((784, 128, 10), 0), "float32")
    x = backend.to_device(np.ones((128, 784)), "uint8")
    y = backend.to_device(np.eye(10)[np.zeros(128, int)], "float32")
    before = cupy.counts.launches
    gradient(backend.xp, make_recipe(scale=1 / 255), params, x, y, 1 / 128)
    assert cupy.counts.launches - before <= 36


@pytest.mark.parametrize("rung", RUNGS)
def test_an_epoch_waits_for_the_device_once_at_its_end(cupy: Any, rung: str) -> None:
    again = s_step(backend_on(cupy, rung))
    before = cupy.counts.syncs
    again()
    assert cupy.counts.syncs - before == 1, "the report is read"


# ---------------------------------------------------------------------------- replay


def test_a_state_of_the_host_is_found_out(cupy: Any) -> None:
    """The comparison above would see a number that was left behind in the graph."""
    taken = 0

    def update(xp: Any, params: Any, grads: Any, state: Any, rate: Any, t: Any) -> Any:
        nonlocal taken
        taken += 1
        return tree_map(lambda w, g: w - (rate / taken) * g, params, grads), state

    recipe = make_recipe(optimizer=Optimizer(gradient_descent().init, update, "counting"))
    got = train(
        backend_on(cupy, "captured"),
        recipe._replace(hidden=(ACTIVATIONS["relu"],) * 2),
        "float64",
        "softmax_cross_entropy",
    )
    taken = 0
    wanted = train(
        backend_on(cupy, "plain"),
        recipe._replace(hidden=(ACTIVATIONS["relu"],) * 2),
        "float64",
        "softmax_cross_entropy",
    )
    assert np.abs(got[0] - wanted[0]).max() > 1e-3


def test_a_graph_goes_on_with_other_data_and_another_rate(cupy: Any) -> None:
    recipe = make_recipe()
    results = []
    for backend in (backend_on(cupy, "captured"), get_backend("numpy")):
        found = []
        for seed, rate in ((0, 0.1), (1, 0.3)):
            X, y = make_problem("softmax_cross_entropy", 64, seed=seed)
            trainer = make_trainer(recipe, backend=backend, learning_rate=rate)
            trainer.run(X, y, orders(64, 2, seed))
            found += leaves(trainer.params())
        results.append(found)
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


# ---------------------------------------------------------------------------- falling back


def run(backend: Backend) -> list[Any]:
    X, y = make_problem("softmax_cross_entropy", 64)
    trainer = make_trainer(make_recipe(), backend=backend)
    trainer.run(X, y, orders(64, 2))
    return list(leaves(trainer.params()))


@pytest.mark.parametrize(
    ("what", "rung", "n_warnings"),
    [("capture", "fused", 1), ("gemm", "plain", 2), ("compile", "plain", 2)],
)
def test_a_rung_that_fails_is_left_once_and_says_why(
    cupy: Any, what: str, rung: str, n_warnings: int
) -> None:
    cupy.refuses[what] = RuntimeError("cudaErrorStreamCaptureUnsupported")
    backend = cupy_backend.create(None)
    with pytest.warns(RuntimeWarning, match="CuPy steps are (fused|plain) from now on") as seen:
        got = run(backend)
    assert len(seen) == n_warnings
    assert backend.rung().name == rung
    assert "captured failed with" in backend.rung().reason
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = run(backend)
    wanted = run(get_backend("numpy"))
    for a, b, c in zip(got, again, wanted, strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(a, b)


def test_a_step_without_kernels_runs_as_it_is_written(cupy: Any) -> None:
    power: Any = operator.pow
    mine = Activation(lambda xp, z: 0.1 * power(z, 3), lambda xp, z, a: 0.3 * power(z, 2))
    recipe = make_recipe()._replace(hidden=(mine,))
    X, y = make_problem("softmax_cross_entropy", 64)

    def weights(backend: Backend) -> list[Any]:
        trainer = make_trainer(recipe, backend=backend)
        trainer.run(X, y, orders(64, 2))
        return list(leaves(trainer.params()))

    backend = backend_on(cupy, "captured")
    with pytest.warns(
        RuntimeWarning, match=r"operation by operation: it has nothing for numpy.power"
    ) as seen:
        got = weights(backend)
    assert len(seen) == 1
    assert backend.rung().name == "plain"
    assert "numpy.power" in backend.rung().reason
    for a, b in zip(got, weights(get_backend("numpy")), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    run(backend)
    assert backend.rung().name == "captured", "what has kernels goes on as before"


def test_memory_that_is_not_there_changes_no_rung(cupy: Any) -> None:
    cupy.refuses["compile"] = fake_cupy.OutOfMemoryError("Out of memory allocating 8 bytes")
    backend = cupy_backend.create(None)
    with pytest.raises(MemoryError):
        run(backend)
    cupy.refuses.clear()
    run(backend)
    assert backend.rung().name == "captured"


# ---------------------------------------------------------------------------- any step


UNARY: tuple[Any, ...] = (
    lambda xp, a: a.T,
    lambda xp, a: -a,
    lambda xp, a: xp.tanh(a),
    lambda xp, a: 0.5 * a,
    lambda xp, a: a - xp.max(a, axis=1, keepdims=True),
    lambda xp, a: a / (1.0 + xp.sum(a * a, axis=1, keepdims=True)),
    lambda xp, a: a - 0.1 * xp.sum(a, axis=0),
    lambda xp, a: a / (1.0 + xp.sum(xp.abs(a))),
    lambda xp, a: a * xp.astype(xp.reshape(xp.argmax(a, axis=1), (3, 1)) > 1, a.dtype),
    lambda xp, a: a + a[:, 1:2],
    lambda xp, a: a[0:1, :] - 0.5 * a,
)
BINARY: tuple[Any, ...] = (
    lambda xp, a, b: a + b,
    lambda xp, a, b: 0.1 * (a @ b),
    lambda xp, a, b: xp.maximum(a, b),
    lambda xp, a, b: a * xp.astype(b > 0.0, a.dtype),
    lambda xp, a, b: a - xp.take(b, xp.argmax(a, axis=1), axis=0),
    lambda xp, a, b: a + 0.1 * xp.exp(-xp.abs(b)),
    lambda xp, a, b: xp.take_along_axis(a, xp.astype(b > 0.0, np.int32), axis=1),
)


@pytest.mark.parametrize(
    "change",
    [
        lambda xp, a, x: 0.5 * (a + a.T),
        lambda xp, a, x: a - a[:, 1:2],
        lambda xp, a, x: 0.5 * a + xp.take_along_axis(a, xp.astype(x > 0.0, np.int32), axis=1),
    ],
    ids=["turned", "column", "along rows"],
)
def test_no_thread_replaces_what_another_still_reads(cupy: Any, change: Any) -> None:
    rng = np.random.default_rng(0)
    host: Any = (rng.normal(size=(3, 3)),)
    xs: Any = rng.normal(size=(5, 3, 3))
    backend, numpy = backend_on(cupy, "captured"), get_backend("numpy")

    def steps(xp: Any) -> Any:
        return lambda carry, x, _: ((change(xp, carry[0], x),), (1.0 * x,))

    given = backend.place((host, xs), "float64")
    got = backend.fetch(backend.scan(steps(backend.xp), given[0], given[1], ()))
    assert backend.rung().name == "captured"
    wanted = python_scan(numpy.xp)(steps(numpy.xp), host, xs, ())
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["tanh", "abs"])
def test_a_kernel_takes_along_rows_what_another_has_computed(cupy: Any, name: str) -> None:
    def steps(xp: Any) -> Any:
        def f(carry: Any, x: Any, shared: Any) -> Any:
            values = getattr(xp, name)(carry[0] + shared)
            return (xp.take_along_axis(values, x, axis=1) - 0.5,), (1.0 * xp.sum(values),)

        return f

    rng = np.random.default_rng(0)
    host: Any = (rng.normal(size=(3, 4)),)
    xs: Any = rng.integers(4, size=(5, 3, 4)).astype(np.int32)
    shared: Any = rng.normal(size=(3, 4))
    backend, numpy = backend_on(cupy, "captured"), get_backend("numpy")
    placed = backend.place(host, "float64"), backend.to_device(xs, "int32")
    got = backend.scan(steps(backend.xp), *placed, backend.to_device(shared, "float64"))
    assert backend.rung().name == "captured"
    wanted = python_scan(numpy.xp)(steps(numpy.xp), host, xs, shared)
    for a, b in zip(leaves(backend.fetch(got)), leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_an_old_value_that_is_read_late_is_kept_till_then(cupy: Any) -> None:
    def f(carry: Any, x: Any, shared: Any) -> Any:
        a, b = carry
        return (0.5 * a, 0.1 * (b @ shared) + a), (1.0 * x,)  # a is there before the product

    rng = np.random.default_rng(0)
    host: Any = tuple(rng.normal(size=(3, 3)) for _ in range(2))
    xs: Any = rng.normal(size=(4, 3, 3))
    shared: Any = rng.normal(size=(3, 3))
    backend = backend_on(cupy, "captured")
    placed = [backend.place(tree, "float64") for tree in (host, xs, shared)]
    got = backend.fetch(backend.scan(f, *placed))
    assert backend.rung().name == "captured"
    wanted = python_scan(get_backend("numpy").xp)(f, host, xs, shared)
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_any_step_plays_as_it_is_written(cupy: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = rng.integers(99, size=(rng.integers(1, 9), 3)).tolist()
    picks = rng.integers(99, size=5).tolist()
    backend = backend_on(cupy, "captured")
    host: Any = tuple(rng.normal(size=(3, 3)) for _ in range(3))
    xs: Any = rng.normal(size=(4, 3, 3))
    shared: Any = rng.normal(size=(3, 3))

    def steps(xp: Any) -> Any:
        def f(carry: Any, x: Any, shared: Any) -> Any:
            values = [*carry, 1.5 * x, shared]
            for op, i, j in program:
                op %= len(UNARY) + len(BINARY)
                a, b = values[i % len(values)], values[j % len(values)]
                two = op >= len(UNARY)
                values.append(BINARY[op - len(UNARY)](xp, a, b) if two else UNARY[op](xp, a))
            chosen = [values[-1 - pick % len(values)] for pick in picks]
            ends = [0.5 * value - 0.1 * old for value, old in zip(chosen, carry, strict=False)]
            return tuple(ends), (chosen[3] * 2.0, xp.tanh(chosen[4]), xp.sum(values[-1]))

        return f

    numpy = get_backend("numpy")
    wanted = python_scan(numpy.xp)(steps(numpy.xp), host, xs, shared)
    placed = [backend.place(tree, "float64") for tree in (host, xs, shared)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        got = backend.fetch(backend.scan(steps(backend.xp), *placed))
    assert backend.rung().name in ("captured", "plain")
    assert "failed" not in backend.rung().reason
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    for given, kept in zip(leaves(backend.fetch(placed[0])), host, strict=True):
        np.testing.assert_array_equal(given, kept)
