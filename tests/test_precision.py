"""Products of float32 are in full everywhere, and in less only where that was asked for."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import fake_cupy
import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp import MLPClassifier
from fastmlp.backends import (
    PRECISIONS,
    BackendUnavailableError,
    cupy_loop,
    get_backend,
    resolve_backend,
)
from fastmlp.backends import cupy as cupy_backend
from fastmlp.training import draw_params

SIZES = (70, 50, 3)


def test_full_precision_is_the_default() -> None:
    assert get_backend("numpy") is get_backend("numpy", precision="float32")
    assert get_backend("numpy").precision == "float32"


def test_an_unknown_precision_is_named() -> None:
    with pytest.raises(ValueError, match=r"precision='half' is unknown, expected one of \['float3"):
        get_backend("numpy", precision="half")


@pytest.mark.parametrize("precision", PRECISIONS[1:])
@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_a_cpu_that_would_ignore_it_refuses_it(name: str, precision: str) -> None:
    pytest.importorskip(name)
    with pytest.raises(BackendUnavailableError, match=f"precision='{precision}' is not one of"):
        get_backend(name, "cpu", precision)


def test_torch_refuses_tf32_on_a_cpu() -> None:
    pytest.importorskip("torch")
    with pytest.raises(BackendUnavailableError, match=r"expected one of \('float32', 'bfloat16'\)"):
        get_backend("torch", "cpu", "tf32")


@pytest.mark.parametrize(
    ("precision", "wanted"),
    [
        ("float32", "precision = [HIGHEST, HIGHEST]"),
        ("tf32", "lhs_precision_type = tf32"),
        ("bfloat16", "lhs_precision_type = bf16"),
    ],
)
def test_jax_asks_a_gpu_for_it(precision: str, wanted: str) -> None:
    jax = pytest.importorskip("jax")
    from fastmlp.backends.jax import PRODUCTS

    x = np.ones((4, 4), dtype="float32")
    with jax.default_matmul_precision(PRODUCTS[precision]):
        traced = jax.jit(lambda x: x @ x).trace(x)
        text = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert wanted in text


@pytest.mark.parametrize(("precision", "number"), [("float32", 68), ("tf32", 77), ("bfloat16", 75)])
@pytest.mark.skipif(not fake_cupy.HAS_COMPILER, reason="g++ compiles the kernels")
def test_cublas_is_told_and_sums_stay_full(
    precision: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fake_cupy.FakeCupy()
    library = fake.cublas
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cupy_loop, "loaded_library", lambda _: library)
    for dtype, products, sums in (("float32", number, 68), ("float64", 70, 70)):
        library.compute_types.clear()
        trainer = make_trainer(
            make_recipe(), backend=cupy_backend.create(None, precision), dtype=dtype
        )
        trainer.run(*make_problem("softmax_cross_entropy", 64), orders(64, 1))
        # of the warm-up and of the capture: two products forward and three back, two sums
        assert sorted(library.compute_types) == sorted(2 * (5 * [products] + 2 * [sums]))


@pytest.mark.parametrize(
    ("precision", "wanted"),
    [("float32", "DEFAULT"), ("tf32", "TF32"), ("bfloat16", "BF16")],
)
def test_cupy_itself_is_told_for_as_long_as_it_runs(
    precision: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fake_cupy.FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    backend = cupy_backend.create(None, precision)
    fake.product_types.clear()
    fake.compute_type = "COMPUTE_TYPE_PEDANTIC"
    x = backend.to_device(np.ones((2, 2)), "float32")
    backend.jit(lambda x: x @ x)(x)
    assert fake.product_types == [f"COMPUTE_TYPE_{wanted}"]
    assert fake.compute_type == "COMPUTE_TYPE_PEDANTIC"


def test_an_old_gpu_has_float32_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_cupy.FakeCupy()
    fake.compute_capability = "75"
    monkeypatch.setitem(sys.modules, "cupy", fake)
    assert cupy_backend.create(None).precision == "float32"
    with pytest.raises(BackendUnavailableError, match=r"'tf32' is not one of its own on device 'c"):
        cupy_backend.create(None, "tf32")


def trained(precision: str) -> Any:
    X, y = make_problem("softmax_cross_entropy", 64, n_features=70)
    backend = get_backend("torch", "cpu", precision)
    trainer = make_trainer(
        make_recipe(), backend=backend, params=draw_params(SIZES, 0), dtype="float32"
    )
    trainer.run(X, y, orders(64, 5))
    return trainer


def test_torch_multiplies_in_bfloat16_and_keeps_float32() -> None:
    torch = pytest.importorskip("torch")
    backend = get_backend("torch", "cpu", "bfloat16")
    a, b = (np.random.default_rng(i).normal(size=(64, 64)) for i in range(2))
    x, w = backend.to_device(a, "float32"), backend.to_device(b, "float32")
    got = backend.to_host(backend.jit(lambda x, w: x @ w + 0.0 * w)(x, w))
    rounded = (torch.tensor(z, dtype=torch.bfloat16).double().numpy() for z in (a, b))
    left, right = rounded
    assert got.dtype == np.float32
    error = np.linalg.norm(got - left @ right) / np.linalg.norm(left @ right)
    assert error < 3e-3, "the sum is rounded once"
    assert np.linalg.norm(got - a @ b) / np.linalg.norm(a @ b) > 1e-3
    bare = backend.to_host(backend.jit(lambda x, w: x @ w)(x, w))
    np.testing.assert_array_equal(bare, got)
    full, less = trained("float32"), trained("bfloat16")
    for one, other in zip(leaves(full.params()), leaves(less.params()), strict=True):
        assert one.dtype == other.dtype == np.float32
        assert 0.0 < np.abs(one - other).max() < 0.02


@pytest.mark.parametrize(("precision", "wanted"), [("float32", "ieee"), ("tf32", "tf32")])
def test_torch_sets_products_for_itself_alone(precision: str, wanted: str) -> None:
    torch = pytest.importorskip("torch")
    from fastmlp.backends.torch import _products

    products = torch.backends.cuda.matmul
    if not hasattr(products, "fp32_precision"):
        pytest.skip("PyTorch before 2.9")
    before = products.fp32_precision
    try:
        products.fp32_precision = "tf32"
        with _products(torch, "cuda", precision):
            assert products.fp32_precision == wanted
        assert products.fp32_precision == "tf32"
    finally:
        products.fp32_precision = before


def test_estimators_pass_it_on() -> None:
    pytest.importorskip("torch")
    X, y = np.eye(6, dtype="float32"), np.arange(6) % 2
    model = MLPClassifier((4,), max_iter=2, backend="torch", precision="bfloat16", tol=0.0)
    assert model.fit(X, y)._trainer.backend.precision == "bfloat16"
    with pytest.raises(BackendUnavailableError, match="precision='tf32'"):
        MLPClassifier(precision="tf32").fit(X, y)
    with pytest.raises(ValueError, match="'precision' parameter"):
        MLPClassifier(precision="half").fit(X, y)


def test_a_record_says_its_own_precision() -> None:
    pytest.importorskip("torch")
    backend = get_backend("torch", "cpu", "bfloat16")
    assert resolve_backend(backend) is backend
    with pytest.raises(ValueError, match=r"precision='float32' contradicts the given backend rec"):
        resolve_backend(backend, precision="float32")
    assert pickle.loads(pickle.dumps(backend)) is backend
