"""When training ends before max_iter."""

from __future__ import annotations

import math


class Patience:
    """Counts epochs in a row whose loss was not tol below the best before them."""

    def __init__(self, tol: float, n_iter_no_change: int) -> None:
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.stalled, self.best = 0, math.inf

    def see(self, loss: float) -> bool:
        """Take the loss of an epoch; tell whether there were more than n_iter_no_change."""
        self.stalled = self.stalled + 1 if loss > self.best - self.tol else 0
        self.best = min(self.best, loss)
        return self.is_over

    @property
    def is_over(self) -> bool:
        """Tell whether it has run out."""
        return self.stalled > self.n_iter_no_change
