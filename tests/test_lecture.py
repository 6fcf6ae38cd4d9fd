"""The lecture's page: how long it is, which equation is where, what it asks of a library."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from problems import LOSS_NAMES, make_carry, make_problem, make_recipe, make_trainer, orders
from source_tree import CORE, FILES, PACKAGE, ROOT, names

from fastmlp.backends import Backend, get_backend, python_scan
from fastmlp.core import (
    Augmentation,
    Namespace,
    adam,
    gradient_descent,
    momentum,
    nesterov,
    scheduled,
)
from fastmlp.estimators.losses import REPORTED
from fastmlp.training import Data, draw_params, programs

LECTURE = [PACKAGE / "core" / f"{name}.py" for name in ("network", "activations", "losses", "step")]
DERIVATION = ROOT / "docs" / "derivation.md"


# --- its length ---


def code_lines(source: str) -> set[int]:
    """Line numbers that hold code: no docstring, no comment, no blank."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            text = node.body[0]
            docstrings |= set(range(text.lineno, cast(int, text.end_lineno) + 1))
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in silent | {tokenize.ENDMARKER}:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return lines - docstrings


def test_lines_of_code_are_counted_as_a_reader_would() -> None:
    source = (
        '"""Doc.\n\nMore."""\n\nx = [  # one\n    1,\n]\n\n# remark\n'
        'def f():\n    """Doc."""\n    return """a\nb"""\n'
    )
    assert code_lines(source) == {5, 6, 7, 10, 12, 13}


def test_one_training_step_is_a_page_of_code() -> None:
    counts = {path.name: len(code_lines(path.read_text(encoding="utf-8"))) for path in LECTURE}
    assert sum(counts.values()) <= 150, counts


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_no_file_is_longer_than_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


# --- equations ---


def cited(path: Path) -> set[int]:
    """Numbers in "eq. 8, 9" and "eq. 14-16"."""
    found: set[int] = set()
    for text in re.findall(r"\beq\. (\d+(?:(?:, |-)\d+)*)", path.read_text(encoding="utf-8"), re.I):
        for part in text.split(", "):
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    return found


def tagged() -> set[int]:
    numbers = re.findall(r"\\tag\{(\d+)\}", DERIVATION.read_text(encoding="utf-8"))
    assert len(set(numbers)) == len(numbers), "two equations have the same number"
    return set(map(int, numbers))


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_every_cited_equation_is_derived(path: Path) -> None:
    assert cited(path) <= tagged()


def test_every_derived_equation_is_cited_where_it_is_computed() -> None:
    # step.py cites all of them at once, which says nothing about where one is
    places = [*CORE, PACKAGE / "training" / "host.py"]
    found = set[int]().union(*(cited(path) for path in places if path.name != "step.py"))
    assert set(range(1, 24)) <= tagged()
    assert found == tagged()


def test_derivation_sends_the_reader_to_the_right_file() -> None:
    rows = re.findall(
        r"^\| (<a .*?) \|.*\| `(fastmlp/\S+)` \|$",
        DERIVATION.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(rows) >= 6
    for equations, file in rows:
        numbers = [int(number) for number in re.findall(r">(\d+)<", equations)]
        if " to " in equations:  # "7 to 13, 23"
            numbers[:2] = range(numbers[0], numbers[1] + 1)
        assert set(numbers) <= cited(ROOT / file), file


# --- what the formulas ask of an array library ---


class Recorder:
    """NumPy that notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(name)
        return getattr(np, name)


def test_formulas_use_exactly_the_functions_of_the_namespace() -> None:
    recorder = Recorder()
    xp = cast(Namespace, recorder)
    # no forms of NumPy's own, and blocks of 3 rows: a batch of 4 is a large one
    backend = Backend(
        **{
            **vars(get_backend("numpy")),
            "xp": xp,
            "scan": python_scan(xp),
            "tune": lambda recipe: recipe,
            "block_rows": 3,
        }
    )
    hidden = ("relu", "tanh", "logistic", "identity")
    optimizers = (gradient_descent(), momentum(), nesterov(), scheduled(adam(), "cosine", 10, 2))
    for loss, optimizer in product(LOSS_NAMES, optimizers):
        recipe = make_recipe(loss, hidden, optimizer, l2=0.1, scale=1 / 255)
        X, y = make_problem(loss, 8)
        data = Data(*backend.place((X, y), "float64"))
        carry = make_carry(backend, recipe, draw_params((7, 5, 4, 5, 4, 3), 0), 0.1, "float64")
        program = programs(backend, recipe)
        order = np.arange(8)
        batches, rest = order[:4].reshape(1, 4), order[4:]
        place = backend.to_device
        program.epoch(carry, data, place(batches, "int32"), place(rest, "int32"))
        program.predict(carry.params, data[0])
        program.evaluate(carry.params, data)
        recipe = recipe._replace(loss=REPORTED[loss])
        programs(backend, recipe).evaluate(carry.params, data)
        recipe.optimizer.init(xp, carry.params)
        kept, back = place([0, 2], "int32"), place(np.arange(7), "int32")
        program.widen(program.narrow(carry, kept), carry, back)
    augmentation = Augmentation((2, 4), shift_px=1.0, elastic_px=1.0)
    recipe = make_recipe(hidden=())._replace(augmentation=augmentation)
    trainer = make_trainer(recipe, backend=backend, params=draw_params((8, 3), 0))
    trainer.run(*make_problem("softmax_cross_entropy", 8, 8), orders(8, 1))
    assert recorder.asked == {name for name in vars(Namespace) if not name.startswith("_")}
