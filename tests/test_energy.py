"""Energy: labels, the failure rows of the protocol on a fake tracker, and the real CodeCarbon."""

from __future__ import annotations

import importlib
import inspect
import json
import math
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastmlp import energy
from fastmlp.energy import (
    COMPONENTS,
    FLAGS,
    LABELS,
    EnergyMeter,
    EnergyReading,
    co2e_mg,
    grid_intensity,
)
from fastmlp.energy import hardware as hardware_module
from fastmlp.energy import meter as meter_module
from fastmlp.energy import result as result_module
from fastmlp.energy import tracker as tracker_module
from fastmlp.energy.hardware import UNKNOWN, Origin, origins, rapl_unreadable

ROOT = Path(__file__).parents[1]
J_PER_KWH = 3.6e6


# ---------------------------------------------------------------- fakes, for these tests only


def hardware(kind: str, **attributes: object) -> object:
    """Return an object whose class has the name of a CodeCarbon hardware class."""
    return type(kind, (SimpleNamespace,), {})(**attributes)


def cpu_load(tracking_mode: str = "process") -> object:
    return hardware("CPU", _mode="cpu_load", _tdp=8, _cpu_count=2, _tracking_mode=tracking_mode)


def gpu(*polled: bool, gpu_ids: list[int] | None = None) -> object:
    devices = [
        SimpleNamespace(gpu_index=index, _use_power_fallback=fallback)
        for index, fallback in enumerate(polled)
    ]
    return hardware("GPU", gpu_ids=gpu_ids, devices=SimpleNamespace(devices=devices))


def task_result(
    duration: float = 2.0, cpu: float = 8.0, gpu: float = 0.0, ram: float = 20.0
) -> SimpleNamespace:
    """Return a CodeCarbon task result made from joules."""
    return SimpleNamespace(
        duration=duration,
        cpu_energy=cpu / J_PER_KWH,
        gpu_energy=gpu / J_PER_KWH,
        ram_energy=ram / J_PER_KWH,
    )


class FakeTracker:
    """Answers every task with the given result, or raises it."""

    def __init__(self, result: object = None, hardware: object = None) -> None:
        self.result = task_result() if result is None else result
        self._hardware = [cpu_load(), hardware_ram()] if hardware is None else hardware
        self.open: list[str] = []

    def start_task(self, task_name: str) -> None:
        self.open.append(task_name)

    def stop_task(self, task_name: str) -> object:
        self.open.remove(task_name)
        if isinstance(self.result, Exception):
            raise self.result
        return None if self.result == "nothing" else self.result


def hardware_ram() -> object:
    return hardware("RAM", is_arm_cpu=False)


