"""`EnergyWindow`, one span of work between two edges."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from fastmlp.energy.host import Clocks, close_clocks, open_clocks
from fastmlp.energy.parts import FAILED, Finding, Source, Span, absent, merge
from fastmlp.energy.result import EnergyResult


class EnergyWindow:
    """One span of work, made by `EnergyMeter.window`, for one ``with`` statement.

    At the first edge ``sync`` is called, then the sources are read, then the clock; at the second
    ``sync``, the clock, the sources. So what a library still had to do is inside where it belongs,
    and reading the sources is outside of the time.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        device: str,
        sync: Callable[[], object] | None,
        to_result: Callable[[Span, Finding], EnergyResult],
    ) -> None:
        self._sources, self._device, self._sync = sources, device, sync
        self._to_result = to_result
        self._lock = _lock_of(os.getpid())
        self._used = False
        self._clocks: Clocks | None = None
        self._begun: list[Source] = []
        self._failures: list[tuple[Source, Exception]] = []
        self._result: EnergyResult | None = None

    @property
    def result(self) -> EnergyResult:
        """The energy of the closed window.

        Raises
        ------
        RuntimeError
            The window is not closed yet, or its work raised.
        """
        if self._result is None:
            raise RuntimeError("result: the window is not closed yet, or its work raised")
        return self._result

    def __enter__(self) -> EnergyWindow:
        """Open the window; RuntimeError if another one is open or this one was used."""
        if self._used:
            raise RuntimeError("the window was already used; ask the meter for a new window()")
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "another window is open in this process, here or in another thread; their joules "
                "cannot be told apart: measure one after the other"
            )
        self._used = True
        try:
            if self._sync is not None:
                self._sync()
            # the first of the sources is the nearest to the work, at both edges
            for source in reversed(self._sources):
                self._open(source)
            self._clocks = open_clocks()
        except BaseException:
            try:
                self._abandon()
            finally:
                self._lock.release()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the window; an exception of the work passes through and leaves no result."""
        assert self._clocks is not None
        try:
            if exc_type is not None:
                self._abandon()
                return
            try:
                if self._sync is not None:
                    self._sync()
            except BaseException:
                self._abandon()
                raise
            span = close_clocks(self._clocks, self._device)
            findings = [self._close(source, span) for source in self._sources]
        finally:
            self._lock.release()
        self._result = self._to_result(span, merge(findings))

    def _open(self, source: Source) -> None:
        self._begun.append(source)
        try:
            source.open()
        except Exception as error:  # the work must run even if it cannot be measured
            self._failures.append((source, error))

    def _close(self, source: Source, span: Span) -> Finding:
        for failed, error in self._failures:
            if failed is source:
                return _failure(source, "start", error)
        try:
            return source.close(span)
        except Exception as error:
            return _failure(source, "stop", error)

    def _abandon(self) -> None:
        # The work ended without a result: what was begun is ended, so that the next window can.
        span = Span(self._device, 0.0, 0.0)
        for source in self._begun:
            with contextlib.suppress(Exception):
                source.close(span)


def _failure(source: Source, edge: str, error: Exception) -> Finding:
    reason = absent(f"{type(error).__name__} at the {edge}: {error}")
    return Finding(dict.fromkeys(source.components, reason), (FAILED,))


@functools.cache
def _lock_of(pid: int) -> threading.Lock:
    # Per process: a child forked inside an open window must not inherit a held lock.
    return threading.Lock()
