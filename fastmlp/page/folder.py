"""Folders and files that results are written to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def writable(folder: Path, option: str, *names: str) -> Path:
    """Make the folder now: nobody wants to learn after the training that it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{option} {folder} cannot be made ({error.strerror}): name a folder of yours."
        ) from None
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(
            f"{option} {folder} takes no files ({error.strerror}): name a folder of yours."
        ) from None
    for name in names:
        if (folder / name).is_dir():
            raise ValueError(f"{option} {folder} holds a folder {name}: move it away.")
    return folder


def write_whole(text: str, path: Path) -> None:
    """Write a file whole or not at all; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
