"""Settings of any kind as lists of names and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp.page.text import ABSENT, significant

GIB = 2**30
NAMES = {
    "cpu": "CPU",
    "gpu": "GPU",
    "os": "operating system",
    "memory_bytes": "memory",
    "n_train": "training images",
    "n_test": "test images",
    "n_features": "inputs",
    "n_classes": "classes",
}


def titled(cards: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Write cards, each a title and its fields, for people.

    Examples
    --------
    >>> titled({"Machine": {"cpu": "A", "n_test": 10}})
    [('Machine', [('CPU', 'A'), ('test images', '10')])]
    """
    return [
        (title, [(_name(name), value_text(name, value)) for name, value in fields.items()])
        for title, fields in cards.items()
    ]


def value_text(name: str, value: Any) -> str:
    """Write any JSON value for people.

    Examples
    --------
    >>> value_text("memory_bytes", 25e9), value_text("gpu", []), value_text("hidden", [128, 64])
    ('23.3 GiB', 'none', '128, 64')
    """
    if value is None or value == "":
        return ABSENT
    if name.endswith("_bytes"):
        return f"{significant(value / GIB)} GiB"
    if isinstance(value, dict):
        return ", ".join(f"{_name(key)} {value_text(key, v)}" for key, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(value_text(name, item) for item in value) or "none"
    return str(value)


def _name(name: str) -> str:
    return NAMES.get(name, name.replace("_", " "))
