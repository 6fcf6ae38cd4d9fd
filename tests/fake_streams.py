"""Streams of a stand-in for CuPy: what one has not waited for, it must not read.

All work is done when it is launched. But each stream has a clock, and knows how far it has waited
for the others; an array has the time at which it was written. As on a GPU, only events and the host
order two streams.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """When an array was written: by which stream, and its time."""

    stream: int
    time: int


class Graph:
    """What was captured: launched again, nothing but addresses is left to it."""

    def __init__(self, counts: Counts, work: list[Callable[[], None]]) -> None:
        self._counts, self._work = counts, work

    def launch(self, stream: Any = None) -> None:
        stream = stream or self._counts.current
        stream.launched()
        self._counts.graphs += 1
        self._counts.in_graphs += len(self._work)
        for part in self._work:
            part()


class Stream:
    """A queue of a GPU, in the words of CuPy."""

    def __init__(self, counts: Counts, non_blocking: bool = False) -> None:
        self._counts, self._is_blocking = counts, not non_blocking
        self.number = len(counts.streams)
        self.ptr = 64 * self.number
        self.seen: dict[int, int] = {self.number: 0}
        self.captured: list[Callable[[], None]] | None = None
        self._is_busy = False
        counts.streams.append(self)

    def __enter__(self) -> Stream:
        self._counts.entered().append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._counts.entered().pop() is self

    def launched(self) -> Mark:
        """Go on by one."""
        self.wait_event(self._counts.host)
        self.seen[self.number] += 1
        self._is_busy = True
        return Mark(self.number, self.seen[self.number])

    def check(self, mark: Mark) -> None:
        """Refuse to read what may not have been written yet."""
        time = max(self.seen.get(mark.stream, 0), self._counts.host.get(mark.stream, 0))
        assert time >= mark.time, "an array is read by a stream that has not waited for it"

    def record(self) -> dict[int, int]:
        assert self.captured is None
        return dict(list(self.seen.items()))

    def wait_event(self, event: dict[int, int]) -> None:
        for stream, time in list(event.items()):  # others go on
            self.seen[stream] = max(self.seen.get(stream, 0), time)

    def synchronize(self) -> None:
        assert self.captured is None, "cudaErrorStreamCaptureUnsupported"
        self._counts.syncs += 1
        self._is_busy = False
        for stream, time in list(self.seen.items()):
            self._counts.host[stream] = max(self._counts.host.get(stream, 0), time)

    def begin_capture(self) -> None:
        assert not self._is_blocking, "what others do on the null stream would end the capture"
        assert not self._is_busy, "what fails of the work before is to fail before the capture"
        assert self.captured is None, "cudaErrorIllegalState"
        self.captured = []

    def end_capture(self) -> Graph:
        if self.captured is None:
            raise RuntimeError("cudaErrorIllegalState: the stream is not capturing")
        work, self.captured = self.captured, None
        if "capture" in self._counts.refuses:
            raise self._counts.refuses["capture"]
        return Graph(self._counts, work)


class Counts:
    """What the device was asked to do, and its streams; the current one is each thread's own."""

    def __init__(self, refuses: dict[str, Exception]) -> None:
        self.refuses = refuses
        self.launches = self.graphs = self.in_graphs = self.syncs = 0
        self.multiplied: Callable[[], None] = lambda: None
        self.host: dict[int, int] = {}  # what the host has waited for
        self.streams: list[Stream] = []
        self.live: weakref.WeakSet[Any] = weakref.WeakSet()  # arrays
        self.null = Stream(self)
        self._local = threading.local()

    def entered(self) -> list[Stream]:
        stack: list[Stream] = self._local.__dict__.setdefault("stack", [self.null])
        return stack

    @property
    def current(self) -> Stream:
        return self.entered()[-1]

    def launch(self, work: Callable[[], None]) -> Mark:
        """Do it, or keep it for the graph."""
        stream = self.current
        if stream.captured is not None:
            stream.captured.append(work)
            return Mark(stream.number, 0)
        self.launches += 1
        mark = stream.launched()
        work()
        return mark

    def read(self, *marks: Mark) -> None:
        """Let the current stream read."""
        for mark in marks:
            self.current.check(mark)
