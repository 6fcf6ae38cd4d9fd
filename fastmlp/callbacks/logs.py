"""A line per epoch in a text file."""

from __future__ import annotations

import csv
import json
import math
import os
from abc import abstractmethod
from pathlib import Path
from typing import IO, Any

from fastmlp.callbacks.base import Callback
from fastmlp.callbacks.paths import checked_path, claimed
from fastmlp.callbacks.view import EpochView

CLOSED = (b"", b"\n")  # ends of a file of whole lines


class _Lines(Callback):
    """A text file, open while a training goes on."""

    _file: IO[str] | None = None

    def __init__(self, path: str | os.PathLike[str], *, append: bool = False) -> None:
        self.path, self.append = checked_path("path", path, append), append
        self._columns: list[str] = []

    def on_fit_begin(self) -> None:
        """Open the file, or say why not, before anything is learnt."""
        try:
            self._columns = self._columns_there()
            is_cut = (
                self.append and self.path.exists() and self.path.read_bytes()[-1:] not in CLOSED
            )
            mode = "a" if self.append else "x"
            self._file = claimed(
                self.path, lambda path: path.open(mode, encoding="utf-8", newline="")
            )
            if is_cut:  # by whoever was killed while it wrote
                self._file.write("\n")
        except FileExistsError as error:
            raise FileExistsError(
                f"{type(self).__name__}: path={str(self.path)!r} exists. Give append=True to add "
                "to it, another path, or one with {n}, as in 'training-{n}.csv': each training, "
                "as those of a GridSearchCV, then has a file of its own."
            ) from error
        except OSError as error:
            text = f"{type(self).__name__} cannot write to its path ({error.strerror})"
            raise type(error)(error.errno, text, str(self.path)) from error

    def _columns_there(self) -> list[str]:
        return []

    def on_epoch_end(self, epoch: EpochView) -> None:
        """Write the epoch's line."""
        assert self._file is not None
        values = {"epoch": epoch.epoch, "time_s": round(epoch.time_s, 6), **epoch.values}
        begins = not self._columns
        self._columns = self._columns or list(values)
        if lost := [name for name in values if name not in self._columns]:
            raise ValueError(
                f"{str(self.path)!r} has the columns {self._columns}, but no {lost}, which this "
                "training has: give another path."
            )
        self._write(self._file, {name: values.get(name) for name in self._columns}, begins)
        self._file.flush()

    @abstractmethod
    def _write(self, file: IO[str], row: dict[str, Any], begins: bool) -> None: ...

    def on_fit_end(self) -> None:
        """Close the file; one in which nothing is written does not stay."""
        if self._file is None:
            return
        path, is_empty = Path(self._file.name), self._file.tell() == 0
        self._file.close()
        self._file = None
        if is_empty and not self.append:
            path.unlink(missing_ok=True)


class CSVLog(_Lines):
    """Write a line per epoch, flushed, to a file of comma-separated values.

    Columns are those of the first epoch: epoch, time_s, then what ``history_`` holds.

    Parameters
    ----------
    path : str or path
        With ``{n}`` in it, a file for each training: the first number that is free.
    append : bool, default=False
        Add to a file that exists, below its header. Otherwise one that exists is an error.

    Raises
    ------
    FileExistsError, OSError
        By fit, before training begins: the file exists, or cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.callbacks import CSVLog
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "training.csv"
    ...     model = MLPClassifier((3,), max_iter=2, tol=0).set_callbacks(CSVLog(path))
    ...     model = model.fit([[0.0], [1.0]], [0, 1])
    ...     path.read_text().splitlines()[0]
    'epoch,time_s,loss,accuracy,learning_rate,epoch_s'
    """

    def _columns_there(self) -> list[str]:
        """Header of a file that is to be added to."""
        if not (self.append and self.path.exists()):
            return []
        with self.path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])

    def _write(self, file: IO[str], row: dict[str, Any], begins: bool) -> None:
        writer = csv.writer(file, lineterminator="\n")
        if begins:
            writer.writerow(row)
        writer.writerow(row.values())


class JSONLinesLog(_Lines):
    """Write a JSON object per epoch and line, flushed; what is not finite is null.

    Parameters
    ----------
    path : str or path
        With ``{n}`` in it, a file for each training: the first number that is free.
    append : bool, default=False
        Add to a file that exists. Otherwise one that exists is an error.

    Raises
    ------
    FileExistsError, OSError
        By fit, before training begins: the file exists, or cannot be written.

    Examples
    --------
    >>> import json, tempfile, pathlib
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.callbacks import JSONLinesLog
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "training.jsonl"
    ...     model = MLPClassifier((3,), max_iter=2, tol=0).set_callbacks(JSONLinesLog(path))
    ...     model = model.fit([[0.0], [1.0]], [0, 1])
    ...     [json.loads(line)["epoch"] for line in path.read_text().splitlines()]
    [1, 2]
    """

    def _write(self, file: IO[str], row: dict[str, Any], begins: bool) -> None:
        known = {
            name: value if value is None or math.isfinite(value) else None
            for name, value in row.items()
        }
        file.write(json.dumps(known) + "\n")
