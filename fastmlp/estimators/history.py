"""What each epoch of a training came to."""

from __future__ import annotations

import math
from typing import Any


class History(dict[str, list[float]]):
    """A list of one value per epoch for each name, all of the same length.

    Where an epoch has no value of that name, it is NaN: after a warm start from "adam" to
    "lbfgs", say, which has no accuracy.

    Examples
    --------
    >>> history = History()
    >>> history.begin_row(loss=0.5)
    >>> history.begin_row(loss=0.4, val_loss=0.6)
    >>> history
    {'loss': [0.5, 0.4], 'val_loss': [nan, 0.6]}
    """

    @property
    def n_epochs(self) -> int:
        """Rows that there are."""
        return max(map(len, self.values()), default=0)

    def begin_row(self, **values: float) -> None:
        """Append an epoch."""
        n = self.n_epochs
        for name in values:
            self.setdefault(name, [math.nan] * n)
        for name, column in self.items():
            column.append(values.get(name, math.nan))

    def add(self, **values: float) -> None:
        """Write more values into the row of the newest epoch."""
        for name, value in values.items():
            self.setdefault(name, [math.nan] * self.n_epochs)[-1] = value

    def row(self) -> dict[str, float]:
        """Values of the newest epoch."""
        return {name: column[-1] for name, column in self.items()}

    def copied(self) -> History:
        """Return a history to go on with."""
        return History({name: list(column) for name, column in self.items()})

    def to_frame(self) -> Any:
        """Return a pandas data frame, a row per epoch, with a column of epochs from 1.

        Raises
        ------
        ModuleNotFoundError
            pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "history_.to_frame() makes a pandas data frame, and pandas is not installed: "
                "pip install pandas. Without it, history_ is a dict of lists.",
                name="pandas",
            ) from error
        return pandas.DataFrame({"epoch": range(1, self.n_epochs + 1), **self})
