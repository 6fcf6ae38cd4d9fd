"""Training for a limited time."""

from __future__ import annotations

import math
from numbers import Real

from fastmlp.callbacks.base import Callback
from fastmlp.callbacks.view import EpochView


class TimeBudget(Callback):
    """End training with the epoch in which the budget is used up.

    Parameters
    ----------
    budget_s : float
        Seconds of wall time since training began; the epoch under way is finished.

    Raises
    ------
    ValueError
        budget_s is no number above 0.

    Examples
    --------
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.callbacks import TimeBudget
    >>> model = MLPClassifier((3,)).set_callbacks(TimeBudget(budget_s=1e-6))
    >>> model.fit([[0.0], [1.0]], [0, 1]).n_iter_
    1
    """

    def __init__(self, budget_s: float) -> None:
        is_number = isinstance(budget_s, Real) and not isinstance(budget_s, bool)
        if not (is_number and 0.0 < budget_s < math.inf):
            raise ValueError(
                f"budget_s={budget_s!r} must be a number of seconds above 0, as in "
                "TimeBudget(budget_s=60.0)."
            )
        self.budget_s = budget_s

    def on_epoch_end(self, epoch: EpochView) -> bool:
        """End training when the time is over."""
        return epoch.time_s >= self.budget_s
