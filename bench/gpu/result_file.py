"""The file with the result: one run writes it, and what cannot be written there is not lost."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

SCHEMA_VERSION = 1  # of what it holds: see README.md


class ResultFile:
    """A file that is replaced, whole, each time it is written, by this run alone.

    Parameters
    ----------
    path : Path
        The file; a lock lies beside it while it is in use.
    say : callable
        Gets a line where something went wrong.

    Raises
    ------
    OSError
        Nothing can be written there, or another run does so now.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path = path
        self.at: Path | None = None  # where the last report lies
        self.parts = 0  # that it holds
        self.lost = False  # it lies nowhere
        self._say, self._spare, self._lock = say, _spare(path), path.with_name(f".{path.name}.lock")
        if path.exists() and not path.is_file():
            raise OSError(f"{path} is no plain file")
        self._locked = _locked(self._lock, say)
        try:
            write_text(path.with_name(f".{path.name}.try"), "\n" * 4096)
            path.with_name(f".{path.name}.try").unlink()
        except OSError:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> ResultFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._lock.unlink()  # while it is still held: the next run makes its own
        os.close(self._locked)

    def write(self, report: dict[str, Any]) -> None:
        """Write the report there, or else into the folder for temporary files, and say so."""
        complaints = []
        for path in (self.path, self._spare):
            try:
                write_json(path, report)
            except OSError as error:
                complaints.append(f"{path} cannot be written ({why(error)})")
                continue
            self.at, self.parts, self.lost = path, len(report["parts"]), False
            break
        else:
            self.at, self.lost = None, True
        if complaints:
            where = f"the result is in {self.at}" if self.at else "the result is in memory alone"
            self._say(f"{', '.join(complaints)}: the run goes on, {where}")
        elif self._spare.exists():
            self._spare.unlink()


def write_json(path: Path, value: Any) -> None:
    """Replace the file at once: a reader finds the old one or the new one, whole."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace the file at once: a reader finds the old one or the new one, whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # made for its owner alone
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise


def why(error: OSError) -> str:
    """Return what went wrong, without the name of the file."""
    return error.strerror or str(error)


def _spare(path: Path) -> Path:
    return Path(tempfile.gettempdir()) / f"{path.stem}-{os.getpid()}.json"


def _locked(path: Path, say: Callable[[str], None]) -> int:
    """Return the handle of a lock; whoever holds it, it falls with its process."""
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except BlockingIOError as error:
            os.close(handle)
            raise OSError("another run is writing it now; wait, or name another file") from error
        except OSError as error:
            say(f"{path.parent} has no locks ({why(error)}): let no other run write there")
            return handle
        os.close(handle)  # its owner has just taken it away
