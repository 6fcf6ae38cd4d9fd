"""What an argument or a stored value must be; each check names it and returns it in one type."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn


class ReadOnly(dict[str, Any]):
    """A dictionary of a finished record: what was measured is not changed by who reads it."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("an EnergyResult is read-only; dict(...) makes a copy to change")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[ReadOnly], tuple[dict[str, Any]]]:
        """Pickle and copy without setting items."""
        return ReadOnly, (dict(self),)


def number(name: str, value: object, expected: str) -> float:
    """Return a finite real number as a float; booleans and text are none.

    Examples
    --------
    >>> number("work", 10, "a finite number above 0")
    10.0
    """
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            found = float(value)
        except (OverflowError, ValueError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise ValueError(f"{name}={_short(value)}: expected {expected}")


def positive(name: str, value: object, expected: str = "a finite number above 0") -> float:
    """Return a finite number above 0 as a float."""
    found = number(name, value, expected)
    if not found > 0:
        raise ValueError(f"{name}={_short(value)}: expected {expected}")
    return found


def not_negative(name: str, value: object, expected: str = "a finite number, 0 or more") -> float:
    """Return a finite number that is not below 0 as a float."""
    found = number(name, value, expected)
    if found < 0:
        raise ValueError(f"{name}={_short(value)}: expected {expected}")
    return found


def text(name: str, value: object, *, empty: bool = True) -> str:
    """Return text, which may be required not to be empty."""
    if not isinstance(value, str) or not (value or empty):
        raise ValueError(
            f"{name}={_short(value)}: expected {'text' if empty else 'text, not empty'}"
        )
    return value


def texts(name: str, values: object) -> tuple[str, ...]:
    """Return several texts, each once, as a tuple."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{name}={_short(values)}: expected a list of names")
    return tuple(dict.fromkeys(text(name, value) for value in values))


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """Return a mapping whose keys are text."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name}={_short(value)}: expected a mapping of names")
    return value


def _short(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # an int of more digits than Python prints
        return "a number without end"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
