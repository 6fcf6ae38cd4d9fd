"""Scalars for TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastmlp.callbacks.base import Callback
from fastmlp.callbacks.paths import checked_path, claimed
from fastmlp.callbacks.view import EpochView


class TensorBoardLog(Callback):
    """Write the values of each epoch as scalars for TensorBoard, by tensorboardX.

    Parameters
    ----------
    folder : str or path
        One for each training, as TensorBoard wants it; made if it is not there. ``{n}`` in it
        becomes the first number that is free, so that several trainings share a callback.
    append : bool, default=False
        Add to a folder that holds a training. Otherwise one that is not empty is an error.

    Raises
    ------
    ModuleNotFoundError, FileExistsError, OSError
        By fit, before training begins: there is no tensorboardX, the folder is not empty, or it
        cannot be written.

    Examples
    --------
    ::

        from fastmlp import MLPClassifier
        from fastmlp.callbacks import TensorBoardLog

        MLPClassifier().set_callbacks(TensorBoardLog("runs/first")).fit(X, y)
        # tensorboard --logdir runs
    """

    def __init__(self, folder: str | os.PathLike[str], *, append: bool = False) -> None:
        self.folder, self.append = checked_path("folder", folder, append), append
        self._writer: Any = None

    def on_fit_begin(self) -> None:
        """Open the folder, or say why not, before anything is learnt."""
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "TensorBoardLog writes with tensorboardX, which is not installed: "
                "pip install 'fastmlp[tensorboard]'.",
                name="tensorboardX",
            ) from error
        if self.folder.is_file():
            raise NotADirectoryError(
                f"TensorBoardLog: folder={str(self.folder)!r} is a file, expected a folder: give "
                "another path."
            )
        if not self.append and self.folder.is_dir() and any(self.folder.iterdir()):
            raise FileExistsError(
                f"TensorBoardLog: folder={str(self.folder)!r} is not empty. Give append=True to "
                "add to it, another folder, or one with {n}, as in 'runs/{n}': each training then "
                "has a folder of its own."
            )
        try:
            folder = self.folder if self.folder.is_dir() else claimed(self.folder, _made)
            self._writer = SummaryWriter(str(folder))
        except OSError as error:
            text = f"TensorBoardLog cannot write to its folder ({error.strerror})"
            raise type(error)(error.errno, text, str(self.folder)) from error

    def on_epoch_end(self, epoch: EpochView) -> None:
        """Write the epoch's scalars."""
        for name, value in {"time_s": epoch.time_s, **epoch.values}.items():
            self._writer.add_scalar(name, value, epoch.epoch)
        self._writer.flush()

    def on_fit_end(self) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
