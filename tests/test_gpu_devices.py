"""Which GPU is meant: CUDA and NVML number them differently."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from fake_nvml import FakeNvml

from bench.gpu import cuda, energy
from fastmlp.backends import get_backend
from fastmlp.energy.nvml import Nvml, NvmlError


class FakeCuda:
    """The driver's library where these GPUs are visible, in this order."""

    def __init__(self, *visible: UUID) -> None:
        self.visible = visible

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return 0

    def cuDriverGetVersion(self, number: Any) -> int:  # noqa: N802
        number._obj.value = 13_000
        return 0

    def cuDeviceGetCount(self, number: Any) -> int:  # noqa: N802
        number._obj.value = len(self.visible)
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:  # noqa: N802
        device._obj.value = 100 + number  # a handle, not the number
        return 0 if number < len(self.visible) else 101

    def cuDeviceGetUuid_v2(self, found: Any, device: Any) -> int:  # noqa: N802
        found.raw = self.visible[device.value - 100].bytes
        return 0


GPU_A, GPU_B = UUID(int=10), UUID(int=11)


@pytest.mark.parametrize(
    ("visible", "device", "meant"),
    [
        ((GPU_A, GPU_B), "cuda:1", GPU_B),
        ((GPU_B,), "cuda:0", GPU_B),  # CUDA_VISIBLE_DEVICES=1
        ((GPU_B, GPU_A), "cuda:0", GPU_B),  # the fastest first
        ((GPU_B, GPU_A), "cuda", GPU_B),
    ],
)
def test_the_gpu_that_cuda_means_is_found(
    monkeypatch: pytest.MonkeyPatch, visible: tuple[UUID, ...], device: str, meant: UUID
) -> None:
    library = FakeNvml(n_devices=2)
    library.uuids = [f"GPU-{one}".encode() for one in (GPU_A, GPU_B)]
    monkeypatch.setattr(energy, "Nvml", lambda: Nvml(library))
    monkeypatch.setattr(cuda, "load", lambda: FakeCuda(*visible))
    assert energy.counter(device)() == 0.0
    assert library.named == [f"GPU-{meant}".encode()]
    assert "nvmlDeviceGetHandleByIndex_v2" not in library.asked


def test_a_gpu_that_is_not_to_be_told_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise OSError("libcuda.so.1: cannot open shared object file")

    library = FakeNvml(n_devices=1)
    monkeypatch.setattr(energy, "Nvml", lambda: Nvml(library))
    monkeypatch.setattr(cuda, "load", missing)
    with pytest.raises(NvmlError, match=r"cuda:1 is not to be told from other GPUs: .*libcuda"):
        energy.counter("cuda:1")
    monkeypatch.setattr(cuda, "load", lambda: FakeCuda(GPU_A))
    with pytest.raises(NvmlError, match="no UUID of GPU 1: status 101"):
        energy.counter("cuda:1")
    monkeypatch.setattr(cuda, "load", object)  # a driver that knows the older form alone
    with pytest.raises(NvmlError, match="tells no UUID"):
        energy.counter("cuda:0")
    monkeypatch.setattr(cuda, "load", lambda: FakeCuda(GPU_A))  # to NVML it is no whole GPU
    with pytest.raises(NvmlError, match=r"a part of one \(MIG\): .*there is no such GPU"):
        energy.counter("cuda:0")


def test_jax_is_asked_which_gpu_its_id_is(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [SimpleNamespace(id=2, local_hardware_id=1), SimpleNamespace(id=3)]
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=lambda platform: devices))
    backend = get_backend("numpy")
    assert cuda.number_of(replace(backend, name="jax", device="gpu:2")) == 1
    assert cuda.number_of(replace(backend, name="torch", device="cuda:2")) == 2
    with pytest.raises(cuda.CudaError, match="does not say which GPU gpu:3 is"):
        cuda.number_of(replace(backend, name="jax", device="gpu:3"))


def test_the_card_names_the_gpus_that_cuda_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "load", lambda: FakeCuda(GPU_B))
    found = cuda.card()
    assert (found["driver_cuda"], found["devices"], found["error"]) == ("13.0", 1, None)
    assert found["uuids"] == [f"GPU-{GPU_B}"]
