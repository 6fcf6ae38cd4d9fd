"""Plain values as JSON and back, each with its exact type; nothing else gets through."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import numpy as np

from fastmlp.core import Augmentation

# dtypes of labels and parameters, beside text
INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
NUMBERS = INTEGERS | {"bool", "float16", "float32", "float64"}


def pack(value: Any) -> Any:
    """Value in JSON's own types; what JSON lacks becomes an object with one key, its kind.

    Parameters
    ----------
    value
        None, a bool, int, float or str, a NumPy number, text or array of these, or a list, a tuple
        or a dict of what is allowed.

    Raises
    ------
    TypeError
        The value, or something in it, is something else.

    Examples
    --------
    >>> pack((1, float("inf"), {"a": np.float32(0.5)}))
    {'tuple': [1, {'float': 'inf'}, {'dict': [['a', {'numpy': ['float32', 0.5]}]]}]}
    """
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is list:
        return [pack(item) for item in value]
    if kind is tuple:
        return {"tuple": [pack(item) for item in value]}
    if kind is Augmentation:
        return {"augmentation": [pack(item) for item in value]}
    if kind is dict:
        return {"dict": [[pack(key), pack(item)] for key, item in value.items()]}
    if isinstance(value, np.generic) and (name := _name(value.dtype)):
        return {"numpy": [name, pack(value.item())]}
    if kind is np.ndarray and (name := _name(value.dtype)):
        return {"array": [name, list(value.shape), [pack(item) for item in value.ravel().tolist()]]}
    raise TypeError(f"{value!r} is a {kind.__name__}")


def unpack(packed: Any) -> Any:
    """Value that `pack` was given; ValueError if it never was.

    Examples
    --------
    >>> unpack({"tuple": [1, {"float": "inf"}]})
    (1, inf)
    """
    if isinstance(packed, list):
        return [unpack(item) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of value")
    return KINDS[kind](content)


def _float(text: str) -> float:
    if text not in ("nan", "inf", "-inf"):
        raise ValueError(f"{text!r} is no float")
    return float(text)


def _scalar(content: Any) -> Any:
    name, item = content
    return np.asarray(unpack(item), dtype=_dtype(name))[()]


def _array(content: Any) -> Any:
    name, shape, items = content
    values = np.empty(len(items), dtype=_dtype(name))
    for place, item in enumerate(items):
        values[place] = unpack(item)
    return values.reshape(shape)


def _name(dtype: np.dtype[Any]) -> str:
    """Name of a dtype in a file; "" if there is none."""
    if dtype.kind == "U":
        return dtype.str[1:]
    return dtype.name if dtype.name in NUMBERS | {"object"} else ""


def _dtype(name: str) -> np.dtype[Any]:
    if name in NUMBERS | {"object"} or (name[:1] == "U" and name[1:].isdigit()):
        return np.dtype(name)
    raise ValueError(f"{name!r} is no dtype of a label or a parameter")


KINDS: dict[str, Any] = {
    "float": _float,
    "tuple": lambda content: tuple(unpack(content)),
    "dict": lambda content: {unpack(key): unpack(value) for key, value in content},
    "augmentation": lambda content: Augmentation(*unpack(content)),
    "numpy": _scalar,
    "array": _array,
}


def read_json(text: str | bytes) -> Any:
    """Value of a JSON text; ValueError on a key that is there twice, and on NaN, too."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
