"""What every backend record promises, and what a step leaves untouched."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any, cast

import numpy as np
import pytest
from many_loop import loop_vmap
from problems import leaves, make_carry, make_problem, make_recipe
from strict_backend import read_only_numpy, strict_device

from fastmlp.backends import Backend
from fastmlp.core import Carry, Layer, adam, gradient_descent, nesterov
from fastmlp.core.tree import tree_map
from fastmlp.training import Data, draw_params, epoch_order, programs

XP: Any = np


def loop(f: Any, carry: Any, xs: Any, shared: Any) -> tuple[Any, tuple[Any, ...]]:
    """Scan over host arrays, as the documentation of jax.lax.scan says it in Python."""
    columns: list[list[Any]] = []
    for x in xs:
        carry, y = f(carry, x, shared)
        columns.append(list(y))
    return carry, tuple(np.stack(column) for column in zip(*columns, strict=True))


@pytest.mark.parametrize("length", [1, 5])
def test_scan_equals_the_python_loop(backend: Backend, length: int) -> None:
    rows = np.asarray([[3, 1], [0, 2], [2, 2], [1, 0], [3, 3]], dtype=np.int32)[:length]
    table = np.asarray([[0.5, -1.0], [0.25, 2.0], [-3.0, 0.125], [1.0, -0.75]])
    start = (Layer(W=XP.asarray([[1.0, 2.0]]), b=XP.asarray([0.5, -0.5])), (np.asarray(1.5),))

    def body(xp: Any) -> Any:
        def f(carry: Any, rows: Any, table: Any) -> Any:
            """Depends on the order of the rows, and gives two results of different shapes."""
            layer, (c,) = carry
            picked = xp.sum(xp.take(table, rows, axis=0), axis=0)
            layer = Layer(W=0.5 * layer.W - picked * layer.b, b=layer.b + c * picked)
            c = xp.tanh(c + xp.sum(layer.b))
            return (layer, (c,)), (c, layer.b)

        return f

    @backend.jit
    def scan(carry: Any, table: Any, rows: Any) -> Any:
        return backend.scan(body(backend.xp), carry, rows, table)

    carry, ys = scan(
        backend.place(start, "float64"),
        backend.to_device(table, "float64"),
        backend.to_device(rows, "int32"),
    )
    expected_carry, expected_ys = loop(body(np), start, rows, table)
    assert isinstance(carry[0], Layer)
    assert isinstance(ys, tuple)
    actual = leaves(backend.fetch((carry, ys)))
    for got, wanted in zip(actual, leaves((expected_carry, expected_ys)), strict=True):
        assert got.shape == np.shape(wanted)
        np.testing.assert_allclose(got, wanted, rtol=1e-14, atol=1e-14)


def test_jit_keeps_values_whatever_comes_in_next(backend: Backend) -> None:
    def f(xp: Any, tree: Any, x: Any) -> Any:
        return (xp.tanh(x @ tree[0].W + tree[0].b), (xp.sum(x * x),))

    compiled = backend.jit(lambda tree, x: f(backend.xp, tree, x))
    rng = np.random.default_rng(2)
    for n, dtype in [(3, "float64"), (3, "float64"), (5, "float64"), (3, "float32")]:
        tree = draw_params((4, 2), rng)
        x = rng.normal(size=(n, 4))
        got = backend.fetch(compiled(backend.place(tree, dtype), backend.to_device(x, dtype)))
        expected = f(np, *tree_map(lambda host, dtype=dtype: host.astype(dtype), (tree, x)))
        for actual, wanted in zip(leaves(got), leaves(expected), strict=True):
            assert actual.dtype == dtype
            eps = float(np.finfo(dtype).eps)
            np.testing.assert_allclose(actual, wanted, rtol=8 * eps, atol=4 * eps)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 3), (2, 3, 4)])
def test_arrays_come_back_as_they_went(
    backend: Backend, dtype: str, shape: tuple[int, ...]
) -> None:
    host = np.asarray(np.random.default_rng(1).uniform(0, 200, shape)).astype(dtype)
    placed = backend.to_device(host, dtype)
    assert tuple(placed.shape) == shape
    back = backend.to_host(placed)
    assert type(back) is np.ndarray
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, host)
    back += 1  # it is the caller's own
    np.testing.assert_array_equal(backend.to_host(placed), host)


def test_many_cases_at_once_equal_one_after_the_other(backend: Backend) -> None:
    if backend.many is None:
        pytest.skip("it takes one case at a time")
    many, rng = backend.many, np.random.default_rng(3)
    start = rng.normal(size=(4, 2, 3)), (rng.normal(size=4),)
    shared = rng.normal(size=(5, 3))
    rows = rng.integers(5, size=(4, 6, 2))

    def of_one(xp: Any, scan: Any) -> Any:
        def body(carry: Any, rows: Any, table: Any) -> Any:
            W, (c,) = carry
            W = 0.5 * W - xp.tanh(c) * xp.take(table, rows, axis=0)
            return (W, (c + xp.sum(W),)), (c, xp.sum(W, axis=0))

        return lambda carry, table, rows: scan(body, carry, rows, table)

    axes = (0, (0,)), None, 0
    together = backend.jit(many.vmap(of_one(backend.xp, many.scan), axes))
    place = backend.place
    found = backend.fetch(
        together(place(start, "float64"), place(shared, "float64"), place(rows, "int32"))
    )
    expected = loop_vmap(of_one(np, loop), axes)(start, shared, rows)
    for got, wanted in zip(leaves(found), leaves(expected), strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("view", ["transposed", "reversed", "strided", "read-only", "list"])
def test_any_host_memory_can_be_placed(backend: Backend, view: str) -> None:
    memory = np.arange(24.0).reshape(4, 6)
    frozen = memory.copy()
    frozen.flags.writeable = False
    host: Any = {
        "transposed": memory.T,
        "reversed": memory[::-1],
        "strided": memory[:, ::2],
        "read-only": frozen,
        "list": memory.tolist(),
    }[view]
    np.testing.assert_array_equal(backend.to_host(backend.to_device(host, "float64")), host)


def test_placing_turns_into_the_dtype_that_is_asked_for(backend: Backend) -> None:
    placed = backend.place((np.asarray([0.1]), (np.asarray([1], dtype=np.uint8),)), "float32")
    back = backend.fetch(placed)
    assert [leaf.dtype for leaf in leaves(back)] == ["float32", "float32"]
    assert back[0][0] == np.float32(0.1)


def test_what_the_owner_does_to_host_memory_later_does_not_reach_a_compiled_backend(
    backend: Backend,
) -> None:
    if backend.name == "numpy":
        pytest.skip("numpy works on the caller's memory, without a copy")
    memory = np.zeros(64 * 8 + 64, dtype=np.uint8)
    first = -memory.ctypes.data % 64  # only memory so aligned is taken over by JAX as it is
    host = memory[first : first + 64 * 8].view(np.float64)
    placed = backend.to_device(host, "float64")
    host[...] = 1.0
    assert not backend.to_host(placed).any()


def test_sync_waits_for_a_tree(backend: Backend) -> None:
    carry = make_carry(
        backend, make_recipe(optimizer=adam()), draw_params((3, 4, 2), 0), 0.1, "float64"
    )
    backend.sync(carry)
    backend.sync((carry.t,))
    for leaf in leaves(carry):
        assert getattr(leaf, "is_ready", lambda: True)()


def test_record_is_frozen(backend: Backend) -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'name'"):
        backend.name = "mine"  # type: ignore[misc]
    assert backend.device


@pytest.mark.parametrize(
    ("loss", "dtype", "data_dtype"),
    [
        ("softmax_cross_entropy", "float32", "uint8"),
        ("sigmoid_cross_entropy", "float64", "uint8"),
        ("squared_error", "float32", "float32"),
    ],
)
def test_epoch_keeps_every_dtype_and_leaves_its_inputs_alone(
    backend: Backend, loss: str, dtype: str, data_dtype: str
) -> None:
    X, y = make_problem(loss, n=8)
    X = np.asarray(np.abs(X) * 50, dtype=data_dtype)
    optimizers = {
        "softmax_cross_entropy": adam(),
        "sigmoid_cross_entropy": nesterov(),
        "squared_error": gradient_descent(),
    }
    recipe = make_recipe(loss, ("relu", "tanh"), optimizers[loss], l2=0.1, scale=1 / 255)
    carry = make_carry(backend, recipe, draw_params((7, 5, 4, 3), 0), 0.1, dtype)
    place = backend.to_device
    data = Data(place(X, data_dtype), place(y, dtype))
    rows = epoch_order(8, 0, 1)
    order = place(rows[:6].reshape(2, 3), "int32"), place(rows[6:], "int32")

    before = tree_map(lambda a: np.array(backend.to_host(a)), (carry, data, order))
    program = programs(backend, recipe)
    after, report = program.epoch(carry, data, *order)
    outputs = program.predict(carry.params, data[0])
    scores = program.evaluate(carry.params, data)
    same = backend.fetch((carry, data, order))

    for old, new in zip(leaves(before), leaves(same), strict=True):
        np.testing.assert_array_equal(new, old)
    assert isinstance(after, Carry)
    results = leaves(backend.fetch((after, report, outputs, scores)))
    assert {str(result.dtype) for result in results} == {dtype}
    for old, new in zip(leaves(before[0]), leaves(backend.fetch(after)), strict=True):
        assert old.shape == new.shape
    assert backend.to_host(after.t) == 3.0
    moved = leaves(backend.fetch(after.params))
    assert all((w != w0).any() for w, w0 in zip(moved, leaves(before[0].params), strict=True))


def host_trips(x: Any) -> dict[str, Any]:
    """Ways to bring an array to the host in silence, or to lean on another device."""
    xp = pytest.importorskip("array_api_strict")
    return {
        "float": lambda: float(xp.sum(x)),
        "int": lambda: int(xp.sum(x)),
        "if": lambda: bool(xp.all(x > 0)),
        "np.asarray": lambda: np.asarray(x),
        "np.exp": lambda: np.exp(x),
        "from_dlpack": lambda: np.from_dlpack(x),
        "format": lambda: f"{xp.sum(x):.3f}",
        "NumPy scalar": lambda: x * np.float64(0.5),
        "host array": lambda: x + xp.zeros((2, 2)),
        "iteration": lambda: list(x),
    }


@pytest.mark.parametrize("name", list(host_trips(None)))
def test_fake_device_refuses_silent_trips_to_the_host(name: str) -> None:
    with strict_device(static_shapes=False) as backend:
        x = backend.to_device(np.ones((2, 2)), "float64")
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            host_trips(x)[name]()
    assert float(backend.xp.sum(x)) == 4.0, "and nothing is left of it afterwards"  # type: ignore[arg-type]


def test_fake_device_refuses_shapes_that_depend_on_data() -> None:
    with strict_device(static_shapes=True) as backend:
        x = backend.to_device(np.ones((2, 2)), "float64")
        with pytest.raises(RuntimeError, match="boolean"):
            x[x > 0]
        with pytest.raises(RuntimeError, match="data-dependent"):
            cast(Any, backend.xp).nonzero(x)


def test_read_only_numpy_refuses_writes_in_place() -> None:
    placed: Any = read_only_numpy().place((np.ones(3),), "float64")[0]
    with pytest.raises(ValueError, match="read-only"):
        placed += 1.0
