"""What may listen to a training: once per epoch, ``model.set_callbacks(...)`` names them."""

from __future__ import annotations

from fastmlp.callbacks.base import Callback
from fastmlp.callbacks.budget import TimeBudget
from fastmlp.callbacks.doctor import TrainingDoctor
from fastmlp.callbacks.logs import CSVLog, JSONLinesLog
from fastmlp.callbacks.symptoms import Finding, TrainingAdvice
from fastmlp.callbacks.tensorboard import TensorBoardLog
from fastmlp.callbacks.view import EpochView

__all__ = [
    "CSVLog",
    "Callback",
    "EpochView",
    "Finding",
    "JSONLinesLog",
    "TensorBoardLog",
    "TimeBudget",
    "TrainingAdvice",
    "TrainingDoctor",
]
