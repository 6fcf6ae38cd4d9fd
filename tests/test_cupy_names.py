"""The real CuPy has what fastmlp asks of it, as far as can be told without a driver."""

from __future__ import annotations

import ast
import inspect
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:.*CuPy.*:UserWarning")
cupy: Any = pytest.importorskip("cupy", exc_type=ImportError)
if not hasattr(cupy, "_core"):
    pytest.skip("a stand-in", allow_module_level=True)

from fake_cupy import FakeCupy  # noqa: E402

from fastmlp.backends import backend_status, cublas, cupy_device, cupy_loop, get_backend  # noqa: E402
from fastmlp.backends import cupy as cupy_backend  # noqa: E402

MODULES = (cupy_backend, cupy_device, cupy_loop, cublas)


def names_of(module: Any) -> set[str]:
    """Dotted names behind ``cupy`` and ``self.cupy``."""
    found = set()
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        parts: list[str] = []
        while isinstance(node, ast.Attribute) and node.attr != "cupy":
            parts.append(node.attr)
            node = node.value
        is_cupy = isinstance(node, ast.Name) and node.id == "cupy"
        if parts and (is_cupy or (isinstance(node, ast.Attribute) and node.attr == "cupy")):
            found.add(".".join(reversed(parts)))
    return found


NAMES = sorted({name for module in MODULES for name in names_of(module)})


def find(name: str) -> Any:
    place = cupy
    for part in name.split("."):
        place = getattr(place, part)
    return place


def test_names_are_found() -> None:
    assert {"RawModule", "_core", "cuda.Device", "cuda.runtime.getDeviceCount"} <= set(NAMES)


@pytest.mark.parametrize("name", [*NAMES, *cupy_backend.FUNCTIONS])
def test_it_has_the_name(name: str) -> None:
    find(name)


@pytest.mark.parametrize("precision", cupy_backend.PRODUCTS)
def test_products_are_told_and_set_back(precision: str) -> None:
    core = cupy._core
    wanted = getattr(core._routines_linalg, cupy_backend.PRODUCTS[precision])
    usual, before = core.get_compute_type(np.float32), core._routines_linalg.COMPUTE_TYPE_PEDANTIC
    core.set_compute_type(np.float32, before)
    try:
        with cupy_backend._products(cupy, precision):
            assert core.get_compute_type(np.float32) == wanted
    except cupy.cuda.runtime.CUDARuntimeError:
        assert precision != "float32"
        pytest.skip("only a GPU tells whether it can")
    finally:
        after = core.get_compute_type(np.float32)
        core.set_compute_type(np.float32, usual)
        assert after == before


@pytest.mark.parametrize(
    ("name", "args", "settings"),
    [
        ("asarray", (0,), {}),
        ("asnumpy", (0,), {}),
        ("copyto", (0, 0), {}),
        ("empty", (0,), {"dtype": 0}),
        ("full", (0, 0), {"dtype": 0}),
        ("ones", (0,), {"dtype": 0}),
        ("zeros", (0,), {"dtype": 0}),
        ("take", (0, 0), {"axis": 0}),
        ("take_along_axis", (0, 0), {"axis": 0}),
        ("concat", (0,), {"axis": 0}),
        ("stack", (0,), {"axis": 0}),
        ("max", (0,), {"axis": 0, "keepdims": True}),
        ("sum", (0,), {"axis": 0, "keepdims": True}),
        ("argmax", (0,), {"axis": 0, "keepdims": True}),
        ("all", (0,), {"axis": 0, "keepdims": True}),
        ("cuda.Stream", (), {"non_blocking": True}),
        ("cuda.Stream.begin_capture", (0,), {}),
        ("cuda.Stream.end_capture", (0,), {}),
        ("cuda.Stream.record", (0,), {}),
        ("cuda.Stream.synchronize", (0,), {}),
        ("cuda.Stream.wait_event", (0, 0), {}),
    ],
)
def test_it_takes_the_arguments(name: str, args: Any, settings: Any) -> None:
    inspect.signature(find(name)).bind(*args, **settings)


@pytest.mark.parametrize(
    ("name", "words"),
    [  # compiled: they say in their first line what they take
        ("RawModule", ("str code=None", "tuple options=()")),
        ("RawModule.get_function", ("name",)),
        ("cuda.Device", ("device=None",)),
        ("cuda.Graph.launch", ("stream=None",)),
        ("ndarray.fill", ("value",)),
        ("ndarray.copy", ("order=",)),
        ("ndarray.astype", ("dtype", "copy=True")),
        ("_core.set_compute_type", ("dtype, compute_type",)),
    ],
)
def test_it_says_that_it_takes_them(name: str, words: Any) -> None:
    line = (find(name).__doc__ or "").strip().splitlines()[0]
    assert all(word in line for word in words), line


def test_arrays_have_what_is_asked_of_them() -> None:
    for name in ("T", "data", "device", "dtype", "flags", "ndim", "shape", "size"):
        assert hasattr(cupy.ndarray, name), name
    assert hasattr(cupy.cuda.MemoryPointer, "ptr")
    assert cupy.ndarray.__weakrefoffset__, "the stand-in counts arrays by weak references"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # others cannot be made here
        assert cupy.cuda.ExternalStream(7).ptr == 7
    assert hasattr(cupy.cuda.Device, "compute_capability")
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)
    assert issubclass(cupy.cuda.runtime.CUDARuntimeError, RuntimeError)


def test_the_stand_in_has_nothing_that_cupy_lacks() -> None:
    def compare(fake: Any, real: Any, where: str) -> None:
        for name, value in vars(fake).items():
            if name.startswith("_") and name not in ("_core", "_routines_linalg"):
                continue
            if where == "cupy" and name in OWN:
                continue
            assert hasattr(real, name), f"{where}.{name}"
            if isinstance(value, SimpleNamespace):
                compare(value, getattr(real, name), f"{where}.{name}")

    compare(FakeCupy(), cupy, "cupy")


# what tests ask of the stand-in itself
OWN = {name for name in vars(FakeCupy()) if not hasattr(np, name)} - {"RawModule", "asnumpy"}
OWN -= {"cuda", "_core"}


@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a GPU")
def test_a_machine_without_a_driver_is_told_so() -> None:
    assert "cupy" in sys.modules
    status = backend_status("cupy")
    assert not status.available
    assert "no usable CUDA device: there is no NVIDIA driver (" in status.reason
    assert "nvidia-smi" in status.hint
    assert get_backend("numpy").device == "cpu"
