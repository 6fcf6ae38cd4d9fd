"""When training ends before max_iter."""

from __future__ import annotations

import math


class Patience:
    """Counts epochs in a row whose score did not reach the best one before them by tol."""

    def __init__(self) -> None:
        self.stalled, self.best = 0, -math.inf

    def see(self, score: float, tol: float) -> bool:
        """Take the score of an epoch, the larger the better; tell whether it is the best yet."""
        self.stalled = self.stalled + 1 if score < self.best + tol else 0
        is_best = score > self.best
        self.best = score if is_best else self.best
        return is_best
