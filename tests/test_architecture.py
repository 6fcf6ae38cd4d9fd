"""Rules of the house: who imports whom, what an import costs, which names are public."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from source_tree import CORE, FILES, PACKAGE, ROOT, names, parse

# Room -> the rooms below it that it may import; nobody imports up or sideways.
WORK = {"core", "backends", "training"}
MAY_IMPORT = {
    "core": set[str](),
    "backends": {"core"},
    "training": {"core", "backends"},
    "data": set[str](),
    "energy": set[str](),
    "callbacks": WORK,
    "estimators": WORK | {"callbacks", "energy"},
    "reference": WORK | {"estimators"},
    "page": set[str](),
    "compare": WORK | {"data", "energy", "estimators", "page", "reference"},
    "certificate": WORK | {"data", "reference", "page"},
    "bench": {"compare", "energy", "page"},
    "cli": WORK
    | {"data", "energy", "estimators", "reference", "compare", "certificate", "bench", "page"},
    "__main__": {"cli"},
    "__init__": {"estimators", "certificate"},
}
# Libraries that cost time or may be missing, and the rooms that may nevertheless import them first.
LATE = {
    "array_api_compat": set[str](),
    "codecarbon": set[str](),
    "cupy": set[str](),
    "jax": set[str](),
    "jaxlib": set[str](),
    "jinja2": set[str](),
    "keras": set[str](),
    "matplotlib": set[str](),
    "onnx": set[str](),
    "pandas": set[str](),
    "pooch": set[str](),
    "rich": set[str](),
    "safetensors": set[str](),
    "scipy": set[str](),
    "sklearn": {"estimators", "reference"},
    "tensorboardX": set[str](),
    "tensorflow": set[str](),
    "torch": set[str](),
}


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """Dotted names of all that the nodes import; `from a import b` counts as a and a.b."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            module = cast(str, node.module)
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def at_import_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: not in functions, not for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from at_import_time(node)


def rooms(modules: set[str]) -> set[str]:
    parts = [module.split(".") for module in modules]
    own = [part for part in parts if part[0] == "fastmlp" and len(part) > 1]
    return {part[1] for part in own if part[1] in MAY_IMPORT}


# --- who imports whom ---


def test_there_is_something_to_look_at() -> None:
    assert {"core/step.py", "backends/jax.py", "training/trainer.py"} <= set(names(FILES))


@pytest.mark.parametrize("path", CORE, ids=names(CORE))
def test_core_imports_the_standard_library_and_itself(path: Path) -> None:
    for module in imported(ast.walk(parse(path))):
        inside = module.startswith("fastmlp.core")
        assert inside or module.partition(".")[0] in sys.stdlib_module_names, module


@pytest.mark.parametrize("path", CORE, ids=names(CORE))
def test_core_names_no_array_library(path: Path) -> None:
    used = {node.id for node in ast.walk(parse(path)) if isinstance(node, ast.Name)}
    assert not used & {"np", "numpy", "jnp", "jax", "cp", "cupy", "torch"}


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    assert room in MAY_IMPORT, f"fastmlp/{room} has no row in the table of this test"
    assert rooms(imported(ast.walk(parse(path)))) <= MAY_IMPORT[room] | {room}


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_libraries_are_imported_where_they_are_needed(path: Path) -> None:
    tops = {module.partition(".")[0] for module in imported(at_import_time(parse(path)))}
    early = {top for top in tops & set(LATE) if room_of(path) not in LATE[top]}
    assert not early, "import it inside of the function"


def test_rules_see_what_they_forbid() -> None:
    tree = ast.parse("if True:\n    import jax.numpy as jnp\ndef f():\n    import torch")
    assert imported(at_import_time(tree)) == {"jax.numpy"}
    assert imported(ast.walk(tree)) == {"jax.numpy", "torch"}
    up = "from fastmlp import core, cli\nfrom fastmlp.training.host import one_hot"
    assert rooms(imported(ast.walk(ast.parse(up)))) == {"core", "cli", "training"}


# --- what an import costs ---


def python(code: str) -> str:
    """Run code in a fresh interpreter, in the checkout, with warnings as errors."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("FASTMLP_BACKEND", None)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "modules",
    [
        "fastmlp",
        "fastmlp.core, fastmlp.backends, fastmlp.training",
        "fastmlp.data, fastmlp.energy, fastmlp.callbacks",
    ],
)
def test_import_loads_no_library_but_numpy(modules: str) -> None:
    loaded = python(f"import sys, {modules}; print(*{{m.partition('.')[0] for m in sys.modules}})")
    assert "fastmlp" in loaded.split()
    assert not set(loaded.split()) & set(LATE)


def test_core_imports_without_numpy() -> None:
    python("import sys; sys.modules['numpy'] = None; import fastmlp.core; import fastmlp")


TRAIN_WITH_NUMPY_ALONE = """
import sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
import numpy as np
from fastmlp.backends import backend_status, get_backend, resolve_backend
from fastmlp.core import ACTIVATIONS, LOSSES, Recipe, adam
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

rng = np.random.default_rng(0)
X, y = rng.normal(size=(20, 4)), one_hot(rng.integers(3, size=20), 3)
recipe = Recipe((ACTIVATIONS["relu"],), LOSSES["softmax_cross_entropy"], adam())
trainer = Trainer(resolve_backend(None, X), recipe, draw_params((4, 5, 3), 0),
                  learning_rate=0.1, batch_size=8, dtype="float64")
losses = []
orders = [epoch_order(20, 0, epoch) for epoch in (1, 2)]
trainer.run(X, y, orders, lambda epoch: losses.append(epoch.values["loss"]))
assert trainer.backend.name == "numpy" and losses[1] < losses[0]
assert trainer.predict(X).shape == (20, 3) and trainer.evaluate(X, y)["loss"] < losses[1]
print(*(name for name in ("jax", "cupy", "torch") if not backend_status(name).available))
"""


def test_training_works_with_numpy_alone() -> None:
    blocked = sorted(LATE)
    assert python(f"BLOCKED = {blocked}\n{TRAIN_WITH_NUMPY_ALONE}") == "jax cupy torch"


# --- public names ---


@pytest.mark.parametrize(
    "package", ["", ".core", ".backends", ".training", ".data", ".energy", ".callbacks"]
)
def test_every_public_name_is_there(package: str) -> None:
    module = importlib.import_module(f"fastmlp{package}")
    public: list[str] = module.__all__
    assert len(set(public)) == len(public)
    assert set(public) <= set(dir(module))
    for name in public:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", ["core", "backends", "training", "callbacks"])
def test_what_a_room_imports_for_others_is_public(package: str) -> None:
    tree = parse(PACKAGE / package / "__init__.py")
    given = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    assert given == set(importlib.import_module(f"fastmlp.{package}").__all__)
