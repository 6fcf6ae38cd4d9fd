"""Folders that results are to be written to."""

from __future__ import annotations

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
