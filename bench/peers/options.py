"""Arguments of the benchmarks: what cannot be run is refused before anything is."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from fastmlp.compare.config import cores


def known(text: str, names: Any, what: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list."""
    wanted = tuple(text.split(","))
    for name in wanted:
        if name not in names:
            raise argparse.ArgumentTypeError(
                f"{name!r} is no {what}, expected some of {','.join(names)}"
            )
    return wanted


def count(text: str) -> int:
    """Return a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def threads(text: str) -> int:
    """Return a number of threads that this machine has cores for."""
    if not text.isdecimal() or not 1 <= int(text) <= cores():
        raise argparse.ArgumentTypeError(
            f"{text!r} threads are not possible, expected 1 to {cores()}, the cores of this machine"
        )
    return int(text)


def folder(text: str) -> str:
    """Return the whole path of a folder."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder; expected the one with the data")
    return str(Path(text).resolve())


def json_file(text: str) -> Path:
    """Return the path of a file that can be written."""
    path = Path(text).resolve()
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} is no file in a folder that can be written to")
    return path


def keep_to(threads: int) -> None:
    """Keep this process, and those that it starts, to so many cores."""
    if threads < cores():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def add_limits(parser: argparse.ArgumentParser, what: str) -> None:
    """Add how long one of them may take, and the file for the figures."""
    text = f"seconds that a {what} may take (120)"
    parser.add_argument("--timeout", type=count, default=120, help=text)
    parser.add_argument("--json", type=json_file, help="for all figures, as they come")


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Add the folder of the images."""
    parser.add_argument(
        "--data-dir",
        type=folder,
        default=os.environ.get("FASTMLP_DATA"),
        help="folder with MNIST's four IDX files; FASTMLP_DATA unless given, else made-up images",
    )
