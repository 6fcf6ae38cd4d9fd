"""Read the 2-2-1 network worked by hand out of ``docs/derivation.md``."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_BLOCK = re.compile(r"^```python worked-example\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def load_worked_example(markdown_path: str | Path) -> dict[str, object]:
    """Return the numbers of the one fenced block ``python worked-example``, by name.

    Parameters
    ----------
    markdown_path : str or Path
        The document. Nothing in it is executed: each line is ``name = literal``.

    Returns
    -------
    dict
        Name to number, or to nested list of numbers; rows are samples, units are columns.

    Raises
    ------
    ValueError
        If there is not exactly one such block, or it holds anything but ``name = literal``.
    """
    blocks = _BLOCK.findall(Path(markdown_path).read_text(encoding="utf-8"))
    if len(blocks) != 1:
        raise ValueError(
            f"{markdown_path}: found {len(blocks)} code blocks '```python worked-example', "
            "expected exactly one."
        )
    numbers: dict[str, object] = {}
    for statement in ast.parse(blocks[0]).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in numbers:
                numbers[name] = ast.literal_eval(value)
            case _:
                raise ValueError(
                    f"{markdown_path}: worked example, line {statement.lineno}: "
                    f"{ast.unparse(statement)!r}; expected 'name = literal', each name once."
                )
    return numbers
