"""Scalars for TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastmlp.callbacks.base import Callback
from fastmlp.callbacks.view import EpochView


class TensorBoardLog(Callback):
    """Write the values of each epoch as scalars for TensorBoard, by tensorboardX.

    Parameters
    ----------
    folder : str or path
        One for each training, as TensorBoard wants it; made if it is not there.
    append : bool, default=False
        Add to a folder that holds a training. Otherwise one that is not empty is an error.

    Raises
    ------
    ModuleNotFoundError, FileExistsError
        By fit, before training begins.

    Examples
    --------
    ::

        from fastmlp import MLPClassifier
        from fastmlp.callbacks import TensorBoardLog

        MLPClassifier().set_callbacks(TensorBoardLog("runs/first")).fit(X, y)
        # tensorboard --logdir runs
    """

    def __init__(self, folder: str | os.PathLike[str], *, append: bool = False) -> None:
        self.folder, self.append = Path(folder), append
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
        if not self.append and self.folder.is_dir() and any(self.folder.iterdir()):
            raise FileExistsError(
                f"TensorBoardLog: folder={str(self.folder)!r} is not empty. Give append=True to "
                "add to it, or another folder."
            )
        self._writer = SummaryWriter(str(self.folder))

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
