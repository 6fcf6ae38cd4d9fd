"""CuPy where there is no GPU, on a stand-in: it imports fine there and fails at first use."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_cupy import FakeCupy, OutOfMemoryError

from fastmlp.backends import BackendUnavailableError, backend_status, cupy_device, get_backend

pytestmark = pytest.mark.usefixtures("fresh_registry")
NO_DEVICE = RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
OLD = RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
NO_LIBRARY = OSError("libcuda.so.1: cannot open shared object file")


def fake_cupy(monkeypatch: pytest.MonkeyPatch, count: int | Exception) -> FakeCupy:
    """CuPy on a machine with so many devices, or none."""
    cupy = FakeCupy(count)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy


@pytest.mark.parametrize(
    ("error", "driver", "reason", "hint"),
    [
        (OLD, 0, "there is no NVIDIA driver", "nvidia-smi has to show one"),
        (OLD, 12020, "the driver is for CUDA 12.2, this CuPy for CUDA 13.2", "'fastmlp[cupy12]'"),
        (OLD, 11080, "the driver is for CUDA 11.8, this CuPy for CUDA 13.2", "Update the NVIDIA"),
        (NO_DEVICE, 13000, "the driver, for CUDA 13.0, finds no GPU", "nvidia-smi has to list one"),
        (NO_LIBRARY, 13000, r"no usable CUDA device \(OSError: libcuda", "It needs an NVIDIA GPU"),
        (0, 13000, "finds no GPU \\(it counts 0 devices", "CUDA_VISIBLE_DEVICES, '' here"),
    ],
)
def test_cupy_without_a_device_says_what_is_missing(
    error: Any, driver: int, reason: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_cupy(monkeypatch, error).driver = driver
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(
        BackendUnavailableError, match=r"'cupy' is not available: no usable CUDA device"
    ) as caught:
        get_backend("cupy")
    assert caught.match(reason)
    assert hint in caught.value.hint
    assert not error or str(error) in caught.value.reason
    assert ("cupy12" in caught.value.hint) == (driver == 12020)
    assert not backend_status("cupy").available


@pytest.mark.parametrize(
    ("count", "device", "expected"),
    [
        (2, "cuda:2", "'cuda:0' to 'cuda:1' of the 2 devices here"),
        (2, "cuda:-1", "'cuda:0' to 'cuda:1'"),
        (2, "gpu:2", "'cuda:0' to 'cuda:1'"),
        (1, "cpu", "expected 'cuda'"),
    ],
)
def test_cupy_has_only_the_devices_that_it_counts(
    count: int, device: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_cupy(monkeypatch, count)
    with pytest.raises(
        BackendUnavailableError, match=f"device={device!r} is not one of its dev"
    ) as caught:
        get_backend("cupy", device)
    assert expected in caught.value.reason


@pytest.mark.parametrize(
    ("device", "number"), [(None, 0), ("cuda", 0), ("cuda:1", 1), ("gpu", 0), ("gpu:1", 1)]
)
def test_cupy_computes_on_the_device_that_was_asked_for(
    device: str | None, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = fake_cupy(monkeypatch, 2).devices
    backend = get_backend("cupy", device)
    assert backend.device == f"cuda:{number}"
    assert backend is get_backend("cupy", f"cuda:{number}")
    assert current == []
    assert backend.jit(lambda: list(current))() == [number]
    x = backend.to_device(np.ones(2), "float32")
    assert current == []
    assert backend.to_host(x).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("Out of memory allocating 512 bytes (allocated so far: 0 bytes)."),
        RuntimeError("cudaErrorMemoryAllocation: out of memory"),
    ],
)
def test_a_full_gpu_is_not_a_missing_one(error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(fake_cupy(monkeypatch, 1), "ones", full)
    status = backend_status("cupy")
    assert "device 'cuda:0' has no memory left" in status.reason
    assert str(error) in status.reason
    assert "nvidia-smi shows who has it" in status.hint


def test_a_device_is_tried_in_the_way_of_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = fake_cupy(monkeypatch, 1)

    def refuse(*_: Any) -> Any:
        raise AttributeError("set_compute_type")

    monkeypatch.setattr(cupy._core, "set_compute_type", refuse)
    assert not backend_status("cupy").available, "as no call would work"


def test_products_are_in_full_where_cupy_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = fake_cupy(monkeypatch, 1)
    del cupy._core._routines_linalg
    backend = get_backend("cupy")
    x = backend.to_device(np.ones((2, 2)), "float32")
    assert backend.to_host(backend.jit(lambda x: x @ x)(x)).tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_two_packages_of_cupy_are_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cupy.py").write_text(
        "import warnings\n"
        "warnings.warn('''\n---\n  CuPy may not function correctly because multiple CuPy packages "
        "are installed\n  in your environment:\n\n    cupy-cuda12x, cupy-cuda13x\n''')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "cupy", None)  # to be as it was, afterwards
    del sys.modules["cupy"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cupy_device.import_cupy()
    (text,) = (str(warning.message) for warning in caught)
    assert "\n" not in text
    assert "pip uninstall cupy-cuda12x cupy-cuda13x, then install 'fastmlp[cupy13]'" in text
    assert caught[0].filename == __file__
