"""Parameters and rows of many networks: checked, and put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows: TypeAlias = NDArray[np.int32]


def paired(
    params: Iterable[Mapping[str, Any]] | None, rows: Sequence[ArrayLike] | None, n: int
) -> tuple[list[Mapping[str, Any]], list[Rows | None]]:
    """Return parameters and rows of each network."""
    if params is None and rows is None:
        raise ValueError(
            "params and rows are left out: give params, a dict for each network, such as "
            "[{'random_state': 0}, {'random_state': 1}], or rows, the rows that each one is to "
            "learn from."
        )
    if isinstance(params, Mapping):
        raise ValueError(
            f"params={dict(params)!r} must be a list of dicts, one for each network: take "
            "list(sklearn.model_selection.ParameterGrid(...)) for all combinations."
        )
    parts = (
        None if rows is None else [_checked(number, part, n) for number, part in enumerate(rows)]
    )
    settings = [{}] * len(parts or []) if params is None else [dict(setting) for setting in params]
    if parts is None:
        return list(settings), [None] * len(settings)
    if len(settings) != len(parts):
        raise ValueError(
            f"params has {len(settings)} entries and rows {len(parts)}: give one of each for every "
            "network, or leave one of them out."
        )
    return list(settings), list(parts)


def _checked(number: int, part: ArrayLike, n: int) -> Rows:
    found = np.asarray(part)
    if found.ndim != 1 or found.size == 0 or found.dtype.kind not in "iu":
        raise ValueError(
            f"rows[{number}] has shape {found.shape} and dtype {found.dtype}, expected row numbers "
            "(n_rows,), one or more: of a mask take np.flatnonzero(mask)."
        )
    if found.min() < 0 or found.max() >= n:
        raise ValueError(
            f"rows[{number}] runs from {found.min()} to {found.max()}, expected 0 to {n - 1}: "
            f"X has {n} rows."
        )
    return found.astype(np.int32)
