"""What trainings on one GPU share: its memory, a stream, and a handle of cuBLAS."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fake_cupy
import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import Backend, cublas, cupy_loop, get_backend
from fastmlp.backends import cupy as cupy_backend
from fastmlp.backends.ladder import KEPT
from fastmlp.backends.record import python_scan
from fastmlp.training import DeviceMemoryError

pytestmark = pytest.mark.skipif(not fake_cupy.HAS_COMPILER, reason="g++ compiles the kernels")
RECIPE = make_recipe()


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = fake_cupy.FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cupy_loop, "loaded_library", lambda _: fake.cublas)
    return fake


def fit(backend: Backend, n: int = 64, seed: int = 0, **how: Any) -> list[Any]:
    X, y = make_problem("softmax_cross_entropy", n, seed=seed)
    trainer = make_trainer(RECIPE, backend=backend, **how)
    trainer.run(X, y, orders(n, 3, seed))
    return list(leaves(trainer.params()))


def prepared(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Rungs of the steps that are prepared from now on."""
    made: list[Any] = []
    real = cupy_loop.CupySteps.prepare

    def prepare(self: Any, rung: str, *args: Any) -> Any:
        made.append(rung)
        return real(self, rung, *args)

    monkeypatch.setattr(cupy_loop.CupySteps, "prepare", prepare)
    return made


# ---------------------------------------------------------------------------- memory


def test_memory_does_not_grow_with_sizes_that_have_been(cupy: Any) -> None:
    backend, found = cupy_backend.create(None), []
    fit(backend)
    gc.collect()
    workspace = cupy.live_bytes()
    for n in range(40, 40 + 3 * KEPT):  # a loop of other lengths, and a rest
        fit(backend, n)
        gc.collect()
        found.append(cupy.live_bytes() - workspace)
    half = len(found) // 2
    assert max(found[half:]) <= 1.2 * max(found[:half])


