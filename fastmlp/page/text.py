"""Numbers and lists for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

ABSENT = "-"


def significant(value: float, digits: int = 3) -> str:
    """Round to significant digits, without an exponent, thousands set apart.

    Examples
    --------
    >>> significant(0.0171234), significant(1.1), significant(1105384.6), significant(0.0)
    ('0.0171', '1.10', '1,105,385', '0')
    """
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")  # 9.999 has the magnitude of 10.0
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{value:,.{max(decimals, 0)}f}"


def number(value: float | None, digits: int = 3) -> str:
    """Round a value that may be absent."""
    return ABSENT if value is None else significant(value, digits)


def ratio(value: float) -> str:
    """Write a ratio with one decimal: with a second digit below 1, and with none from 100 on.

    Examples
    --------
    >>> ratio(9.61), ratio(0.2937), ratio(1234.5)
    ('9.6x', '0.29x', '1,234x')
    """
    if value < 0.995:
        return f"{significant(value, 2)}x"
    return f"{value:,.{1 if value < 99.95 else 0}f}x"


def time_unit(times_s: Iterable[float]) -> tuple[str, float]:
    """Choose one unit for times that are to be compared: its name, and how many make a second.

    Examples
    --------
    >>> time_unit([0.0013, 0.0125]), time_unit([0.8, 12.0])
    (('ms', 1000.0), ('s', 1.0))
    """
    return ("ms", 1e3) if min(times_s, default=1.0) < 0.1 else ("s", 1.0)


def duration(time_s: float) -> str:
    """Write one time with its unit.

    Examples
    --------
    >>> duration(0.00133), duration(12.34)
    ('1.33 ms', '12.3 s')
    """
    unit, per_s = time_unit([time_s])
    return f"{significant(time_s * per_s)} {unit}"


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does.

    Examples
    --------
    >>> listed(["numpy"]), listed(["numpy", "jax", "torch"])
    ('numpy', 'numpy, jax and torch')
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
