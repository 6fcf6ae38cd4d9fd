"""Warnings that point at the line that asked for the work."""

from __future__ import annotations

import sys
import warnings

# Modules between that line and the place that warns; scikit-learn calls what is set on a model.
INSIDE = ("fastmlp", "sklearn.callback", "contextlib")


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called into fastmlp, however deep the place that found out lies.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn("the loss rose")
    >>> str(caught[0].message)
    'the loss rose'
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in INSIDE)
