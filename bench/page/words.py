"""Figures as words and as tables of Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does.

    Examples
    --------
    >>> listed(["s"]), listed(["s", "m"]), listed(["s", "m", "gd"])
    ('s', 's and m', 's, m and gd')
    """
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def span(values: Sequence[float], form: str) -> str:
    """Say from where to where values go.

    Examples
    --------
    >>> span([3.0, 1.5, 2.0], ".1f"), span([2.0], ".1f")
    ('1.5 to 3.0', '2.0')
    """
    return " to ".join(dict.fromkeys(number(value, form) for value in (min(values), max(values))))


def number(value: float | None, form: str, unit: str = "") -> str:
    """Write a value, or a dash; per cent are set apart.

    Examples
    --------
    >>> number(0.123, ".0%"), number(1200.0, ",.0f", " steps"), number(None, ".0%")
    ('12 %', '1,200 steps', '-')
    """
    return "-" if value is None else format(value, form).replace("%", " %") + unit


def about(value: float) -> str:
    """Round to two digits.

    Examples
    --------
    >>> about(945687), about(96)
    ('950,000', '96')
    """
    return f"{float(f'{value:.1e}'):,.0f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], n_left: int = 1) -> str:
    """Return a table whose first columns are set left, the others right.

    Examples
    --------
    >>> print(table(["config", "ratio"], [["s", "1.2"]]))
    | config | ratio |
    | --- | ---: |
    | s | 1.2 |
    """
    rule = ["---"] * n_left + ["---:"] * (len(head) - n_left)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
