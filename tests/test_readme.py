"""What the README shows runs, and what it names is there."""

from __future__ import annotations

import re
import runpy
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jax")
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    accuracy, loss = map(float, capsys.readouterr().out.split())
    assert accuracy > 0.95
    assert loss < 0.2


def test_every_file_that_is_linked_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_extra_is_listed_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = README[README.index("| extra |") :]
    named = set(re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.M))))
    assert named == set(project["optional-dependencies"])


def test_smaller_installs_and_sessions_are_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"`'\.\[([\w,-]+)\]'`", README.partition("Run the tests:")[0])
    assert named, "the README names no way to install less than everything"
    for name in ",".join(named).split(","):
        assert name in extras["optional-dependencies"]
    sessions = re.findall(r"nox -s (\w+)", README)
    assert "docs" in sessions
    nox_file = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert [name for name in sessions if f"\ndef {name}(session" not in nox_file] == []


def test_formulas_of_the_pages_need_no_network() -> None:
    pytest.importorskip("mathjax")  # of the group docs
    docs = ROOT / "docs"
    settings = runpy.run_path(str(docs / "conf.py"))
    files = {path.name: path for path in (docs / name for name in settings["html_static_path"])}
    assert settings["mathjax_path"] in files
    assert all(path.is_file() for path in files.values())


def test_ci_runs_the_command_of_the_readme() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    (reading,) = re.findall(r"^command=\$\((.*)\)$", script, re.MULTILINE)
    command = subprocess.check_output(["bash", "-c", reading], cwd=ROOT, text=True).strip()
    assert re.search(f"^{re.escape(command)}$", README, re.MULTILINE)
    assert command.endswith("nox")
