"""scikit-learn's own tests of its MLP, run with our estimators in their place."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network

import fastmlp

# Tests that cannot pass, each by a difference that docs/scikit-learn.md lists.
DIFFERENT = {
    **dict.fromkeys(
        (
            "test_fit",
            "test_gradient",
            "test_learning_rate_warmstart",
            "test_adaptive_learning_rate",
            "test_n_iter_no_change",
            "test_n_iter_no_change_inf",
        ),
        "private parts",
    ),
    **dict.fromkeys(
        ("test_nonfinite_params", "test_warm_start", "test_minimum_input_sample_size"),
        "wording of errors and warnings",
    ),
    "test_verbose_sgd": "verbose=True",
}


def _with_ours() -> ModuleType:
    """Load scikit-learn's test module so that it finds our classes where it looks for its own."""
    found = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    if found is None or found.loader is None:
        pytest.skip("scikit-learn is installed without its tests", allow_module_level=True)
    module = importlib.util.module_from_spec(found)
    own = neural_network.MLPClassifier, neural_network.MLPRegressor
    neural_network.MLPClassifier, neural_network.MLPRegressor = (
        fastmlp.MLPClassifier,
        fastmlp.MLPRegressor,
    )
    try:
        found.loader.exec_module(module)
    finally:
        neural_network.MLPClassifier, neural_network.MLPRegressor = own
    return module


def _marked(name: str, test: Any) -> Any:
    if name not in DIFFERENT:
        return test
    return pytest.mark.xfail(reason=DIFFERENT[name], strict=True)(test)


@pytest.fixture
def global_random_seed() -> int:
    """Stand in for the fixture of scikit-learn's own conftest."""
    return 42


_MODULE = _with_ours()
globals().update(
    {
        name: _marked(name, value)
        for name, value in vars(_MODULE).items()
        if name.startswith("test_") and callable(value)
    }
)


def test_every_difference_is_a_test_of_theirs_and_in_the_table() -> None:
    assert set(DIFFERENT) <= set(vars(_MODULE))
    page = Path(__file__).parents[1] / "docs" / "scikit-learn.md"
    text = page.read_text(encoding="utf-8").replace("`", "")
    assert all(f"| {what}" in text for what in DIFFERENT.values())
