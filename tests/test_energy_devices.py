"""Names of devices, and what a GPU is charged to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from energy_fakes import FakeHost, FakeTracker, cpu_load, gpu, measure, ram, task_result
from fake_nvml import FakeNvml

from fastmlp.energy import EnergyMeter


def gpu_work(fake_host: FakeHost, library: FakeNvml, wall_s: float) -> Callable[[], None]:
    def work() -> None:
        library.now_s += wall_s
        fake_host.clocks.go(wall_s)

    return work


@pytest.mark.parametrize(
    "device", ["CPU", "Cpu:0", "cpu ", "host", "TFRT_CPU_0", "CpuDevice(id=0)"]
)
def test_a_processor_is_one_however_it_is_spelt(fake_host: FakeHost, device: str) -> None:
    library = FakeNvml(n_devices=1)
    fake_host.plug_in(library)
    work = gpu_work(fake_host, library, 10.0)
    result = measure(EnergyMeter(engine="counters"), work, device=device)
    assert result.device in ("cpu", "cpu:0")
    assert result.compute_j == result.total_j == pytest.approx(40.0)
    assert result.flags == ()


@pytest.mark.parametrize("device", ["mps", "METAL:0", "rocm:0", "tpu:0"])
def test_nvidia_is_not_charged_to_a_device_of_another_make(
    fake_host: FakeHost, device: str
) -> None:
    library = FakeNvml(n_devices=1)
    fake_host.plug_in(library)
    work = gpu_work(fake_host, library, 10.0)
    result = measure(EnergyMeter(engine="counters"), work, device=device)
    assert (result.gpu_j, result.compute_j, result.flags) == (None, None, ("gpu_unread",))
    assert "is no GPU of NVIDIA's" in result.method["gpu"]


def test_a_number_that_the_driver_does_not_have_is_not_charged(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = FakeNvml(n_devices=2)
    fake_host.plug_in(library)
    work = gpu_work(fake_host, library, 10.0)
    for named in (None, "GPU-1", 0):
        result = measure(EnergyMeter(engine="counters", gpu=named), work, device="cuda:7")
        assert (result.gpu_j, result.flags) == (None, ("gpu_unread",))
        assert result.method["gpu"] == "there is no cuda:7: the driver sees 2"
    assert measure(EnergyMeter(engine="counters", gpu="GPU-1"), work, "cuda:1").flags == ()
    doubtful = measure(EnergyMeter(engine="counters", gpu=0), work, device="cuda:1")
    assert doubtful.flags == ("gpu_doubtful",)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")  # then cuda:0 may well be the second board
    assert measure(EnergyMeter(engine="counters", gpu=1), work, device="cuda:0").flags == ()


@pytest.mark.parametrize("device", ["mps", "tpu:0"])
def test_the_tracker_is_not_heard_on_a_device_that_it_does_not_read(
    fake_host: FakeHost, device: str
) -> None:
    fake_host.install(FakeTracker(task_result(gpu=600.0), [gpu(False), cpu_load(), ram()]))
    work = lambda: fake_host.clocks.go(6.0)  # noqa: E731
    result = measure(EnergyMeter(engine="codecarbon"), work, device=device)
    assert (result.gpu_j, result.flags) == (None, ("gpu_unread",))
    assert result.method["gpu"] == f"the tracker does not read {device}"


@pytest.mark.parametrize("device", ["None", "x86", "cpu gpu", "cuda:-1", "cuda:x", 0, None])
def test_a_device_that_nobody_knows_is_refused(fake_host: FakeHost, device: Any) -> None:
    with pytest.raises(ValueError, match=r"device=.*expected a name such as 'cpu' or 'cuda:0'"):
        EnergyMeter(engine="model").window(device=device)
