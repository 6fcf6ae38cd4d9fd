"""Samples that a training is judged by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing

from fastmlp.estimators.arrays import as_host


class Given(NamedTuple):
    """Samples as the user knows them: what scorers and callbacks see."""

    X: Any  # a data frame, say
    y: NDArray[Any]  # labels, not targets
    weights: Any = None

    def of(self, rows: NDArray[np.int32]) -> Given:
        """Take these rows, on the host."""

        def taken(part: Any) -> Any:
            host = None if part is None else as_host(part)
            if host is None or rows.size == len(self.y):
                return host
            no_rows = getattr(host, "format", "") in ("bsr", "coo", "dia")  # of SciPy's formats
            return _safe_indexing(host.tocsr() if no_rows else host, rows)

        return Given(*map(taken, self))


def as_given(X: Any, y: NDArray[Any], weights: Any) -> Given:
    """Samples for scorers and callbacks; a single column of labels is a vector to them."""
    return Given(X, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y, weights)


class Validation(NamedTuple):
    """Rows that nothing is learnt from."""

    X: NDArray[Any]
    y: NDArray[Any]  # targets (n, n_outputs)
    weights: NDArray[Any] | None
    given: Callable[[], Given]  # the same, made when a scorer asks for them


def split_off(
    rows: NDArray[np.int32],
    fraction: float,
    labels: NDArray[Any] | None,
    rng: np.random.RandomState,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Draw a fraction of the rows for validation, as scikit-learn draws it; the others first."""
    kept, others = rows, rows[:0]
    if fraction > 0.0:
        kept, others = train_test_split(rows, test_size=fraction, random_state=rng, stratify=labels)
    if others.size < 2:
        raise ValueError(
            f"validation_fraction={fraction} of {rows.size} samples are {others.size} for "
            "validation, expected at least 2: raise it, give more samples, or give X_val and y_val "
            "to fit."
        )
    return kept, others
