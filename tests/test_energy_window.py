"""Windows: their edges, their failures, and what always comes through."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from energy_fakes import FakeHost, FakeTracker, measure
from fake_nvml import FakeNvml

from fastmlp.energy import EnergyMeter, EnergyResult
from fastmlp.energy import meter as meter_module
from fastmlp.energy.gpu import GpuCounters


@pytest.fixture
def meter(fake_host: FakeHost) -> EnergyMeter:
    fake_host.install(FakeTracker())
    return EnergyMeter()


def test_a_result_says_what_was_done(fake_host: FakeHost, meter: EnergyMeter) -> None:
    result = measure(
        meter,
        lambda: fake_host.clocks.go(6.0, cpu_s=5.5),
        label="train",
        work=10,
        unit="epoch",
        backend="numpy",
    )
    assert (result.label, result.work, result.unit) == ("train", 10.0, "epoch")
    assert (result.backend, result.device) == ("numpy", "cpu")
    assert result.wall_s == pytest.approx(6.0)
    assert result.cpu_s == pytest.approx(5.5)
    assert result.rss_peak_bytes == 2_000_000_000
    assert set(result.versions) == {"fastmlp", "python", "codecarbon"}
    assert result.grid is None


def test_sync_belongs_before_the_first_clock_and_before_the_last(
    fake_host: FakeHost, meter: EnergyMeter
) -> None:
    """A device that still has 3 s to do at each edge: those of the first are not ours."""
    calls: list[float] = []

    def sync() -> None:
        fake_host.clocks.go(3.0)
        calls.append(fake_host.clocks.wall_s)

    result = measure(meter, lambda: fake_host.clocks.go(3.0), sync=sync)
    assert len(calls) == 2
    assert result.wall_s == pytest.approx(6.0)


def test_reading_the_sources_is_outside_of_the_time(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = fake_host.install(FakeTracker())
    for name in ("start_task", "stop_task"):
        ask = getattr(tracker, name)

        def slow(task: str, ask: Callable[[str], object] = ask) -> object:
            fake_host.clocks.go(1.0)
            return ask(task)

        monkeypatch.setattr(tracker, name, slow)
    result = measure(EnergyMeter(), lambda: fake_host.clocks.go(6.0))
    assert result.wall_s == pytest.approx(6.0)
    assert result.cpu_s == pytest.approx(6.0)


# ---------------------------------------------------------------- what the work raises


@pytest.mark.parametrize("interruption", [KeyError("lost"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("place", ["work", "first sync", "last sync"])
def test_an_exception_passes_through_and_closes_the_window(
    fake_host: FakeHost, interruption: BaseException, place: str
) -> None:
    tracker = fake_host.install(FakeTracker())
    meter, calls = EnergyMeter(), []

    def sync() -> None:
        calls.append("sync")
        if place == ("first sync", "last sync")[len(calls) - 1]:
            raise interruption

    def work() -> None:
        if place == "work":
            raise interruption
        fake_host.clocks.go(6.0)

    window = meter.window(sync=sync)
    with pytest.raises(type(interruption)) as caught, window:
        work()
    assert caught.value is interruption
    assert tracker.open == []
    with pytest.raises(RuntimeError, match="not closed yet, or its work raised"):
        window.result.explain()
    assert measure(meter, lambda: fake_host.clocks.go(6.0)).cpu_j == pytest.approx(24.0)


def test_work_that_raises_is_not_synchronised_again(meter: EnergyMeter) -> None:
    calls: list[str] = []
    with pytest.raises(KeyError), meter.window(sync=lambda: calls.append("sync")):
        raise KeyError
    assert calls == ["sync"]


@pytest.mark.parametrize("edge", ["start_task", "stop_task"])
def test_ctrl_c_at_an_edge_leaves_no_open_window(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch, edge: str
) -> None:
    tracker = fake_host.install(FakeTracker())
    meter = EnergyMeter()

    def interrupt(task_name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tracker, edge, interrupt)
        with pytest.raises(KeyboardInterrupt), meter.window():
            pass
    assert measure(meter, lambda: fake_host.clocks.go(6.0)).cpu_j == pytest.approx(24.0)


def test_ctrl_c_between_two_sources_ends_the_one_that_had_begun(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_host.plug_in(FakeNvml(n_devices=1))
    tracker = fake_host.install(FakeTracker())
    meter = EnergyMeter()

    def interrupt(self: GpuCounters) -> None:
        assert len(tracker.open) == 1
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(GpuCounters, "open", interrupt)
        with pytest.raises(KeyboardInterrupt):
            meter.window().__enter__()
    assert tracker.open == []
    assert measure(meter, lambda: fake_host.clocks.go(6.0)).cpu_j == pytest.approx(24.0)


# ---------------------------------------------------------------- sources that fail


def test_the_work_runs_when_the_tracker_cannot_start(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: FakeTracker, task_name: str) -> None:
        raise OSError("no sensor")

    fake_host.install(FakeTracker())
    monkeypatch.setattr(FakeTracker, "start_task", refuse)
    done: list[bool] = []
    result = measure(EnergyMeter(), lambda: done.append(True))
    assert done == [True]
    assert "source_failed" in result.flags
    assert result.method["ram"] == "OSError at the start: no sensor"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("nothing", "the tracker returned no result"),
        (SimpleNamespace(), "the tracker returned no result"),
        (OSError("sensor gone"), "OSError at the stop: sensor gone"),
    ],
)
def test_a_failing_tracker_gives_no_number(
    fake_host: FakeHost, answer: object, reason: str
) -> None:
    fake_host.install(FakeTracker(answer))
    result = measure(EnergyMeter(), lambda: fake_host.clocks.go(6.0))
    assert result.total_j is result.codecarbon_total_j is None
    assert result.flags == ("source_failed",)
    assert result.method["cpu"] == reason


# ---------------------------------------------------------------- one window at a time


def test_nested_windows_are_refused(fake_host: FakeHost, meter: EnergyMeter) -> None:
    with meter.window() as outer:
        for other in (meter, EnergyMeter("WORLD"), EnergyMeter(engine="model")):
            with pytest.raises(RuntimeError, match="another window is open"):
                other.window().__enter__()
        fake_host.clocks.go(6.0)
    assert isinstance(outer.result, EnergyResult)


def test_windows_of_two_threads_are_refused(meter: EnergyMeter) -> None:
    refused: list[str] = []

    def other_thread() -> None:
        try:
            with meter.window():
                pass
        except RuntimeError as error:
            refused.append(str(error))

    with meter.window():
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert "another thread" in refused[0]


def test_a_window_is_used_once(meter: EnergyMeter) -> None:
    with meter.window() as window, pytest.raises(RuntimeError, match="not closed yet"):
        window.result.explain()
    with pytest.raises(RuntimeError, match="already used"):
        window.__enter__()


def test_a_meter_stays_in_its_process(meter: EnergyMeter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter_module, "os", SimpleNamespace(getpid=lambda: -1))
    with pytest.raises(RuntimeError, match="belongs to process"):
        meter.window()


@pytest.mark.parametrize(
    ("about", "match"),
    [
        ({"work": 0}, "work=0: expected a finite number above 0"),
        ({"work": float("nan")}, "work=nan"),
        ({"device": None}, "device=None: expected a name such as 'cpu'"),
    ],
)
def test_a_window_refuses_what_it_cannot_say(
    meter: EnergyMeter, about: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        meter.window(**about)


# ---------------------------------------------------------------- flags of the surroundings


def test_the_surroundings_are_flagged(
    fake_host: FakeHost, meter: EnergyMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flags(foreign_s: float = 0.0) -> tuple[str, ...]:
        return measure(meter, lambda: fake_host.clocks.go(6.0, foreign_s=foreign_s)).flags

    assert flags() == ()
    assert flags(foreign_s=0.7) == ("contention",)  # of 12 s that two cores have
    assert flags(foreign_s=0.5) == ()
    monkeypatch.setenv("codecarbon_force_ram_power", "300")
    assert flags() == ("environment",)
    monkeypatch.delenv("codecarbon_force_ram_power")
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    assert flags() == ("threads_unpinned",)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1}, raising=False)
    assert flags() == ()
