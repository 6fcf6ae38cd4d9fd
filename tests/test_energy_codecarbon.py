"""CodeCarbon's words turned into labels, on a fake of it."""

from __future__ import annotations

import importlib
import math
from types import SimpleNamespace

import pytest
from energy_fakes import (
    FakeHost,
    FakeTracker,
    cpu_load,
    gpu,
    hardware,
    measure,
    ram,
    task_result,
)

from fastmlp.energy import EnergyMeter, EnergyResult
from fastmlp.energy import hardware as hardware_module
from fastmlp.energy.hardware import UNKNOWN, Origin, origins

RAPL = SimpleNamespace(_rapl_files=[SimpleNamespace(path="/sys/x/intel-rapl:0/energy_uj")])


@pytest.mark.parametrize(
    ("item", "component", "label", "method"),
    [
        (cpu_load(), "cpu", "estimated", "4 W/thread x CPU time"),
        (cpu_load("machine"), "cpu", "estimated", "8 W x (0.1 + 0.9 load^3)"),
        (
            hardware("CPU", _mode="intel_rapl", _intel_interface=RAPL),
            "cpu",
            "measured",
            "RAPL intel-rapl:0 (whole machine)",
        ),
        (hardware("CPU", _mode="intel_rapl"), "cpu", "measured", "RAPL (whole machine)"),
        (hardware("CPU", _mode="windows_emi"), "cpu", "measured", "Windows Energy Meter"),
        (hardware("CPU", _mode="intel_power_gadget"), "cpu", "sampled", "Power Gadget"),
        (hardware("CPU", _mode="constant", _tdp=85), "cpu", "assumed", "half of the TDP"),
        (hardware("RAM", is_arm_cpu=False), "ram", "estimated", "5 W/DIMM guess x wall time"),
        (hardware("RAM", is_arm_cpu=True), "ram", "estimated", "1.5 W/DIMM guess"),
        (gpu(False), "gpu", "measured", "energy counter, the visible GPU"),
        (gpu(False, False), "gpu", "measured", "all 2 visible GPUs, idle included"),
        (gpu(False, True), "gpu", "sampled", "power polled every second, all 2 visible GPUs"),
        (gpu(False, True, gpu_ids=[0]), "gpu", "measured", "the visible GPU"),
        (hardware("AppleSiliconChip", chip_part="GPU"), "gpu", "sampled", "powermetrics"),
        (hardware("Raspberry", chip_part="RAM"), "ram", "sampled", "PMIC"),
    ],
)
def test_label_and_method_of_known_hardware(
    item: object, component: str, label: str, method: str
) -> None:
    found = origins([item])
    assert list(found) == [component]
    assert found[component].label == label
    assert method in found[component].method


@pytest.mark.parametrize(
    "item",
    [
        hardware("CPU", _mode="a_new_mode"),
        hardware("CPU"),
        hardware("CPU", _mode="cpu_load"),
        hardware("CPU", _mode="cpu_load", _tdp="8 W", _cpu_count=2, _tracking_mode="process"),
        hardware("GPU"),
        hardware("GPU", gpu_ids=None, devices=SimpleNamespace(devices=[SimpleNamespace()])),
        hardware("GPU", gpu_ids=7, devices=SimpleNamespace(devices=[SimpleNamespace()])),
    ],
)
def test_what_is_not_known_is_never_called_estimated_or_better(item: object) -> None:
    assert set(origins([item]).values()) <= {UNKNOWN}
    assert Origin("assumed", "unknown method") == UNKNOWN


def test_the_hardware_table_covers_the_installed_codecarbon() -> None:
    pytest.importorskip("codecarbon")
    kinds = importlib.import_module("codecarbon.core.hardware_cache").HardwareKind
    assert len(kinds) == len(hardware_module._DESCRIBE)


def tracked(fake_host: FakeHost, tracker: FakeTracker, device: str = "cpu") -> EnergyResult:
    fake_host.install(tracker)
    return measure(EnergyMeter(), lambda: fake_host.clocks.go(6.0), device=device)


def test_a_task_gives_joules_labels_and_its_own_total(fake_host: FakeHost) -> None:
    result = tracked(fake_host, FakeTracker())
    assert result.cpu_j == pytest.approx(24.0)
    assert result.ram_j == pytest.approx(60.0)
    assert result.gpu_j is None
    assert result.codecarbon_total_j == pytest.approx(84.0)
    assert result.source == {"cpu": "estimated", "gpu": "absent", "ram": "estimated"}
    assert result.method["gpu"] == "the tracker sees none"
    assert (result.engine, result.scope, result.flags) == ("codecarbon", "process", ())
    assert result.model_j["codecarbon_process"] == pytest.approx(84.0)


