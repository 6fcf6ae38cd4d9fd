"""Samples that a training is judged by."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split


class Validation(NamedTuple):
    """Rows that nothing is learnt from."""

    X: NDArray[Any]
    y: NDArray[Any]  # targets (n, n_outputs)
    weights: NDArray[Any] | None


def split_off(
    rows: NDArray[np.int32],
    fraction: float,
    labels: NDArray[Any] | None,
    rng: np.random.RandomState,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Draw a fraction of the rows for validation, as scikit-learn draws it; the others first."""
    kept, others = train_test_split(rows, test_size=fraction, random_state=rng, stratify=labels)
    if others.size < 2:
        raise ValueError(
            f"validation_fraction={fraction} of {rows.size} samples are {others.size} for "
            "validation, expected at least 2: raise it, give more samples, or give X_val and y_val "
            "to fit."
        )
    return kept, others
