"""Backends of others: a toy package, found by its entry point, and packages that are broken."""

from __future__ import annotations

import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from problems import make_problem, make_recipe, orders

from fastmlp.backends import (
    Backend,
    backend_names,
    backend_status,
    get_backend,
    resolve_backend,
)
from fastmlp.training import Trainer, draw_params

XP: Any = np
TOY = Path(__file__).parent / "toy_plugin"
pytestmark = pytest.mark.usefixtures("fresh_registry")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The toy package as an installer leaves it: modules, and a dist-info of its pyproject."""
    project = tomllib.loads((TOY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = tmp_path / f"fastmlp_toy-{project['version']}.dist-info"
    info.mkdir()
    header = f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(header, encoding="utf-8")
    points = project["entry-points"]["fastmlp.backends"]
    lines = ["[fastmlp.backends]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    for module in TOY.glob("*.py"):
        (tmp_path / module.name).write_bytes(module.read_bytes())
        monkeypatch.delitem(sys.modules, module.stem, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return import_module("toy_backend")


def test_plugin_is_a_backend_like_any_other(toy: ModuleType) -> None:
    assert set(backend_names()[4:]) >= {"toy", "broken-library", "broken-module", "broken-name"}
    backend = get_backend("toy")
    assert isinstance(backend, Backend)
    assert (backend.name, backend.device) == ("toy", "toybox")
    assert resolve_backend("toy", device="toybox").name == "toy"
    assert backend_status("toy") == ("toy", True, "toybox", "1.2.3", "", "")

    X, y = make_problem("softmax_cross_entropy")
    recipe, params = make_recipe(), draw_params((7, 5, 3), 0)
    toy.PLACED.clear()
    outputs = []
    for name in ("toy", "numpy"):
        trainer = Trainer(
            get_backend(name), recipe, params, learning_rate=0.1, batch_size=16, dtype="float64"
        )
        trainer.run(X, y, orders(70, 2))
        outputs.append(trainer.predict(X))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    # an empty tail, and then two epochs with one each
    assert toy.PLACED["int32"] == 1 + 2 * 2, "they went through the plug-in"


@pytest.mark.usefixtures("toy")
def test_plugin_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTMLP_BACKEND", "toy")
    assert resolve_backend(None, [1.0]).name == "toy"


@pytest.mark.usefixtures("toy")
def test_plugin_that_has_no_such_device_says_so() -> None:
    status = backend_status("toy", "garden")
    assert status == ("toy", False, "", "", "device='garden' is not in the toybox", "Tidy up")


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken-library", r"cannot be imported (No module named 'library_that_nobody_has')"),
        ("broken-module", r"cannot be imported (No module named 'no_such_module')"),
        ("broken-name", r"cannot be imported (module 'toy_backend' has no attribute"),
    ],
)
def test_broken_plugin_is_reported_and_the_others_stay(name: str, reason: str) -> None:
    status = backend_status(name)
    assert not status.available
    assert status.reason.startswith(reason)
    assert status.hint == "Reinstall or remove the package 'fastmlp-toy'"
    assert name in backend_names()
    assert backend_status("toy").available
    assert backend_status("numpy").available
    with pytest.raises(ValueError, match=r"expected one of \['numpy', .*'toy'\]"):
        get_backend("nobody")


def test_plugin_cannot_take_the_place_of_a_built_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "usurper-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: usurper\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fastmlp.backends]\nnumpy = no_such_module:create\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert backend_names().count("numpy") == 1
    assert get_backend("numpy").xp.exp is XP.exp
