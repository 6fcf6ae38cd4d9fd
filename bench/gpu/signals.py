"""Signals that end a run: they unwind it, so that no child is left behind, and say which it was."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, a terminal that is closed


_holds: list[bool] = []  # not empty: a signal waits
_held: list[int] = []


class Stopped(BaseException):
    """A signal asked the run to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.name, self.exit_code = signal.Signals(number).name, 128 + number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` at the first of these signals, and heed no second one on the way out."""
    before: dict[int, Any] = {}

    def stop(number: int, _: Any) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        if _holds:
            _held.append(number)
        else:
            raise Stopped(number)

    for name in NAMES:
        number = getattr(signal, name)
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it
            before[number] = signal.getsignal(number)
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let a signal wait until the end: for what must not be left half-done."""
    _holds.append(True)
    try:
        yield
    finally:
        _holds.pop()
        if _held and not _holds:
            raise Stopped(_held.pop())