@pytest.fixture
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("CODECARBON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(result_module, "rapl_unreadable", lambda cpu: False)


@pytest.fixture
def measure(
    monkeypatch: pytest.MonkeyPatch, quiet_environment: None
) -> Callable[..., EnergyReading]:
    """Return a function: fake tracker, and what a clock says about the window -> reading."""

    def run(tracker: FakeTracker, wall_s: float = 2.0) -> EnergyReading:
        ticks = iter([0.0, wall_s])
        monkeypatch.setattr(meter_module, "warm_tracker", lambda pid, mode: tracker)
        clock = SimpleNamespace(perf_counter=lambda: next(ticks))
        monkeypatch.setattr(meter_module, "time", clock)
        with EnergyMeter() as meter, meter.window() as window:
            pass
        assert tracker.open == []
        return window.reading

    return run


# ---------------------------------------------------------------- the record


def reading(
    cpu_j: float | None, gpu_j: float | None, ram_j: float | None, **labels: str
) -> EnergyReading:
    source = dict.fromkeys(COMPONENTS, "absent") | labels
    return EnergyReading(2.0, cpu_j, gpu_j, ram_j, source, dict.fromkeys(COMPONENTS, "test"))


def test_energy_is_the_sum_of_present_components_with_the_weakest_label() -> None:
    record = reading(8.0, 100.0, 20.0, cpu="measured", gpu="sampled", ram="estimated")
    assert record.energy_j == 128.0
    assert record.energy_source == "estimated"
    assert reading(8.0, None, None, cpu="measured").energy_source == "measured"
    for weak in range(1, len(LABELS) - 1):
        labels = {"cpu": LABELS[weak - 1], "gpu": LABELS[weak]}
        assert reading(1.0, 1.0, None, **labels).energy_source == LABELS[weak]


def test_no_component_means_no_energy_and_not_zero() -> None:
    record = reading(None, None, None)
    assert record.energy_j is None
    assert record.energy_source == "absent"
    assert record.explain().startswith("No energy value for 2 s: CPU absent")


def test_explain_is_one_sentence_that_names_method_label_and_flags() -> None:
    record = EnergyReading(
        2.0,
        8.0,
        None,
        20.0,
        source={"cpu": "estimated", "gpu": "absent", "ram": "estimated"},
        method={"cpu": "4 W/thread x CPU time", "gpu": "no GPU", "ram": "5 W/DIMM guess"},
        flags=("environment",),
    )
    assert record.explain() == (
        "28 J in 2 s (estimated): CPU 8 J estimated (4 W/thread x CPU time); GPU absent (no GPU); "
        "RAM 20 J estimated (5 W/DIMM guess); a model, so it tells little that time does not; "
        "environment: CODECARBON_* variables are set; they were overridden."
    )
    assert "a model" not in reading(8.0, None, None, cpu="measured").explain()


def test_to_dict_survives_json() -> None:
    record = reading(8.0, None, 20.0, cpu="measured", ram="sampled")
    document = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    assert document == record.to_dict()
    assert document["energy_j"] == 28.0
    assert document["energy_source"] == "sampled"
    assert document["gpu_j"] is None


@pytest.mark.parametrize("joules", [0.0, -1.0, math.nan, math.inf])
def test_a_reading_refuses_joules_that_are_no_energy(joules: float) -> None:
    with pytest.raises(ValueError, match="expected joules above 0, or None when absent"):
        reading(joules, None, None, cpu="measured")


def test_a_reading_refuses_contradictions() -> None:
    with pytest.raises(ValueError, match="contradicts the label 'absent'"):
        reading(8.0, None, None)
    with pytest.raises(ValueError, match="None contradicts the label 'measured'"):
        reading(None, None, None, cpu="measured")
    with pytest.raises(ValueError, match="source\\['cpu'\\]='exact': expected one of"):
        reading(8.0, None, None, cpu="exact")
    complete = dict.fromkeys(COMPONENTS, "absent")
    with pytest.raises(ValueError, match="'cpu' is missing"):
        EnergyReading(2.0, None, None, None, complete, {})
    with pytest.raises(ValueError, match="flags=\\['odd'\\]"):
        EnergyReading(2.0, None, None, None, complete, complete, ("odd",))


# ---------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("item", "component", "label", "method"),
    [
        (cpu_load(), "cpu", "estimated", "4 W/thread x CPU time"),
        (cpu_load("machine"), "cpu", "estimated", "8 W x (0.1 + 0.9 load^3)"),
        (
            hardware(
                "CPU",
                _mode="intel_rapl",
                _intel_interface=SimpleNamespace(
                    _rapl_files=[SimpleNamespace(path="/sys/x/intel-rapl:0/energy_uj")]
                ),
            ),
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


def test_rapl_that_exists_but_is_not_used_is_noticed(tmp_path: Path) -> None:
    estimated, measured = Origin("estimated", ""), Origin("measured", "")
    assert not rapl_unreadable(estimated, tmp_path)
    (tmp_path / "intel-rapl:0").mkdir()
    assert rapl_unreadable(estimated, tmp_path)
    assert not rapl_unreadable(measured, tmp_path)
    assert not rapl_unreadable(None, tmp_path)


# ---------------------------------------------------------------- windows on a fake tracker


def test_window_gives_joules_and_labels(measure: Callable[..., EnergyReading]) -> None:
    record = measure(FakeTracker())
    assert record.wall_s == 2.0
    assert record.cpu_j == pytest.approx(8.0)
    assert record.ram_j == pytest.approx(20.0)
    assert record.gpu_j is None
    assert record.source == {"cpu": "estimated", "gpu": "absent", "ram": "estimated"}
    assert record.method["gpu"] == "the tracker sees none"
    assert record.flags == ()


def test_gpu_joules_have_their_own_component(measure: Callable[..., EnergyReading]) -> None:
    tracker = FakeTracker(task_result(gpu=100.0), [gpu(False), cpu_load(), hardware_ram()])
    record = measure(tracker)
    assert record.gpu_j == pytest.approx(100.0)
    assert record.source["gpu"] == "measured"
    assert record.energy_source == "estimated"


@pytest.mark.parametrize(
    ("tracker", "flag", "reason"),
    [
        (FakeTracker("nothing"), "tracker_failed", "returned no result"),
        (FakeTracker(SimpleNamespace()), "tracker_failed", "returned no result"),
        (FakeTracker(OSError("sensor gone")), "tracker_failed", "OSError('sensor gone')"),
        (FakeTracker(task_result(duration=-1.7e9)), "duration_mismatch", "-1.7e+09 s"),
        (FakeTracker(task_result(duration=0.0)), "duration_mismatch", "says 0 s"),
        (FakeTracker(task_result(duration=math.nan)), "duration_mismatch", "says nan s"),
        (FakeTracker(task_result(duration=2.11)), "duration_mismatch", "2.11 s, the clock 2 s"),
        (FakeTracker(task_result(duration=1.89)), "duration_mismatch", "1.89 s, the clock 2 s"),
    ],
)
def test_a_failing_tracker_gives_no_number(
    measure: Callable[..., EnergyReading], tracker: FakeTracker, flag: str, reason: str
) -> None:
    record = measure(tracker)
    assert record.energy_j is None
    assert record.energy_source == "absent"
    assert record.flags == (flag,)
    assert reason in record.method["cpu"]


def test_durations_within_5_percent_pass(measure: Callable[..., EnergyReading]) -> None:
    assert measure(FakeTracker(task_result(duration=2.09))).flags == ()


def test_edges_of_a_short_window_are_tolerated(measure: Callable[..., EnergyReading]) -> None:
    record = measure(FakeTracker(task_result(duration=0.13)), wall_s=0.1)
    assert record.flags == ("short_window",)
    assert record.energy_j == pytest.approx(28.0)
    assert measure(FakeTracker(task_result(duration=0.6)), wall_s=0.5).energy_j is None


@pytest.mark.parametrize("component", ["cpu", "ram"])
@pytest.mark.parametrize("joules", [0.0, -3.0, math.nan])
def test_energy_that_is_not_positive_is_absent_not_zero(
    measure: Callable[..., EnergyReading], component: str, joules: float
) -> None:
    record = measure(FakeTracker(task_result(**{component: joules})))
    assert record.to_dict()[f"{component}_j"] is None
    assert record.source[component] == "absent"
    assert record.flags == (f"{component}_not_positive",)


def test_a_gpu_that_reads_zero_is_flagged(measure: Callable[..., EnergyReading]) -> None:
    record = measure(FakeTracker(hardware=[cpu_load(), hardware_ram(), gpu(False)]))
    assert record.gpu_j is None
    assert record.flags == ("gpu_not_positive",)


@pytest.mark.parametrize("hidden", ["no list", [hardware("Novel")]])
def test_hardware_that_says_nothing_gets_the_weakest_label(
    measure: Callable[..., EnergyReading], hidden: object
) -> None:
    record = measure(FakeTracker(hardware=hidden))
    assert record.cpu_j == pytest.approx(8.0)
    assert record.source == {"cpu": "assumed", "gpu": "absent", "ram": "assumed"}
    assert record.method["cpu"] == "unknown method"
    assert "unknown_method" in record.flags


def test_environment_is_flagged(
    measure: Callable[..., EnergyReading], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("codecarbon_force_ram_power", "300")
    assert measure(FakeTracker()).flags == ("environment",)


def test_unreadable_rapl_is_estimated_with_a_hint(
    measure: Callable[..., EnergyReading], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_module, "rapl_unreadable", lambda cpu: cpu.label == "estimated")
    record = measure(FakeTracker())
    assert record.source["cpu"] == "estimated"
    assert record.flags == ("rapl_unreadable",)
    assert "give this user read access" in record.explain()


@pytest.fixture
def fake_meter(monkeypatch: pytest.MonkeyPatch, quiet_environment: None) -> EnergyMeter:
    tracker = FakeTracker()
    monkeypatch.setattr(meter_module, "warm_tracker", lambda pid, mode: tracker)
    return EnergyMeter()


@pytest.mark.parametrize("interruption", [KeyError("lost"), KeyboardInterrupt()])
def test_exception_in_the_window_passes_through_and_closes_it(
    fake_meter: EnergyMeter, interruption: BaseException
) -> None:
    with pytest.raises(type(interruption)) as caught, fake_meter.window() as window:
        raise interruption
    assert caught.value is interruption
    with pytest.raises(RuntimeError, match="not closed yet, or its work raised"):
        window.reading.explain()
    with fake_meter.window() as after:
        pass
    assert isinstance(after.reading, EnergyReading)


def test_the_work_runs_when_the_tracker_cannot_start(
    fake_meter: EnergyMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: FakeTracker, task_name: str) -> None:
        raise OSError("no sensor")

    monkeypatch.setattr(FakeTracker, "start_task", refuse)
    done = False
    with fake_meter.window() as window:
        done = True
    assert done
    assert "tracker_failed" in window.reading.flags
    assert "OSError('no sensor')" in window.reading.method["ram"]


def test_ctrl_c_while_opening_leaves_no_open_window(
    fake_meter: EnergyMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: FakeTracker, task_name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FakeTracker, "start_task", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fake_meter.window().__enter__()
    with fake_meter.window():
        pass


def test_nested_windows_are_refused(fake_meter: EnergyMeter) -> None:
    with fake_meter.window() as outer:
        with pytest.raises(RuntimeError, match="another window is open"):
            fake_meter.window().__enter__()
        with pytest.raises(RuntimeError, match="another window is open"):
            EnergyMeter("machine").window().__enter__()
    assert isinstance(outer.reading, EnergyReading)


def test_windows_of_two_threads_are_refused(fake_meter: EnergyMeter) -> None:
    refused: list[str] = []

    def other_thread() -> None:
        try:
            with fake_meter.window():
                pass
        except RuntimeError as error:
            refused.append(str(error))

    with fake_meter.window():
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert "another thread" in refused[0]


def test_a_window_is_used_once(fake_meter: EnergyMeter) -> None:
    with fake_meter.window() as window, pytest.raises(RuntimeError, match="not closed yet"):
        window.reading.explain()
    with pytest.raises(RuntimeError, match="already used"):
        window.__enter__()


def test_a_closed_meter_opens_no_window(fake_meter: EnergyMeter) -> None:
    fake_meter.close()
    with pytest.raises(RuntimeError, match="the meter is closed"):
        fake_meter.window()


def test_a_meter_stays_in_its_process(
    fake_meter: EnergyMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter_module, "os", SimpleNamespace(getpid=lambda: -1))
    with pytest.raises(RuntimeError, match="belongs to process"):
        fake_meter.window()


def test_unknown_tracking_mode() -> None:
    with pytest.raises(ValueError, match="tracking_mode='node': expected one of"):
        EnergyMeter("node")


# ---------------------------------------------------------------- grid


def test_co2e_known_answer() -> None:
    assert co2e_mg(3.6e6, 56.0) == pytest.approx(56_000.0)
    assert co2e_mg(None, 56.0) is None


def test_world_is_the_fallback_figure_and_needs_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    world = grid_intensity("WORLD")
    assert world.g_per_kwh == 475
    assert "falls back" in world.source
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[energy\]'"):
        grid_intensity("FRA")


def test_zones_are_those_of_codecarbon() -> None:
    pytest.importorskip("codecarbon")
    source: Any = importlib.import_module("codecarbon.input").DataSource()
    table = source.get_global_energy_mix_data()
    for zone in ("FRA", "DEU", "POL"):
        row = grid_intensity(zone)
        assert row.g_per_kwh == table[zone]["carbon_intensity"]
        assert row.year == table[zone]["year"]
        assert "global_energy_mix.json" in row.source
    world = source.get_carbon_intensity_per_source_data()["world_average"]
    assert grid_intensity("WORLD").g_per_kwh == world


@pytest.mark.parametrize(
    ("zone", "match"),
    [
        ("fra", r"zone='fra': .* did you mean FRA \(France\)"),
        ("FR", r"did you mean .*FRA \(France\)"),
        ("Germany", r"did you mean DEU \(Germany\)"),
        ("", "no code or country name comes near it"),
        (None, "zone=None: expected an ISO 3166-1 alpha-3 code"),
        ("CAF", "gives 0.0 g/kWh .* hide every emission"),
    ],
)
def test_unknown_zone(zone: Any, match: str) -> None:
    pytest.importorskip("codecarbon")
    with pytest.raises(ValueError, match=match):
        grid_intensity(zone)


# ---------------------------------------------------------------- CodeCarbon missing or not loaded


def test_public_names() -> None:
    assert sorted(energy.__all__) == sorted(set(energy.__all__))
    assert all(hasattr(energy, name) for name in energy.__all__)
    assert {f"{component}_not_positive" for component in COMPONENTS} <= FLAGS.keys()


def test_import_and_grid_load_neither_codecarbon_nor_its_dependencies() -> None:
    code = """
        import sys
        from fastmlp.energy import grid_intensity
        grid_intensity("WORLD")
        try:
            grid_intensity("FRA")
        except ImportError:
            pass
        print(sorted({"codecarbon", "psutil", "pandas", "requests"} & set(sys.modules)))
    """
    assert run_python(code) == "[]\n"


def test_missing_codecarbon_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker_module.warm_tracker.cache_clear()
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[energy\]'"):
        EnergyMeter()


@pytest.mark.parametrize("version", ["2.8.4", "3.2.9", "4.0.0"])
def test_another_codecarbon_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    tracker_module.warm_tracker.cache_clear()
    monkeypatch.setitem(sys.modules, "codecarbon", SimpleNamespace(__version__=version))
    with pytest.raises(ImportError, match=rf"codecarbon>=3.3,<4, found {version}"):
        EnergyMeter()


# ---------------------------------------------------------------- the real CodeCarbon


def run_python(code: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run a script in a fresh interpreter; anything on stderr fails the test."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.fixture(scope="module")
def meter() -> EnergyMeter:
    pytest.importorskip("codecarbon")
    return EnergyMeter()


def busy(seconds: float) -> float:
    """Compute for a while; return the CPU seconds it took."""
    cpu_s, end = time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(1000))
    return time.process_time() - cpu_s


def test_every_option_of_the_tracker_is_set() -> None:
    codecarbon = pytest.importorskip("codecarbon")
    offline = codecarbon.OfflineEmissionsTracker
    options = {
        name
        for owner in (offline, *offline.__bases__)
        for name in inspect.signature(owner.__init__).parameters
    }
    deprecated = {name for name in options if name.startswith("save_to_")}
    left_out = deprecated | {"self", "args", "kwargs", "co2_signal_api_token"}
    assert len(options) > 30
    assert options - left_out == {*tracker_module.SETTINGS, "tracking_mode", "output_dir"}


def test_busy_seconds_follow_the_model_of_the_tracker(meter: EnergyMeter) -> None:
    parts: dict[str, Any] = {
        type(part).__name__: part for part in tracker_module.hardware_of(meter._tracker) or []
    }
    cpu = parts.get("CPU")
    if getattr(cpu, "_mode", None) != "cpu_load":
        pytest.skip("this machine has a power counter; only the load model has a known answer")
    with meter.window() as window:
        cpu_s = busy(2.5)
    record = window.reading
    assert cpu is not None
    assert record.cpu_j == pytest.approx(cpu._tdp / cpu._cpu_count * cpu_s, rel=0.1)
    assert record.ram_j == pytest.approx(parts["RAM"].total_power().W * record.wall_s, rel=0.05)
    assert record.source["cpu"] == "estimated"
    assert record.source["ram"] == "estimated"
    assert "W/thread x CPU time" in record.method["cpu"]
    assert not {"tracker_failed", "unknown_method", "short_window"} & set(record.flags)


def test_process_scope_takes_no_cpu_samples_inside_a_window(
    meter: EnergyMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker: Any = meter._tracker
    sampled: list[str] = []
    for part in tracker._hardware:
        if hasattr(part, "monitor_power"):
            name = type(part).__name__
            monkeypatch.setattr(part, "monitor_power", lambda name=name: sampled.append(name))
    tracker._scheduler_monitor_power.function()
    assert "CPU" not in sampled


def test_gpus_are_still_sampled_inside_a_window() -> None:
    sampled: list[str] = []
    parts = [
        hardware(kind, monitor_power=lambda kind=kind: sampled.append(kind))
        for kind in ("CPU", "GPU")
    ]
    monitor = SimpleNamespace(function=lambda: None)
    tracker_module._monitor_gpus_only(
        SimpleNamespace(_hardware=parts, _scheduler_monitor_power=monitor)
    )
    monitor.function()
    assert sampled == ["GPU"]


def test_idle_costs_no_cpu_energy_but_ram_energy(meter: EnergyMeter) -> None:
    if "CPU time" not in origins(tracker_module.hardware_of(meter._tracker) or [])["cpu"].method:
        pytest.skip("a counter bills the whole machine")
    with meter.window() as window:
        time.sleep(0.6)
    assert (window.reading.cpu_j or 0.0) < 0.5
    assert window.reading.ram_j is not None
    assert "short_window" in window.reading.flags


def test_meters_of_a_process_share_one_warm_tracker() -> None:
    pytest.importorskip("codecarbon")
    first = EnergyMeter()
    started_s = time.perf_counter()
    assert EnergyMeter()._tracker is first._tracker
    assert time.perf_counter() - started_s < 0.1


CHILD = """
    import json, os, signal, sys, threading, time
    from fastmlp.energy import EnergyMeter
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    meter = EnergyMeter()
    with meter.window() as window:
        end = time.perf_counter() + 1.0
        while time.perf_counter() < end:
            pass
    for thread in threading.enumerate()[1:]:
        thread.join(5)  # a timer that was just cancelled may still be on its way out
    assert threading.active_count() == 1, threading.enumerate()
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before
    print(json.dumps(window.reading.to_dict()))
"""

POISON = {
    "force_ram_power": "300",
    "force_cpu_power": "1000",
    "force_mode_cpu_load": "true",
    "pue": "3",
    "tracking_mode": "machine",
    "measure_power_secs": "0.01",
    "output_methods": "csv",
    "save_to_file": "true",
    "emissions_endpoint": "http://localhost:9",
    "co2_signal_api_token": "token",
    "electricitymaps_api_token": "token",
    "allow_multiple_runs": "false",
    "output_dir": "nowhere",
    "log_level": "debug",
    "logger_preamble": "loud",
    "gpu_ids": "7",
}


def test_environment_and_config_files_change_nothing(tmp_path: Path) -> None:
    pytest.importorskip("codecarbon")
    home, clean = tmp_path / "home", tmp_path / "clean"
    home.mkdir()
    clean.mkdir()
    config = "[codecarbon]\n" + "".join(f"{name} = {value}\n" for name, value in POISON.items())
    (home / ".codecarbon.config").write_text(config)
    (tmp_path / ".codecarbon.config").write_text(config)
    variables = {f"CODECARBON_{name.upper()}": value for name, value in POISON.items()}
    before = sorted(tmp_path.rglob("*"))

    plain = json.loads(run_python(CHILD, clean, HOME=str(clean)))
    poisoned = json.loads(run_python(CHILD, tmp_path, HOME=str(home), **variables))

    assert sorted(tmp_path.rglob("*")) == before
    assert poisoned["method"] == plain["method"]
    assert poisoned["source"] == plain["source"]
    assert set(poisoned["flags"]) == {*plain["flags"], "environment"}
    watts = [run["ram_j"] / run["wall_s"] for run in (plain, poisoned)]
    assert watts[1] == pytest.approx(watts[0], rel=0.1)


def test_the_hardware_table_covers_the_installed_codecarbon() -> None:
    pytest.importorskip("codecarbon")
    kinds: Any = importlib.import_module("codecarbon.core.hardware_cache").HardwareKind
    assert len(kinds) == len(hardware_module._DESCRIBE)