def test_all_gpus_that_codecarbon_bills_are_idle_to_a_cpu_backend(fake_host: FakeHost) -> None:
    tracker = FakeTracker(task_result(gpu=600.0), [gpu(False, False), cpu_load(), ram()])
    on_cpu, on_gpu = tracked(fake_host, tracker), tracked(fake_host, tracker, "cuda:0")
    assert on_cpu.gpu_j == on_gpu.gpu_j == pytest.approx(600.0)
    assert on_cpu.compute_j == pytest.approx(24.0)
    assert on_gpu.compute_j == pytest.approx(624.0)
    assert "all 2 visible GPUs" in on_cpu.method["gpu"]
    assert on_cpu.method["gpu"].endswith("not charged: idle beside work on the CPU")
    # its own total is left as it is
    assert on_cpu.codecarbon_total_j == pytest.approx(684.0)


def test_a_counter_in_codecarbon_covers_the_machine(fake_host: FakeHost) -> None:
    tracker = FakeTracker(hardware=[hardware("CPU", _mode="intel_rapl"), ram()])
    result = tracked(fake_host, tracker)
    assert (result.scope, result.source["cpu"], result.model_j) == ("machine", "measured", {})


def test_a_duration_that_is_off_gives_no_number(fake_host: FakeHost) -> None:
    result = tracked(fake_host, FakeTracker(task_result(duration=-1.7e9)))
    assert result.total_j is result.codecarbon_total_j is None
    assert result.flags == ("duration_mismatch",)
    assert result.method["cpu"] == "the tracker says -1.7e+09 s, the clock 6 s"


@pytest.mark.parametrize("component", ["cpu", "ram"])
@pytest.mark.parametrize("joules", [0.0, -3.0, math.nan])
def test_energy_that_is_not_positive_is_absent_not_zero(
    fake_host: FakeHost, component: str, joules: float
) -> None:
    result = tracked(fake_host, FakeTracker(task_result(**{component: joules})))
    assert result.to_dict()[f"{component}_j"] is None
    assert result.source[component] == "absent"
    assert result.flags == (f"{component}_not_positive",)


def test_a_gpu_that_reads_zero_is_flagged(fake_host: FakeHost) -> None:
    result = tracked(fake_host, FakeTracker(hardware=[cpu_load(), ram(), gpu(False)]), "cuda:0")
    assert result.gpu_j is result.total_j is None
    assert set(result.flags) == {"gpu_not_positive", "gpu_unread"}


@pytest.mark.parametrize("hidden", ["no list", [hardware("Novel")]])
def test_hardware_that_says_nothing_gets_the_weakest_label(
    fake_host: FakeHost, hidden: object
) -> None:
    result = tracked(fake_host, FakeTracker(hardware=hidden))
    assert result.cpu_j == pytest.approx(24.0)
    assert result.source == {"cpu": "assumed", "gpu": "absent", "ram": "assumed"}
    assert result.method["cpu"] == "unknown method"
    assert "unknown_method" in result.flags


# ---------------------------------------------------------------- child processes


def test_children_that_ended_are_billed_as_the_process_is(fake_host: FakeHost) -> None:
    """CodeCarbon sees 0.01 s, and the clocks another 2 s of a child that is gone."""
    fake_host.install(FakeTracker(task_result(cpu=0.04)))
    result = measure(EnergyMeter(), lambda: fake_host.clocks.go(6.0, 2.01, children_s=2.0))
    assert result.cpu_j == pytest.approx(4.0 * 2.01)
    assert result.model_j["cpu_time"] == pytest.approx(result.cpu_j)
    assert result.method["cpu"] == "4 W/thread x CPU time"  # runs with and without are compared
    assert result.codecarbon_total_j == pytest.approx(60.04)
    assert result.flags == ()


def test_a_child_is_billed_where_the_process_itself_did_nothing(fake_host: FakeHost) -> None:
    fake_host.install(FakeTracker(task_result(cpu=0.0)))
    result = measure(EnergyMeter(), lambda: fake_host.clocks.go(6.0, 2.0, children_s=2.0))
    assert result.cpu_j == pytest.approx(8.0)
    assert result.flags == ()


def test_workers_that_live_on_are_flagged(fake_host: FakeHost) -> None:
    fake_host.install(FakeTracker(task_result(cpu=40.0)))
    result = measure(EnergyMeter(), lambda: fake_host.clocks.go(6.0, 2.0))
    assert result.cpu_j == pytest.approx(40.0)
    assert result.cpu_s == pytest.approx(2.0)
    assert result.flags == ("children_running",)
    assert "scope='machine'" in result.explain()


def test_joules_of_the_machine_have_its_children_already(fake_host: FakeHost) -> None:
    fake_host.install(FakeTracker(hardware=[cpu_load("machine"), ram()]))
    meter = EnergyMeter(scope="machine")
    assert measure(meter, lambda: fake_host.clocks.go(6.0, children_s=3.0)).cpu_j == pytest.approx(
        24
    )
