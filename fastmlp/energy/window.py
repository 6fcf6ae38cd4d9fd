"""`EnergyWindow`, one span of work between two edges."""

from __future__ import annotations

import contextlib
import functools
import os
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType

from fastmlp.energy.host import Clocks, close_clocks, open_clocks
from fastmlp.energy.parts import FAILED, Finding, Source, Span, absent, merge
from fastmlp.energy.result import EnergyResult

# The open window of each process: a child forked inside of one must not inherit it as its own.
_OPEN: dict[int, EnergyWindow] = {}


class _Exit(functools.partial[None]):
    """What a ``with`` statement keeps until it ends, in whatever way it ends.

    A signal handler may raise before the first line of `__exit__` is reached, or while it runs, and
    then nobody would let the next window open. But this object dies with the statement, and the
    next window sees that. It is a partial, so that no frame of a traceback holds it.
    """


class _ExitOfWith:
    """Makes an `_Exit` for each lookup at a window; at the class it is the plain method."""

    def __get__(
        self, window: EnergyWindow | None, owner: type[EnergyWindow]
    ) -> Callable[..., None]:
        if window is None:
            return owner._leave
        leave = _Exit(owner._leave, window)
        window._statement = window._statement or weakref.ref(leave)
        return leave


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
        self._pid = os.getpid()
        self._why_none = "the window is not closed yet, or its work raised"
        self._used = False
        self._statement: weakref.ref[_Exit] | None = None
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
            The window is not closed yet, its work raised, or a forked child left it.
        """
        if self._result is None:
            raise RuntimeError(f"result: {self._why_none}")
        return self._result

    def __enter__(self) -> EnergyWindow:
        """Open the window; RuntimeError if another one is open or this one was used."""
        if self._used:
            raise RuntimeError("the window was already used; ask the meter for a new window()")
        if self._has_ended():  # it was looked up by something else than a statement
            self._statement = None
        holder = _OPEN.setdefault(self._pid, self)
        if holder is not self and holder._has_ended():
            holder._give_up()
            holder = _OPEN.setdefault(self._pid, self)
        if holder is not self:
            raise RuntimeError(
                "another window is open in this process, here or in another thread; their joules "
                "cannot be told apart: measure one after the other"
            )
        try:
            self._used = True
            if self._sync is not None:
                self._sync()
            # the first of the sources is the nearest to the work, at both edges
            for source in reversed(self._sources):
                self._open(source)
            self._clocks = open_clocks()
        except BaseException:
            self._give_up()
            raise
        return self

    __exit__ = _ExitOfWith()

    def _leave(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the window; an exception of the work passes through and leaves no result."""
        if os.getpid() != self._pid:
            # clocks and sources are those of the parent, which goes on with them
            self._why_none = f"the window belongs to process {self._pid}, this is {os.getpid()}"
            return
        if self._clocks is None or _OPEN.get(self._pid) is not self:
            raise RuntimeError("the window is not open; use it in one `with` statement")
        try:
            if exc_type is not None:
                return
            if self._sync is not None:
                self._sync()
            span = close_clocks(self._clocks, self._device)
            findings = [self._close(source, span) for source in self._sources]
            self._begun = []
        finally:
            self._give_up()
        self._result = self._to_result(span, merge(findings))

    def _has_ended(self) -> bool:
        return self._statement is not None and self._statement() is None

    def _give_up(self) -> None:
        """Let the next window open; end what was begun and has not ended, so that it can."""
        if os.getpid() != self._pid or _OPEN.get(self._pid) is not self:
            return
        try:
            span = Span(self._device, 0.0, 0.0)
            while self._begun:
                source = self._begun.pop(0)
                with contextlib.suppress(Exception):
                    source.close(span)
        finally:
            _OPEN.pop(self._pid, None)

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


def _failure(source: Source, edge: str, error: Exception) -> Finding:
    reason = absent(f"{type(error).__name__} at the {edge}: {error}")
    return Finding(dict.fromkeys(source.components, reason), (FAILED,))
