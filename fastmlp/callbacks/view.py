"""What a callback sees of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.backends import Backend
from fastmlp.core import Params, Recipe


@dataclass(frozen=True)
class EpochView:
    """An epoch that has ended, to be read; it is worth something while the callback is called.

    Attributes
    ----------
    epoch : int
        Counted from 1, in a warm start on from the fits before: the row of the history.
    values : read-only mapping of str to float
        The newest row of ``history_``: loss, accuracy, val_loss, ..., learning_rate, epoch_s.
    time_s : float
        Since training began, validation and callbacks included.
    n_samples : int
        Samples learnt from in the epoch.
    settings : read-only mapping
        Parameters of the estimator.
    recipe, backend, dtype
        What the network is made of, and where and in what it is computed.
    """

    epoch: int
    values: Mapping[str, float]
    time_s: float
    n_samples: int
    settings: Mapping[str, Any]
    recipe: Recipe
    backend: Backend
    dtype: str
    _fetch: Callable[[], Params]
    _take: Callable[[NDArray[np.int64]], tuple[NDArray[Any], NDArray[Any]]]

    def params(self) -> Params:
        """Fetch W (n_in, n_out) and b (n_out,) of each layer, for you to keep or change."""
        return self._fetch()

    def rows(self, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Take n rows of X and of the targets, or all, spread evenly over what is learnt from."""
        spread = np.linspace(0, self.n_samples - 1, min(n, self.n_samples))
        return self._take(spread.astype(np.int64))
