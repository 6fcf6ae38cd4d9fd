"""What was measured is kept, whatever ends the run: a signal, a full disk, a reader that left."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from fastmlp.page.folder import write_whole


def tell(line: str, file: TextIO) -> None:
    """Print a line on the way; that nobody looks any more is no reason to stop."""
    with contextlib.suppress(OSError):
        print(line, file=file)


@contextlib.contextmanager
def one_signal() -> Iterator[None]:
    """Let the first signal raise KeyboardInterrupt, and others take nothing of what is kept."""
    signals = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {
        number: handler
        for number in signals
        # nohup leaves one ignored; None is a handler that Python could not put back
        if number and (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)
    }

    def stop(number: int, frame: Any) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        signal.default_int_handler(number, frame)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def written(text: str, path: Path) -> Path:
    """Write what was measured, elsewhere if the folder takes no more, and return where."""
    try:
        write_whole(text, path)
    except OSError as error:
        spare = Path(tempfile.mkdtemp(prefix="fastmlp-bench-")) / path.name
        write_whole(text, spare)
        why = error.strerror or error
        tell(
            f"fastmlp: {path} cannot be written ({why}), what was measured is in {spare}",
            sys.stderr,
        )
        return spare
    return path
