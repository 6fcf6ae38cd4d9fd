"""`EnergyMeter` opens windows around work; each window yields one `EnergyReading`."""

from __future__ import annotations

import functools
import os
import threading
import time
import uuid
from types import TracebackType
from typing import Any

from fastmlp.energy.reading import EnergyReading
from fastmlp.energy.result import read_result
from fastmlp.energy.tracker import TRACKING_MODES, Tracker, hardware_of, warm_tracker


class EnergyMeter:
    """Measure the energy of windows with CodeCarbon's offline tracker.

    All meters of a process share one warmed-up tracker per scope, so only the first construction
    takes its 1 to 2 s. No window ever raises because of the tracker: where the tracker fails, the
    reading has None and a flag.

    Parameters
    ----------
    tracking_mode
        "process": where CPU energy is a model, that of this process and of those children that
        run from the first to the last moment of a window; "machine": that of the whole machine.
        Counters (RAPL, GPU) always cover the whole machine or device.

    Raises
    ------
    ValueError
        Unknown ``tracking_mode``.
    ImportError
        CodeCarbon is missing or too old: ``pip install 'fastmlp[energy]'``.

    Examples
    --------
    ::

        with EnergyMeter() as meter, meter.window() as window:
            model.fit(X, y)
        print(window.reading.explain())
    """

    def __init__(self, tracking_mode: str = "process") -> None:
        if tracking_mode not in TRACKING_MODES:
            raise ValueError(f"tracking_mode={tracking_mode!r}: expected one of {TRACKING_MODES}")
        self._pid = os.getpid()
        self._tracker = warm_tracker(self._pid, tracking_mode)
        self._closed = False

    def window(self) -> EnergyWindow:
        """Return a new window to be used once in a ``with`` statement.

        Raises
        ------
        RuntimeError
            The meter is closed, or was made in the parent of a forked process.
        """
        if self._closed:
            raise RuntimeError("window(): the meter is closed; construct a new EnergyMeter")
        if os.getpid() != self._pid:
            raise RuntimeError(
                f"window(): the meter belongs to process {self._pid}, this is {os.getpid()}; "
                "construct an EnergyMeter in each process"
            )
        return EnergyWindow(self._tracker, _window_lock(self._pid))

    def close(self) -> None:
        """End the use of this meter; the shared tracker idles without a thread."""
        self._closed = True

    def __enter__(self) -> EnergyMeter:
        """Return the meter; nothing runs until a window is opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the meter."""
        self.close()


class EnergyWindow:
    """One span of work, made by `EnergyMeter.window`; ``reading`` is there once it is closed."""

    def __init__(self, tracker: Tracker, lock: threading.Lock) -> None:
        self._tracker = tracker
        self._lock = lock
        # A name of its own, so that a task left over from a failure can never be billed here.
        self._task = uuid.uuid4().hex
        self._failure: str | None = None
        self._opened_s: float | None = None
        self._reading: EnergyReading | None = None

    @property
    def reading(self) -> EnergyReading:
        """The energy of the closed window.

        Raises
        ------
        RuntimeError
            The window is not closed yet, or its work raised.
        """
        if self._reading is None:
            raise RuntimeError("reading: the window is not closed yet, or its work raised")
        return self._reading

    def __enter__(self) -> EnergyWindow:
        """Open the window; RuntimeError if another one is open or this one was used."""
        if self._opened_s is not None:
            raise RuntimeError("the window was already used; ask the meter for a new window()")
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "another window is open in this process, here or in another thread; the tracker "
                "cannot tell them apart: measure one after the other"
            )
        try:
            self._tracker.start_task(self._task)
        except Exception as error:  # the workload must run even if the tracker cannot
            self._failure = f"tracker failed to start: {error!r}"
        except BaseException:
            self._lock.release()
            raise
        self._opened_s = time.perf_counter()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the window; an exception of the work passes through and leaves no reading."""
        assert self._opened_s is not None
        wall_s = time.perf_counter() - self._opened_s
        try:
            result = self._stop()
        finally:
            self._lock.release()
        if exc_type is None:
            self._reading = read_result(result, hardware_of(self._tracker), wall_s, self._failure)

    def _stop(self) -> Any:
        if self._failure is not None:
            return None
        try:
            return self._tracker.stop_task(self._task)
        except Exception as error:
            self._failure = f"tracker failed to stop: {error!r}"
            return None


@functools.cache
def _window_lock(pid: int) -> threading.Lock:
    # Per process: a child forked inside an open window must not inherit a held lock.
    return threading.Lock()
