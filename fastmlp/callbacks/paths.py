"""Where a callback writes: the path that it was given, or one for each training."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

NUMBER = "{n}"
T = TypeVar("T")


def checked_path(name: str, path: str | os.PathLike[str], append: bool) -> Path:
    """Return the path of an argument; ValueError where it cannot be one."""
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"{name}={path!r} must be a path: a str or a pathlib.Path.")
    if append and NUMBER in os.fspath(path):
        raise ValueError(
            f"{name}={os.fspath(path)!r} gives each training its own by {NUMBER}, and append=True "
            "adds to what is there: leave one of the two out."
        )
    return Path(path)


def claimed(path: Path, claim: Callable[[Path], T]) -> T:
    """Claim a path; of one with ``{n}`` the first number that nobody has, 1, 2, ...

    ``claim`` raises FileExistsError in one step where another process was faster.

    Examples
    --------
    >>> def claim(path):
    ...     if path.name == "log-1.csv":
    ...         raise FileExistsError
    ...     return path.name
    >>> claimed(Path("log-{n}.csv"), claim)
    'log-2.csv'
    """
    if NUMBER not in str(path):
        return claim(path)
    number = 1
    while True:
        try:
            return claim(Path(str(path).replace(NUMBER, str(number))))
        except FileExistsError:
            number += 1
