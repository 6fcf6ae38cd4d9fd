"""Energy on this very machine: the grid table, the clocks, the real CodeCarbon."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from energy_fakes import hardware

from fastmlp.energy import EnergyMeter, co2e_mg, grid_intensity
from fastmlp.energy import host as host_module
from fastmlp.energy import tracker as tracker_module
from fastmlp.energy.tracker import build_tracker, hardware_of, warm_tracker

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


# ---------------------------------------------------------------- the operating system


def busy(seconds: float) -> float:
    """Compute for a while; return the CPU seconds it took."""
    cpu_s, end = time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(1000))
    return time.process_time() - cpu_s


def test_the_clocks_of_this_machine_agree_with_the_work() -> None:
    opened = host_module.open_clocks()
    cpu_s = busy(0.5)
    span = host_module.close_clocks(opened, "cpu")
    assert span.wall_s == pytest.approx(0.5, abs=0.2)
    assert span.cpu_s == pytest.approx(cpu_s, abs=0.01)
    if span.busy_s is not None and span.capacity_s is not None:  # counted in ticks of 10 ms
        assert cpu_s - 0.05 < span.busy_s <= span.capacity_s + 0.05
    if span.rss_peak_bytes is not None:
        assert 1e7 < span.rss_peak_bytes < 1e12


def test_children_that_were_waited_for_are_in_the_processor_time() -> None:
    if host_module._resource() is None:
        pytest.skip("this system does not count children")
    before_s = host_module.process_time()
    loop = "import time\nwhile time.process_time() < 0.4: pass"
    subprocess.run([sys.executable, "-c", loop], check=True, timeout=60)
    assert host_module.process_time() - before_s > 0.35


def test_what_linux_says_is_read(tmp_path: Path) -> None:
    per_s = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0
    if not per_s:
        pytest.skip("no ticks here")
    # user nice system idle iowait irq softirq steal guest guest_nice
    (tmp_path / "stat").write_text("cpu  100 10 20 500 50 1 2 7 40 4\ncpu0 1 2 3\n")
    assert host_module.machine_time(tmp_path) == (140 / per_s, 690 / per_s)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text("VmPeak:\t9 kB\nVmHWM:\t 2048 kB\n")
    assert host_module.peak_memory(tmp_path) == 2048 * 1024
    for text in ("", "cpu  1 2 3\n", "cpu  a b c d e f g h\n"):
        (tmp_path / "stat").write_text(text)
        assert host_module.machine_time(tmp_path) is None
    assert host_module.machine_time(tmp_path / "nowhere") is None


# ---------------------------------------------------------------- CodeCarbon missing


def test_missing_codecarbon_names_the_extra_and_the_way_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build_tracker.cache_clear()
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    match = r"pip install 'fastmlp\[energy\]', or take engine='model'"
    with pytest.raises(ImportError, match=match):
        EnergyMeter(engine="codecarbon")
    with EnergyMeter(engine="model").window(device="cpu") as window:
        busy(0.05)
    assert window.result.cpu_j


@pytest.mark.parametrize("version", ["2.8.4", "3.2.9", "4.0.0"])
def test_another_codecarbon_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    build_tracker.cache_clear()
    monkeypatch.setitem(sys.modules, "codecarbon", SimpleNamespace(__version__=version))
    with pytest.raises(ImportError, match=rf"codecarbon>=3.3,<4, found {version}"):
        EnergyMeter(engine="codecarbon")


# ---------------------------------------------------------------- the real CodeCarbon


@pytest.fixture(scope="module")
def meter() -> EnergyMeter:
    pytest.importorskip("codecarbon")
    return EnergyMeter(engine="codecarbon")


def parts_of_the_tracker() -> dict[str, Any]:
    tracker = warm_tracker(os.getpid(), "process", None)
    return {type(part).__name__: part for part in hardware_of(tracker) or []}


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
    parts = parts_of_the_tracker()
    cpu = parts.get("CPU")
    if getattr(cpu, "_mode", None) != "cpu_load":
        pytest.skip("this machine has a power counter; only the load model has a known answer")
    with meter.window(device="cpu") as window:
        cpu_s = busy(2.5)
    result = window.result
    assert cpu is not None
    assert result.cpu_s == pytest.approx(cpu_s, abs=0.02)
    assert result.cpu_j == pytest.approx(cpu._tdp / cpu._cpu_count * cpu_s, rel=0.1)
    assert result.ram_j == pytest.approx(parts["RAM"].total_power().W * result.wall_s, rel=0.05)
    assert result.codecarbon_total_j == pytest.approx(result.total_j, rel=1e-6)
    # our own form of its model says the same
    assert result.model_j["codecarbon_process"] == pytest.approx(result.total_j, rel=0.1)
    assert result.source["cpu"] == "estimated"
    assert result.source["ram"] == "estimated"
    assert "W/thread x CPU time" in result.method["cpu"]
    assert not {"source_failed", "unknown_method", "short_window"} & set(result.flags)


def test_a_child_that_ended_is_in_the_joules_and_in_the_time(meter: EnergyMeter) -> None:
    cpu = parts_of_the_tracker().get("CPU")
    if getattr(cpu, "_mode", None) != "cpu_load" or host_module._resource() is None:
        pytest.skip("a counter bills the whole machine, or children are not counted")
    assert cpu is not None
    loop = "import time\nwhile time.process_time() < 0.6: pass"
    with meter.window(device="cpu") as window:
        subprocess.run([sys.executable, "-c", loop], check=True, timeout=60)
    result = window.result
    assert result.cpu_s is not None
    assert result.cpu_s > 0.5
    assert result.cpu_j == pytest.approx(cpu._tdp / cpu._cpu_count * result.cpu_s, rel=0.1)


def test_process_scope_takes_no_cpu_samples_inside_a_window(
    meter: EnergyMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker: Any = warm_tracker(os.getpid(), "process", None)
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


def test_a_power_that_is_given_holds_for_codecarbon_too() -> None:
    pytest.importorskip("codecarbon")
    for scope in ("process", "machine"):
        tracker = warm_tracker(os.getpid(), scope, 100.0)
        cpu: Any = next(part for part in hardware_of(tracker) or [] if type(part).__name__ == "CPU")
        if cpu._mode != "cpu_load":
            pytest.skip("this machine has a power counter, which is not told")
    given = EnergyMeter(engine="codecarbon", tdp_w=100.0)
    with given.window(device="cpu") as window:
        cpu_s = busy(1.0)
    result = window.result
    assert result.cpu_j == pytest.approx(100.0 / cpu._cpu_count * cpu_s, rel=0.1)
    assert result.model_j["cpu_time"] == pytest.approx(result.cpu_j, rel=0.1)
    assert result.method["cpu"].startswith(f"{100.0 / cpu._cpu_count:.3g} W/thread")


def test_idle_costs_memory_and_hardly_any_cpu_energy(meter: EnergyMeter) -> None:
    if getattr(parts_of_the_tracker().get("CPU"), "_mode", None) != "cpu_load":
        pytest.skip("a counter bills the whole machine")
    with meter.window(device="cpu") as window:
        time.sleep(0.6)
    assert (window.result.cpu_j or 0.0) < 0.5
    assert window.result.ram_j is not None
    assert "short_window" in window.result.flags


def test_meters_of_a_process_share_one_warm_tracker(meter: EnergyMeter) -> None:
    started_s = time.perf_counter()
    EnergyMeter(engine="codecarbon")
    assert time.perf_counter() - started_s < 0.1


def test_meters_that_threads_make_leave_codecarbons_logger_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    codecarbon = pytest.importorskip("codecarbon")
    delays_s = iter((0.1, 0.6, 1.1))  # who begins later ends later

    def slowly() -> Any:
        time.sleep(next(delays_s))
        return codecarbon

    monkeypatch.setattr(tracker_module, "_import_codecarbon", slowly)
    powers_w = (11.0, 12.0, 13.0)  # a tracker each
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda tdp_w: EnergyMeter(engine="codecarbon", tdp_w=tdp_w), powers_w))
    assert not logging.getLogger("codecarbon").disabled
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("set_by_s", [10.0, -10.0])
def test_a_clock_that_is_set_within_a_window_takes_the_joules_away(
    monkeypatch: pytest.MonkeyPatch, set_by_s: float
) -> None:
    pytest.importorskip("codecarbon")
    meter, now = EnergyMeter(engine="codecarbon", scope="process"), time.time
    with meter.window("work", device="cpu") as window:
        until_s = time.perf_counter() + 1.1
        while time.perf_counter() < until_s:
            pass
        monkeypatch.setattr(time, "time", lambda: now() + set_by_s)
    result = window.result
    assert result.cpu_j is None
    assert "duration_mismatch" in result.flags
    assert f"the system's clock was set by {set_by_s:+.0f}" in result.method["cpu"]


def test_a_signal_while_a_window_opens_does_not_lock_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("codecarbon")
    meter = EnergyMeter(engine="codecarbon", scope="process")
    tracker: Any = warm_tracker(os.getpid(), "process", None)
    scheduler = tracker._scheduler_monitor_power

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("codecarbon.external.scheduler.Timer", interrupted)
        with pytest.raises(KeyboardInterrupt), meter.window("work", device="cpu"):
            pass
    assert not scheduler._lock.locked()
    with meter.window("work", device="cpu") as window:
        sum(i * i for i in range(10**6))
    assert window.result.cpu_j
