"""The page on energy names what there is, and its example runs."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from fastmlp.energy import FLAGS, LABELS, MODELS, EnergyResult
from fastmlp.energy.engines import ENGINES
from fastmlp.energy.result import DERIVED

PAGE = (Path(__file__).parents[1] / "docs" / "energy.md").read_text(encoding="utf-8")


def named(head: str) -> list[str]:
    """Return the names in code in the first column of the table with that head."""
    table = PAGE[PAGE.index(f"| {head} |") :].split("\n\n")[0]
    first = (row.split("|")[1] for row in table.splitlines()[2:])
    return [name.strip('"') for cell in first for name in re.findall(r"`([^`]+)`", cell)]


def test_tables_are_those_of_the_code() -> None:
    assert sorted(named("flag")) == sorted(FLAGS)
    assert sorted(named("field")) == sorted(one.name for one in fields(EnergyResult))
    assert sorted(named("value")) == sorted([*DERIVED, "pue"])
    assert named("label") == list(LABELS)
    assert named("model") == list(MODELS)
    assert sorted(named("engine")) == sorted(ENGINES)


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("codecarbon")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "energy.md", "exec"), {})
    said, per_pass, poland = capsys.readouterr().out.splitlines()
    assert "for 10 x pass" in said
    assert "short_window" not in said
    assert "on the grid FRA" in said
    assert per_pass.endswith("J per pass")
    assert float(poland.split()[0]) > 0