def test_what_was_used_last_is_kept(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepared(monkeypatch)
    backend = cupy_backend.create(None)
    trainer = make_trainer(RECIPE, backend=backend)
    data = trainer.place(*make_problem("softmax_cross_entropy", 64))
    trainer.train(data, orders(64, 1))
    made.clear()
    others = [64 + 16 * i for i in range(1, KEPT + 2)]
    for n in others:
        fit(backend, n)
        trainer.train(data, orders(64, 1))
    assert len(made) == len(others), "the one that goes on is not prepared again"


@pytest.mark.parametrize(
    "error",
    [
        fake_cupy.OutOfMemoryError("Out of memory allocating 1,024 bytes"),
        RuntimeError("cudaErrorMemoryAllocation: out of memory"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("where", ["kernel", "capture", "data"])
def test_room_is_made_by_what_is_only_kept(
    cupy: Any, error: Any, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = cupy_backend.create(None)
    fit(backend, 48)
    kept, asarray, ladder = cupy.live_bytes(), cupy.asarray, backend.scan.__self__  # type: ignore[attr-defined]

    def full(host: Any) -> Any:
        if np.shape(host) == (64, 7) and any(ladder._players.values()):
            raise error
        return asarray(host)

    class Module(fake_cupy._Module):
        def __init__(self, *args: Any) -> None:
            if any(ladder._players.values()):
                raise error
            super().__init__(*args)

    if where == "kernel":
        cupy.RawModule = lambda code, options: Module(cupy, code, options)
    elif where == "data":
        monkeypatch.setattr(cupy, "asarray", full)
    else:
        cupy.refuses["capture"] = error
    gc.collect()
    if where == "capture":
        with pytest.raises(DeviceMemoryError):
            fit(backend, 64)
        cupy.refuses.clear()
        gc.collect()
        assert cupy.live_bytes() < kept, "of what was kept"
    fit(backend, 64)
    assert backend.rung() == ("captured", "")


def test_cublas_without_memory_is_no_broken_rung(
    cupy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = cupy_backend.create(None)
    monkeypatch.setattr(type(cupy.cublas), "cublasCreate_v2", lambda *_: 3)
    with pytest.raises(DeviceMemoryError, match="cublasCreate_v2 finds no memory for itself"):
        fit(backend)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(cupy_loop, "loaded_library", lambda _: cupy.cublas)
    fit(backend)
    assert backend.rung() == ("captured", "")


# ---------------------------------------------------------------------------- threads


@pytest.fixture
def fast_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("fast_switching")
@pytest.mark.parametrize("rung", ["captured", "fused"])
def test_trainings_in_threads_do_not_meet(cupy: Any, rung: str) -> None:
    if rung == "fused":
        cupy.refuses["capture"] = RuntimeError("refused")
    backend = cupy_backend.create(None)

    def work(seed: int) -> list[Any]:
        with cupy.cuda.Stream(non_blocking=True):  # of this thread
            return fit(backend, 64, seed)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        fit(backend)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(8)))
    assert backend.rung().name == rung
    for seed, got in enumerate(found):
        for a, b in zip(got, fit(get_backend("numpy"), 64, seed), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("fast_switching")
def test_threads_take_turns_with_one_player(cupy: Any) -> None:
    backend, numpy = cupy_backend.create(None), get_backend("numpy")

    def step(carry: Any, x: Any, shared: Any) -> Any:
        return (0.5 * (carry[0] @ shared) + x,), (1.0 * x,)

    f: Any = step
    rng = np.random.default_rng(0)
    shared: Any = rng.normal(size=(3, 3)) / 3
    placed = backend.to_device(shared, "float64")
    starts: Any = rng.normal(size=(24, 3, 3))
    xs: Any = rng.normal(size=(50, 3, 3))

    def work(start: Any) -> Any:
        given = backend.place(((start,), xs), "float64")
        return backend.fetch(backend.scan(f, given[0], given[1], placed))

    work(starts[0])  # prepared for all
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(work, starts))
    assert backend.rung().name == "captured"
    for start, got in zip(starts, found, strict=True):
        for a, b in zip(
            leaves(got), leaves(python_scan(numpy.xp)(f, (start,), xs, shared)), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("fast_switching")
def test_what_cupy_is_told_is_each_threads_own(cupy: Any) -> None:
    cupy.compute_type = "COMPUTE_TYPE_PEDANTIC"
    full, less = (cupy_backend.create(None, name) for name in ("float32", "tf32"))
    found: dict[str, set[str]] = {"float32": set(), "tf32": set()}

    def work(backend: Backend) -> None:
        def look() -> None:
            for _ in range(5):
                time.sleep(1e-5)  # others go on
                found[backend.precision].add(cupy.compute_type)

        for _ in range(20):
            backend.jit(look)()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [full, less] * 2))
    assert found == {"float32": {"COMPUTE_TYPE_DEFAULT"}, "tf32": {"COMPUTE_TYPE_TF32"}}
    assert cupy.compute_type == "COMPUTE_TYPE_PEDANTIC"


# ---------------------------------------------------------------------------- a capture


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no such kernel")], ids=repr)
def test_a_capture_that_ends_early_is_ended(
    cupy: Any, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = cupy_backend.create(None)
    real: Any = type(cupy.cublas).cublasGemmEx

    def gemm(self: Any, *args: Any) -> int:
        if cupy.counts.current.captured is not None:
            raise error
        return int(real(self, *args))

    with monkeypatch.context() as patch:
        patch.setattr(type(cupy.cublas), "cublasGemmEx", gemm)
        if isinstance(error, KeyboardInterrupt):
            with pytest.raises(KeyboardInterrupt):
                fit(backend)
        else:
            with pytest.warns(RuntimeWarning, match="no such kernel"):
                fit(backend)
    assert all(stream.captured is None for stream in cupy.counts.streams)
    got = fit(backend)
    assert backend.rung().name == ("fused" if isinstance(error, RuntimeError) else "captured")
    for a, b in zip(got, fit(get_backend("numpy")), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_a_warning_points_at_the_users_line(cupy: Any) -> None:
    cupy.refuses["capture"] = RuntimeError("refused")
    with pytest.warns(RuntimeWarning, match="steps are fused") as seen:
        fit(cupy_backend.create(None))
    assert seen[0].filename == __file__


def test_answers_are_the_callers_own(cupy: Any) -> None:
    backend = cupy_backend.create(None)
    trainer = make_trainer(RECIPE, backend=backend)
    data = trainer.place(*make_problem("softmax_cross_entropy", 64))
    trainer.train(data, orders(64, 1))
    kept = trainer.carry
    before = backend.fetch(kept.params)
    trainer.train(data, orders(64, 2))
    for a, b in zip(leaves(before), leaves(backend.fetch(kept.params)), strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------------------- steps


def plays(cupy: Any, f: Any, *host: Any, dtype: str = "float64") -> Backend:
    """Compare a loop with itself as it is written; return the record."""
    backend, numpy = cupy_backend.create(None), get_backend("numpy")
    got = backend.fetch(backend.scan(lambda *a: f(backend.xp, *a), *backend.place(host, dtype)))
    wanted = python_scan(numpy.xp)(lambda *a: f(numpy.xp, *a), *host)
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    return backend


def some(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).normal(size=shape)


def test_products_of_parts_of_matrices(cupy: Any) -> None:
    def f(xp: Any, carry: Any, x: Any, shared: Any) -> Any:
        part = shared[:, 1:3] @ shared[0:2, :]  # rows are further apart than they are long
        dot = carry[0][:, 1] @ shared[:, 2]  # so are elements
        return (0.1 * part + dot * x,), (dot * 1.0,)

    assert plays(cupy, f, (some(4, 4),), some(3, 4, 4), some(4, 4)).rung().name == "captured"


def test_a_product_with_what_the_loop_runs_over_is_refused(cupy: Any) -> None:
    def f(xp: Any, carry: Any, x: Any, shared: Any) -> Any:
        return (0.1 * (carry[0] @ x) + shared,), (1.0 * x,)

    with pytest.warns(RuntimeWarning, match="a product with what the loop runs over"):
        assert plays(cupy, f, (some(3, 3),), some(4, 3, 3), some(3, 3)).rung().name == "plain"


def test_two_ends_may_be_one_value(cupy: Any) -> None:
    def f(xp: Any, carry: Any, x: Any, shared: Any) -> Any:
        value = 0.5 * carry[0] - carry[1] + x
        return (value, value), (1.0 * value,)

    assert (
        plays(cupy, f, (some(3, 3), 2.0 * some(3, 3)), some(4, 3, 3), ()).rung().name == "captured"
    )


def test_a_carry_of_another_shape_runs_as_it_is_written(cupy: Any) -> None:
    def f(xp: Any, carry: Any, x: Any, shared: Any) -> Any:
        return (0.5 * carry[0] + x,), (1.0 * x,)

    with pytest.warns(RuntimeWarning, match="a carry that changes its shape or dtype"):
        assert plays(cupy, f, (some(3),), some(4, 3, 3), ()).rung().name == "plain"


def test_nan_is_the_largest(cupy: Any) -> None:
    def f(xp: Any, carry: Any, x: Any, shared: Any) -> Any:
        best, place = xp.max(carry[0] + x, axis=1), xp.argmax(carry[0] + x, axis=1)
        return (0.5 * carry[0],), (best, place)

    xs = some(5, 4, 3)
    xs[0, 0, 1] = xs[1, 1, 0] = xs[2, 2, 2] = xs[3, 3, 1] = xs[3, 3, 2] = np.nan
    assert plays(cupy, f, (some(4, 3),), xs, ()).rung().name == "captured"


def test_a_report_is_read_after_it_is_written(cupy: Any) -> None:
    def f(xp: Any, carry: Any, x: Any, shared: Any) -> Any:
        return (0.5 * carry[0] + shared,), (xp.tanh(carry[0]),)

    assert plays(cupy, f, (some(9, 3),), some(4, 2), some(9, 3)).rung().name == "captured"


def test_the_library_that_cupy_has_loaded_is_found(cupy: Any, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text("7f r-xp 0 08:01 1 /lib/libcublasLt.so.12\n7f r-xp 0 08:01 2 /lib/a.so\n")

    def look(name: str) -> Any:
        return maps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cublas, "Path", look)
        with pytest.raises(OSError, match=r"no libcublas.so among"):
            cublas.loaded_library(cupy)
        patch.setattr(ctypes, "CDLL", str)
        maps.write_text(maps.read_text() + "7f r-xp 0 08:01 3 /lib/libcublas.so.12\n")
        assert cublas.loaded_library(cupy) == "/lib/libcublas.so.12"
