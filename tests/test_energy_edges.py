"""Edges of a window that a signal handler interrupts, and windows that a fork doubles."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal

import pytest
from energy_fakes import FakeHost, FakeTracker, measure

from fastmlp.energy import EnergyMeter, EnergyWindow


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
@pytest.mark.parametrize("keeps", [True, False])
def test_an_exception_of_a_signal_handler_leaves_no_window_open(
    fake_host: FakeHost, keeps: bool
) -> None:
    """At any moment of either edge, with the traceback kept or not."""

    class AlarmError(Exception):
        pass

    def ring(*_: object) -> None:
        raise AlarmError

    meter, draw, kept, n_rung = EnergyMeter(engine="model"), random.Random(0), list[AlarmError](), 0
    before = signal.signal(signal.SIGALRM, ring)
    gc.disable()  # what libraries do at its end would hear of the alarm
    try:
        for _ in range(3000):
            try:
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, 2e-4))
                with meter.window() as window:
                    pass
                signal.setitimer(signal.ITIMER_REAL, 0)
            except AlarmError as alarm:
                n_rung += 1
                kept = [alarm] if keeps else []
            finally:
                with contextlib.suppress(AlarmError):
                    signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        gc.enable()
        signal.signal(signal.SIGALRM, before)
    assert n_rung > 100
    assert bool(kept) is keeps
    with meter.window() as window:
        pass
    assert window.result.wall_s >= 0


@pytest.mark.parametrize("edge", ["enter", "exit"])
def test_an_edge_that_never_began_or_never_ended_leaves_no_window_open(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch, edge: str
) -> None:
    """As when a handler raises before the first line of the edge."""
    tracker = fake_host.install(FakeTracker())
    meter = EnergyMeter()

    def raises(self: EnergyWindow, *_: object) -> None:
        raise KeyboardInterrupt

    def raises_late(self: EnergyWindow) -> None:
        enter(self)
        raise KeyboardInterrupt

    enter = EnergyWindow.__enter__
    window = meter.window()
    with monkeypatch.context() as patch:
        if edge == "exit":
            patch.setattr(EnergyWindow, "_leave", raises)
        else:
            patch.setattr(EnergyWindow, "__enter__", raises_late)
        with pytest.raises(KeyboardInterrupt), window:
            pass
    assert measure(meter, lambda: fake_host.clocks.go(6.0)).cpu_j == pytest.approx(24.0)
    assert tracker.open == []


def test_a_window_works_without_a_with_statement_and_in_a_stack(
    fake_host: FakeHost,
) -> None:
    meter = EnergyMeter(engine="model")
    window = meter.window()
    window.__enter__()
    with pytest.raises(RuntimeError, match="another window is open"):
        meter.window().__enter__()
    fake_host.clocks.go(6.0)
    window.__exit__(None, None, None)
    assert window.result.wall_s == pytest.approx(6.0)
    with contextlib.ExitStack() as stack:
        stacked = stack.enter_context(meter.window())
        fake_host.clocks.go(6.0)
    assert stacked.result.wall_s == pytest.approx(6.0)
    for other in (window, meter.window()):
        with pytest.raises(RuntimeError, match="the window is not open"):
            other.__exit__(None, None, None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:os.fork")  # JAX may be there; the child has no use for it
def test_a_forked_child_that_leaves_the_window_has_no_result(fake_host: FakeHost) -> None:
    tracker = fake_host.install(FakeTracker())
    reader, writer = os.pipe()
    with EnergyMeter().window(device="cpu") as window:
        fake_host.clocks.go(6.0)
        child = os.fork()
        if child == 0:
            said = "nothing"
            try:
                window.__exit__(None, None, None)
                said = f"{len(tracker.open)} open, {window.result}"
            except BaseException as error:
                said = f"{len(tracker.open)} open, {error}"
            finally:
                os.write(writer, said.encode())
                os._exit(0)
        os.waitpid(child, 0)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    os.close(writer)
    assert said.startswith("1 open, result: the window belongs to process")
    assert window.result.cpu_j == pytest.approx(24.0)
