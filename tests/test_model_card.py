"""The model card: what it says, and that it invents nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")
from fastmlp import MLPClassifier, MLPRegressor, load
from fastmlp.energy import EnergyResult, grid_intensity

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X = np.random.default_rng(0).normal(size=(40, 3))
RESULT = EnergyResult(
    wall_s=2.0,
    cpu_j=18_000.0,
    gpu_j=None,
    ram_j=18_000.0,
    source={"cpu": "measured", "gpu": "absent", "ram": "estimated"},
    method={"cpu": "RAPL", "gpu": "no GPU", "ram": "5 W/DIMM"},
)


def card_of(model: Any, folder: Path, card: Any = True) -> tuple[dict[str, Any], str]:
    """Front matter and text of the card that is written beside a model."""
    model.save(folder / "net.safetensors", card=card)
    load(folder / "net.safetensors")
    _, front, text = (folder / "net.md").read_text(encoding="utf-8").split("---\n", 2)
    return pytest.importorskip("yaml").safe_load(front), text


def test_what_a_classifier_says_of_itself(tmp_path: Path) -> None:
    y = np.where(X[:, 0] > 0, "yes|no", "no")
    model = MLPClassifier((5, 4), activation="gelu", max_iter=3, random_state=0)
    model.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    model.history_["epoch_s"][:] = [0.5, 0.25, 0.5]
    accuracy = model.history_["val_accuracy"][-1]
    front, text = card_of(model, tmp_path)
    assert front["library_name"] == "fastmlp"
    assert front["pipeline_tag"] == "tabular-classification"
    assert "co2_eq_emissions" not in front
    for part in (
        "# net\n",
        "3-5-4-1 units, gelu in hidden layers, logistic at the end, 49 weights",
        "model = fastmlp.load('net.safetensors')",
        "| samples learnt from | 30 |",
        "| classes | no, yes\\|no |",
        "| epochs | 3 |",
        "| time of all epochs | 1.25 s |",
        "`activation='gelu', hidden_layer_sizes=(5, 4), max_iter=3, random_state=0`",
        f"| accuracy, last epoch (of the validation samples) | {accuracy:.4g} |",
        "| energy of training | not measured |",
        "| CO2e | not measured |",
    ):
        assert part in text


def test_what_only_the_caller_knows(tmp_path: Path) -> None:
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=2).fit(X, X[:, :2])
    card = {
        "text": "Guesses two columns.",
        "data": "Drawn from a normal distribution.",
        "score": {"test R2": 0.123456},
        "energy": RESULT,
        "grid": grid_intensity("WORLD"),
    }
    front, text = card_of(model, tmp_path, card)
    # 36 kJ are 10 Wh; 475 g/kWh
    assert front["co2_eq_emissions"]["emissions"] == pytest.approx(4.75)
    assert front["co2_eq_emissions"]["geographical_location"] == "WORLD"
    assert "estimated" in front["co2_eq_emissions"]["source"]
    for part in (
        "Guesses two columns.",
        "Drawn from a normal distribution.",
        "| outputs | 2 |",
        "| test R2 | 0.1235 |",
        "1.8e+04 J of computing in 2 s (measured; 3.6e+04 J with memory): CPU 1.8e+04 J measured",
        "| CO2e | 4.75 g, at 475 g/kWh (WORLD 2018:",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("dtype", "precision", "said"),
    [
        ("float64", None, "in full"),
        ("float32", None, "in full"),
        ("float32", "bfloat16", "bfloat16"),
        ("float64", "bfloat16", "in full"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*was fitted with precision")
def test_the_precision_of_the_training_is_told(
    dtype: str, precision: str | None, said: str, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    model = MLPRegressor(
        hidden_layer_sizes=(2,), max_iter=1, backend="torch", dtype=dtype, precision=precision
    )
    _, text = card_of(model.fit(X, X[:, 0]), tmp_path)
    assert f"| products | {said} |" in text
    _, text = card_of(load(tmp_path / "net.safetensors"), tmp_path)
    assert f"| products | {said} |" in text


def test_energy_that_is_absent_stays_absent(tmp_path: Path) -> None:
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=2).fit(X, X[:, 0])
    nothing = dataclasses.replace(
        RESULT, cpu_j=None, ram_j=None, source=dict.fromkeys(RESULT.source, "absent")
    )
    front, text = card_of(model, tmp_path, {"energy": nothing, "grid": grid_intensity("WORLD")})
    assert "co2_eq_emissions" not in front
    assert "| energy of training | not measured: No energy value for 2 s" in text
    front, text = card_of(model, tmp_path, {"energy": RESULT})
    assert "co2_eq_emissions" not in front
    assert "| CO2e | not known: no grid was given |" in text
    with_grid = dataclasses.replace(RESULT, grid=grid_intensity("WORLD"))
    front, text = card_of(model, tmp_path, {"energy": with_grid})
    assert front["co2_eq_emissions"]["geographical_location"] == "WORLD"
    front, text = card_of(model, tmp_path, {"grid": grid_intensity("WORLD")})
    assert "co2_eq_emissions" not in front
    assert "| energy of training | not measured |" in text


def test_a_network_from_elsewhere_does_not_know_its_past(tmp_path: Path) -> None:
    neural_network = pytest.importorskip("sklearn.neural_network")
    theirs = neural_network.MLPRegressor(hidden_layer_sizes=(2,), max_iter=2).fit(X, X[:, 0])
    _, text = card_of(MLPRegressor.from_sklearn(theirs), tmp_path)
    for part in (
        "| samples learnt from | not known |",
        "| time of all epochs | not known |",
        "| backend, device | scikit-learn, cpu |",
        "| products | in full |",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("name", "card", "message"),
    [
        ("m.safetensors", {"mood": 1}, r"entries \['mood'\], expected some of \['text', 'data'"),
        ("m.safetensors", {"energy": 3.0}, r"card\['energy'\]=3.0, expected a fastmlp.energy.Ene"),
        ("m.safetensors", {"grid": "FRA"}, r"card\['grid'\]='FRA', expected fastmlp.energy.grid"),
        ("m.safetensors", {"text": 3}, r"card\['text'\]=3, expected text in Markdown"),
        ("m.safetensors", {"data": b"x"}, r"card\['data'\]=b'x', expected text in Markdown"),
        (
            "m.safetensors",
            {"score": 0.9},
            r"card\['score'\]=0.9, expected names with numbers, as in",
        ),
        (
            "m.safetensors",
            {"score": {"a": "b"}},
            r"card\['score'\]={'a': 'b'}, expected names with",
        ),
        ("m.safetensors", "abc", r"card='abc' must be True, False, or a mapping, as in card={'tex"),
        ("m.md", True, "would be the model file and its card"),
    ],
)
def test_a_card_that_cannot_be_written_leaves_no_file(
    name: str, card: Any, message: str, tmp_path: Path
) -> None:
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=2).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=message):
        model.save(tmp_path / name, card=card)
    assert list(tmp_path.iterdir()) == []
