"""Sources of joules that nobody measured: a powercap tree, a tracker, and work on a fake clock."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_nvml import FakeNvml

from fastmlp.energy import EnergyMeter, EnergyResult, codecarbon, host, nvml, rapl

J_PER_KWH = 3.6e6
RANGE_UJ = 262_143_328_850  # of a real package


class FakeRapl:
    """A powercap folder whose counters tests turn on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)

    def add(self, folder: str, name: str, count_uj: int = 0, limit_w: float | None = None) -> None:
        """Add a counter; folder as in "intel-rapl:0:2"."""
        path = self.root / folder
        path.mkdir()
        (path / "name").write_text(name + "\n")
        (path / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
        (path / "energy_uj").write_text(f"{count_uj}\n")
        if limit_w is not None:
            (path / "constraint_0_power_limit_uw").write_text(f"{int(limit_w * 1e6)}\n")

    def take(self, **joules: float) -> None:
        """Let counters go on by joules; `_0_2` means intel-rapl:0:2."""
        for key, value in joules.items():
            file = self.root / f"intel-rapl{key.replace('_', ':')}" / "energy_uj"
            file.write_text(f"{(int(file.read_text()) + round(value * 1e6)) % RANGE_UJ}\n")


def server(folder: Path) -> FakeRapl:
    """Two packages with subdomains and memory, a board, and the same package once more by MMIO."""
    tree = FakeRapl(folder)
    tree.add("intel-rapl:0", "package-0", RANGE_UJ - 5_000_000, limit_w=100.0)
    tree.add("intel-rapl:0:0", "core", 7)
    tree.add("intel-rapl:0:1", "uncore", 8)
    tree.add("intel-rapl:0:2", "dram", 9)
    tree.add("intel-rapl:1", "package-1", 123_000_000, limit_w=100.0)
    tree.add("intel-rapl:1:0", "dram", 50)
    tree.add("intel-rapl:2", "psys", 99)
    tree.add("intel-rapl:2:0", "dram", 77)
    tree.add("intel-rapl-mmio:0", "package-0", 1)
    return tree


def hardware(kind: str, **attributes: object) -> object:
    """Return an object whose class has the name of a CodeCarbon hardware class."""
    return type(kind, (SimpleNamespace,), {})(**attributes)


def cpu_load(tracking_mode: str = "process") -> object:
    return hardware("CPU", _mode="cpu_load", _tdp=8, _cpu_count=2, _tracking_mode=tracking_mode)


def ram() -> object:
    return hardware("RAM", is_arm_cpu=False)


def gpu(*polled: bool, gpu_ids: list[int] | None = None) -> object:
    devices = [
        SimpleNamespace(gpu_index=index, _use_power_fallback=fallback)
        for index, fallback in enumerate(polled)
    ]
    return hardware("GPU", gpu_ids=gpu_ids, devices=SimpleNamespace(devices=devices))


def task_result(
    duration: float = 6.0, cpu: float = 24.0, gpu: float = 0.0, ram: float = 60.0
) -> SimpleNamespace:
    """Return a CodeCarbon task result made from joules."""
    return SimpleNamespace(
        duration=duration,
        cpu_energy=cpu / J_PER_KWH,
        gpu_energy=gpu / J_PER_KWH,
        ram_energy=ram / J_PER_KWH,
        energy_consumed=(cpu + gpu + ram) / J_PER_KWH,
    )


class FakeTracker:
    """Answers every task with the given result, or raises it."""

    def __init__(self, result: object = None, hardware: object = None) -> None:
        self.result = task_result() if result is None else result
        self._hardware = [cpu_load(), ram()] if hardware is None else hardware
        self.open: list[str] = []

    def start_task(self, task_name: str) -> None:
        self.open.append(task_name)

    def stop_task(self, task_name: str) -> object:
        self.open.remove(task_name)
        if isinstance(self.result, Exception):
            raise self.result
        return None if self.result == "nothing" else self.result


class FakeClocks:
    """Seconds that tests let pass: of the wall, of this process, of all cores."""

    def __init__(self, cores: int = 2) -> None:
        self.cores, self.wall_s, self.cpu_s, self.busy_s = cores, 100.0, 10.0, 20.0
        self.children_s = 5.0

    def perf_counter(self) -> float:
        return self.wall_s

    def process_time(self) -> float:
        return self.cpu_s

    def children_time(self) -> float:
        return self.children_s

    def machine_time(self) -> tuple[float, float]:
        return self.busy_s, self.wall_s * self.cores

    def go(
        self,
        wall_s: float,
        cpu_s: float | None = None,
        foreign_s: float = 0.0,
        children_s: float = 0.0,
    ) -> None:
        """Let time pass; left out, one core is busy with our work; children are part of it."""
        own_s = wall_s if cpu_s is None else cpu_s
        self.wall_s += wall_s
        self.cpu_s += own_s
        self.children_s += children_s
        self.busy_s += own_s + foreign_s


class FakeHost:
    """A quiet machine with two cores and nothing to count joules with, until tests add it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self.clocks = FakeClocks()
        self.folder = folder
        for name in [name for name in os.environ if name.upper().startswith("CODECARBON_")]:
            monkeypatch.delenv(name)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        monkeypatch.setattr(host, "time", self.clocks)
        monkeypatch.setattr(host, "process_time", self.clocks.process_time)
        monkeypatch.setattr(host, "children_time", self.clocks.children_time)
        monkeypatch.setattr(host, "machine_time", self.clocks.machine_time)
        monkeypatch.setattr(host, "peak_memory", lambda: 2_000_000_000)
        monkeypatch.setattr(rapl, "POWERCAP", folder)
        self.plug_in(None)

    def plug_in(self, library: FakeNvml | None) -> FakeNvml | None:
        """Put NVIDIA's library in, or take it out."""

        def load() -> FakeNvml:
            if library is None:
                raise nvml.NvmlError("no NVIDIA driver here")
            return library

        self._monkeypatch.setattr(nvml, "_load", load)
        return library

    def install(self, tracker: FakeTracker) -> FakeTracker:
        """Put a tracker in the place of CodeCarbon's."""
        self._monkeypatch.setattr(codecarbon, "warm_tracker", lambda pid, scope, tdp_w: tracker)
        return tracker


def measure(
    meter: EnergyMeter, task: Callable[[], object], device: str = "cpu", **about: Any
) -> EnergyResult:
    """Do the task in a window."""
    with meter.window(device=device, **about) as window:
        task()
    return window.result
