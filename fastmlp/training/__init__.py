"""The work: weights and order from a seed, programs compiled once, epochs run."""

from __future__ import annotations

from fastmlp.training.host import draw_params, epoch_order, one_hot
from fastmlp.training.memory import DeviceMemoryError
from fastmlp.training.programs import Data, Programs, programs
from fastmlp.training.protocol import DivergenceError, Epoch, OnEpoch, TrainerLike
from fastmlp.training.trainer import Trainer

__all__ = [
    "Data",
    "DeviceMemoryError",
    "DivergenceError",
    "Epoch",
    "OnEpoch",
    "Programs",
    "Trainer",
    "TrainerLike",
    "draw_params",
    "epoch_order",
    "one_hot",
    "programs",
]
