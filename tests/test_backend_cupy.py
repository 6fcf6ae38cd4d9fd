"""CuPy where there is no GPU, on a stand-in: it imports fine there and fails at first use."""

from __future__ import annotations

import sys

import pytest
from fake_cupy import FakeCupy

from fastmlp.backends import BackendUnavailableError, backend_status, get_backend

pytestmark = pytest.mark.usefixtures("fresh_registry")


def fake_cupy(monkeypatch: pytest.MonkeyPatch, count: int | Exception) -> list[int]:
    """CuPy on a machine with so many devices, or none; returns the stack of current devices."""
    cupy = FakeCupy(count)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy.devices


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected"),
        RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient"),
        OSError("libcuda.so.1: cannot open shared object file"),
    ],
)
def test_cupy_without_a_device_says_so(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cupy(monkeypatch, error)
    with pytest.raises(
        BackendUnavailableError,
        match=r"backend 'cupy' is not available: no usable CUDA device \(.*\)\. It needs an NVIDIA",
    ) as caught:
        get_backend("cupy")
    assert str(error) in caught.value.reason
    assert not backend_status("cupy").available


@pytest.mark.parametrize(
    ("count", "device"), [(0, None), (2, "cuda:2"), (2, "cuda:-1"), (2, "gpu"), (2, "cpu")]
)
def test_cupy_has_only_the_devices_that_it_counts(
    count: int, device: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_cupy(monkeypatch, count)
    with pytest.raises(BackendUnavailableError, match=f"device={device!r} is not one of its dev"):
        get_backend("cupy", device)


@pytest.mark.parametrize(("device", "number"), [(None, 0), ("cuda", 0), ("cuda:1", 1)])
def test_cupy_computes_on_the_device_that_was_asked_for(
    device: str | None, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = fake_cupy(monkeypatch, 2)
    backend = get_backend("cupy", device)
    assert backend.device == f"cuda:{number}"
    assert current == []
    assert backend.jit(lambda: list(current))() == [number]
    assert current == []
