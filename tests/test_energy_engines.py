"""Engines on a fake machine: who is charged for a GPU, idle power, and what `auto` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from energy_fakes import (
    FakeHost,
    FakeTracker,
    cpu_load,
    gpu,
    measure,
    ram,
    server,
    task_result,
)
from fake_nvml import FakeNvml

from fastmlp.energy import EnergyMeter, EnergyResult
from fastmlp.energy import host as host_module
from fastmlp.energy.nvml import Nvml, NvmlError

# ---------------------------------------------------------------- NVML


def gpu_work(fake_host: FakeHost, library: FakeNvml, wall_s: float) -> Callable[[], None]:
    def work() -> None:
        library.now_s += wall_s
        fake_host.clocks.go(wall_s)

    return work


def test_fifty_watts_are_exact_and_charged_to_the_gpu_backend(fake_host: FakeHost) -> None:
    library = FakeNvml(n_devices=1)
    fake_host.plug_in(library)
    work = gpu_work(fake_host, library, 10.0)
    result = measure(EnergyMeter(engine="counters"), work, device="cuda:0", backend="torch")
    assert result.gpu_j == 500.0
    assert result.source["gpu"] == "measured"
    assert result.method["gpu"] == "NVML energy counter of the GPU, idle power included"
    assert result.compute_j == pytest.approx(40.0 + 500.0)
    assert result.total_source == "estimated"
    assert result.measured_share == pytest.approx(500.0 / 540.0)
    assert result.versions["nvidia_driver"] == "550.54"
    assert result.model_j["cpu_time"] == pytest.approx(540.0)


def test_an_idle_gpu_is_not_charged_to_a_cpu_backend(fake_host: FakeHost) -> None:
    library = FakeNvml(n_devices=2)
    fake_host.plug_in(library)
    work = gpu_work(fake_host, library, 10.0)
    result = measure(EnergyMeter(engine="counters", grid="WORLD"), work, backend="numpy")
    assert result.gpu_j == 1000.0  # two boards
    assert result.method["gpu"].endswith("not charged: idle beside work on the CPU")
    assert result.compute_j == result.total_j == pytest.approx(40.0)
    assert result.co2e_mg() == pytest.approx(40.0 / 3.6e6 * 475e3)
    assert (result.total_source, result.measured_share) == ("estimated", 0.0)
    assert result.flags == ()


def test_a_window_that_does_not_say_where_the_work_ran_is_flagged(fake_host: FakeHost) -> None:
    library = FakeNvml(n_devices=1)
    fake_host.plug_in(library)
    work = gpu_work(fake_host, library, 10.0)
    result = measure(EnergyMeter(engine="counters"), work, device="")
    assert result.compute_j == pytest.approx(40.0)
    assert result.flags == ("device_not_said",)
    assert "does not say where the work ran" in result.method["gpu"]


def test_a_short_window_of_a_gpu_is_flagged(fake_host: FakeHost) -> None:
    library = FakeNvml(n_devices=1)
    fake_host.plug_in(library)
    work = gpu_work(fake_host, library, 0.03)
    result = measure(EnergyMeter(engine="counters"), work, device="cuda:0")
    assert result.gpu_j is None  # the counter has not moved
    assert result.compute_j is None
    assert set(result.flags) == {"short_window", "gpu_not_positive", "gpu_unread"}


def test_one_of_several_gpus_must_be_named(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = FakeNvml(n_devices=2)
    fake_host.plug_in(library)
    work = gpu_work(fake_host, library, 10.0)
    result = measure(EnergyMeter(engine="counters"), work, device="cuda:0")
    assert (result.gpu_j, result.compute_j, result.total_j) == (None, None, None)
    assert result.flags == ("gpu_unread",)
    assert "gpu='GPU-...' says which" in result.method["gpu"]
    for named in ("GPU-1", 1):
        assert measure(EnergyMeter(engine="counters", gpu=named), work, "cuda:0").gpu_j == 500.0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
    assert measure(EnergyMeter(engine="counters"), work, "cuda:0").gpu_j == 500.0


def test_a_gpu_that_is_not_there_is_an_error(fake_host: FakeHost) -> None:
    with pytest.raises(ValueError, match="gpu='GPU-1': no NVIDIA driver here"):
        EnergyMeter(engine="counters", gpu="GPU-1")
    fake_host.plug_in(FakeNvml())
    with pytest.raises(ValueError, match=r"gpu='GPU-7': .*there is no such GPU; expected a UUID"):
        EnergyMeter(engine="counters", gpu="GPU-7")


def test_a_gpu_without_a_counter_is_absent_and_there_is_no_total(fake_host: FakeHost) -> None:
    fake_host.plug_in(FakeNvml(1, {"nvmlDeviceGetTotalEnergyConsumption": 3}))
    meter = EnergyMeter(engine="counters")
    result = measure(meter, lambda: fake_host.clocks.go(6.0), device="cuda:0")
    assert "this GPU has no such counter" in result.method["gpu"]
    assert (result.cpu_j, result.total_j, result.flags) == (24.0, None, ("gpu_unread",))


def test_auto_takes_the_gpu_from_nvml_and_the_rest_from_codecarbon(fake_host: FakeHost) -> None:
    library = FakeNvml(n_devices=1)
    fake_host.plug_in(library)
    fake_host.install(
        FakeTracker(
            task_result(10.0, cpu=40.0, gpu=777.0, ram=100.0), [cpu_load(), ram(), gpu(False)]
        )
    )
    work = gpu_work(fake_host, library, 10.0)
    result = measure(EnergyMeter(), work, device="cuda:0")
    assert result.engine == "nvml+codecarbon"
    assert result.cpu_j == pytest.approx(40.0)
    assert result.gpu_j == 500.0
    assert result.ram_j == pytest.approx(100.0)
    assert result.codecarbon_total_j == pytest.approx(917.0)
    alone = measure(EnergyMeter(engine="codecarbon"), work, device="cuda:0")
    assert alone.engine == "codecarbon"
    assert alone.gpu_j == pytest.approx(777.0)


def test_driver_and_limit_are_told() -> None:
    nvml = Nvml(FakeNvml())
    assert nvml.driver() == "550.54"
    assert nvml.power_limit_w(nvml.device_at(0)) == 70.0
    with pytest.raises(NvmlError, match="no such counter"):
        Nvml(FakeNvml(codes={"nvmlSystemGetDriverVersion": 3})).driver()


# ---------------------------------------------------------------- idle power


def test_net_is_without_the_idle_power(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, library = server(fake_host.folder), FakeNvml(n_devices=1)
    fake_host.plug_in(library)

    def sleep(seconds: float) -> None:
        tree.take(_0=20.0 * seconds, _1=1.0 * seconds)
        library.now_s += seconds
        fake_host.clocks.go(seconds, cpu_s=0.0)

    monkeypatch.setattr("fastmlp.energy.meter.time", type("T", (), {"sleep": staticmethod(sleep)}))
    meter = EnergyMeter()
    assert meter.measure_idle(10.0) == pytest.approx({"cpu": 21.0, "gpu": 50.0})

    def work() -> None:
        tree.take(_0=500.0, _1=10.0)
        library.now_s += 6.0
        fake_host.clocks.go(6.0)

    on_cpu = measure(meter, work)
    assert on_cpu.net_j == pytest.approx(510.0 - 21.0 * 6)
    on_gpu = measure(meter, work, device="cuda:0", work=3)
    assert on_gpu.net_j == pytest.approx(510.0 + 300.0 - 71.0 * 6)
    assert on_gpu.per_unit().net_j == pytest.approx((510.0 + 300.0 - 71.0 * 6) / 3)
    assert replace(on_gpu, idle_w={"cpu": 21.0}).net_j is None


def test_without_counters_there_is_no_idle_power(fake_host: FakeHost) -> None:
    meter = EnergyMeter(engine="model")
    assert meter.measure_idle(1e9) == {}
    assert measure(meter, lambda: fake_host.clocks.go(6.0)).net_j is None
    with pytest.raises(ValueError, match="duration_s=0: expected seconds above 0"):
        meter.measure_idle(0)


# ---------------------------------------------------------------- the model, and the choice


@pytest.mark.parametrize(("scope", "joules"), [("process", 30.0), ("machine", 40.0)])
def test_the_model_is_processor_time(fake_host: FakeHost, scope: str, joules: float) -> None:
    meter = EnergyMeter(engine="model", scope=scope, tdp_w=10.0)  # 5 W for each of 2 threads
    result = measure(meter, lambda: fake_host.clocks.go(6.0, foreign_s=2.0))
    assert result.cpu_j == pytest.approx(joules)
    assert result.scope == scope
    assert (result.gpu_j, result.ram_j) == (None, None)
    assert result.method["cpu"].startswith("5 W/thread x CPU time")
    assert result.model_j["cpu_time"] == pytest.approx(30.0)
    assert result.foreign_cpu_share == pytest.approx(2.0 / 12.0)
    assert result.flags == ("contention",)


def test_a_system_that_tells_little_gives_none(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "machine_time", lambda: None)
    monkeypatch.setattr(host_module, "peak_memory", lambda: None)
    result = measure(EnergyMeter(engine="model"), lambda: fake_host.clocks.go(6.0))
    assert (result.foreign_cpu_share, result.rss_peak_bytes, result.model_j) == (None, None, {})
    assert result.flags == ()
    result = measure(EnergyMeter(engine="model", scope="machine"), lambda: fake_host.clocks.go(6.0))
    assert result.cpu_j is None
    assert "does not tell" in result.method["cpu"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"engine": "rapl"}, "engine='rapl': expected one of"),
        ({"scope": "node"}, "scope='node': expected one of"),
        ({"engine": "counters", "scope": "process"}, "counters cover the whole machine"),
        ({"engine": "model", "gpu": 0}, "gpu=0: expected None with engine='model'"),
        ({"engine": "model", "tdp_w": 0.0}, "tdp_w=0.0: expected watts above 0"),
        ({"engine": "model", "grid": "nowhere"}, "zone='nowhere'"),
    ],
)
def test_arguments_that_make_no_sense(
    fake_host: FakeHost, arguments: dict[str, Any], match: str
) -> None:
    if "grid" in arguments:
        pytest.importorskip("codecarbon")
    with pytest.raises(ValueError, match=match):
        EnergyMeter(**arguments)


def test_a_share_of_the_process_is_never_read_from_a_counter(fake_host: FakeHost) -> None:
    server(fake_host.folder)
    fake_host.install(FakeTracker())
    result: EnergyResult = measure(EnergyMeter(scope="process"), lambda: fake_host.clocks.go(6.0))
    assert (result.engine, result.scope, result.source["cpu"]) == (
        "codecarbon",
        "process",
        "estimated",
    )
