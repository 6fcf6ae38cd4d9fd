"""The model card: what a model is, how it was trained and what that took, as Markdown."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier

import fastmlp
from fastmlp.energy import EnergyResult, GridZone, co2e_mg

NOT_MEASURED = "not measured"
PRODUCTS = {None: "not known", "float64": "in full", "float32": "in full"}
GIVEN = ("text", "data", "score", "energy", "grid")


def card_path(path: str | os.PathLike[str]) -> Path:
    """Path of the card of a model file."""
    page = Path(path).with_suffix(".md")
    if page == Path(path):
        raise ValueError(
            f"{page} would be the model file and its card: name it as in x.safetensors."
        )
    return page


def written(model: Any, path: str | os.PathLike[str], **given: Any) -> str:
    """Return the card of a model that is saved at path; ``given`` as in `Exchange.save`.

    Raises
    ------
    ValueError
        Something is given that has no place in a card.
    """
    unknown = sorted(set(given) - set(GIVEN))
    if unknown:
        raise ValueError(f"card has the entries {unknown}, expected some of {list(GIVEN)}.")
    for name in ("text", "data"):
        if not isinstance(given.get(name), str | None):
            raise ValueError(f"card[{name!r}]={given[name]!r}, expected text in Markdown.")
    score = given.get("score")
    if score is not None and not (
        isinstance(score, Mapping) and all(isinstance(value, Real) for value in score.values())
    ):
        raise ValueError(
            f"card['score']={score!r}, expected names with numbers, as in "
            "{'test accuracy': 0.97}."
        )
    energy, grid = given.get("energy"), given.get("grid")
    if energy is not None and not isinstance(energy, EnergyResult):
        raise ValueError(f"card['energy']={energy!r}, expected a fastmlp.energy.EnergyResult.")
    if grid is not None and not isinstance(grid, GridZone):
        raise ValueError(f"card['grid']={grid!r}, expected fastmlp.energy.grid_intensity(...).")
    grid = grid or (energy.grid if energy else None)
    co2e_g = _co2e_g(energy, grid)
    name = Path(path).name
    kind = type(model).__name__
    lines = [
        *_front(model, energy, grid, co2e_g),
        f"# {Path(path).stem}",
        "",
        *([given["text"], ""] if given.get("text") else []),
        f"A multilayer perceptron, `fastmlp.{kind}`: {_sizes(model)}, {model._made_of[0]} in "
        f"hidden layers, {model.out_activation_} at the end, {_n_weights(model)} weights.",
        "",
        "```python",
        "import fastmlp",
        "",
        f"model = fastmlp.load({name!r})  # pip install 'fastmlp[safetensors]'",
        "model.predict(X)",
        "```",
        "",
        "## Data",
        "",
        *([given["data"], ""] if given.get("data") else []),
        *_table(_data(model)),
        "## Training",
        "",
        *_table(_training(model)),
        "## Results",
        "",
        *_table(_results(model, score or {})),
        "## Energy",
        "",
        *_table(_energy(energy, grid, co2e_g)),
        "## Versions",
        "",
        *_table(_versions()),
    ]
    return "\n".join(lines)


def _front(model: Any, energy: Any, grid: Any, co2e_g: float | None) -> Iterator[str]:
    """Front matter; each value is written as JSON, which YAML reads."""
    task = "classification" if is_classifier(model) else "regression"
    front: dict[str, Any] = {
        "library_name": "fastmlp",
        "pipeline_tag": f"tabular-{task}",
        "tags": ["fastmlp", "multilayer-perceptron", f"tabular-{task}"],
    }
    if co2e_g is not None:
        front["co2_eq_emissions"] = {
            "emissions": co2e_g,
            "source": f"energy {energy.total_source}, {grid.source}",
            "training_type": "pre-training",
            "geographical_location": grid.zone,
        }
    yield "---"
    for key, value in front.items():
        yield f"{key}: {json.dumps(value)}"
    yield from ("---", "")


def _table(rows: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| | |", "|---|---|")
    for name, value in rows.items():
        text = " ".join(str(value).split()).replace("|", "\\|")
        yield f"| {name} | {text} |"
    yield ""


def _sizes(model: Any) -> str:
    sizes = [model.n_features_in_, *(b.size for b in model.intercepts_)]
    return "-".join(map(str, sizes)) + " units"


def _n_weights(model: Any) -> int:
    return sum(int(array.size) for array in model.coefs_ + model.intercepts_)


def _data(model: Any) -> dict[str, Any]:
    rows: dict[str, Any] = {
        "samples learnt from": model._course.n_samples or "not known",
        "features": model.n_features_in_,
    }
    if hasattr(model, "feature_names_in_"):
        rows["names of features"] = ", ".join(model.feature_names_in_)
    if not is_classifier(model):
        return {**rows, "outputs": model.n_outputs_}
    if model._labels.y_type_.startswith("multilabel"):
        return {**rows, "labels per sample": f"0 to {model.n_outputs_}"}
    return {**rows, "classes": ", ".join(map(str, model.classes_.tolist()))}


def _training(model: Any) -> dict[str, Any]:
    defaults = type(model)().get_params(deep=False)
    changed = {
        name: value
        for name, value in model.get_params(deep=False).items()
        if name not in ("backend", "device", "precision") and repr(value) != repr(defaults[name])
    }
    epoch_s = model.history_.get("epoch_s", [])
    settings = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    return {
        "solver": model.solver,
        "settings other than the defaults": f"`{settings}`" if settings else "none",
        "epochs": len(model.loss_curve_) or "not known",
        "time of all epochs": f"{sum(epoch_s):.3g} s"
        if epoch_s and np.isfinite(epoch_s).all()
        else "not known",
        "backend, device": ", ".join(filter(None, (model.backend_, model.device_))),
        "dtype": model.coefs_[0].dtype.name,
        "products": PRODUCTS.get(model.precision_, model.precision_),
    }


def _results(model: Any, score: Mapping[str, float]) -> dict[str, Any]:
    last = {
        f"{name}, last epoch (of the training samples)"
        if not name.startswith("val_")
        else f"{name.removeprefix('val_')}, last epoch (of the validation samples)": values[-1]
        for name, values in model.history_.items()
        if name not in ("epoch_s", "learning_rate") and values and np.isfinite(values[-1])
    }
    if model.best_validation_score_ is not None:
        last["best score (of the validation samples)"] = model.best_validation_score_
    found = {name: f"{value:.4g}" for name, value in {**score, **last}.items()}
    return found or {"score": "not given"}


def _co2e_g(energy: EnergyResult | None, grid: GridZone | None) -> float | None:
    if energy is None or grid is None:
        return None
    mg = co2e_mg(energy.total_j, grid.g_per_kwh)
    return None if mg is None else mg / 1000


def _energy(energy: Any, grid: Any, co2e_g: float | None) -> dict[str, Any]:
    if energy is None or energy.total_j is None:
        why = "" if energy is None else f": {energy.explain()}"
        return {"energy of training": NOT_MEASURED + why, "CO2e": NOT_MEASURED}
    if grid is None or co2e_g is None:
        return {"energy of training": energy.explain(), "CO2e": "not known: no grid was given"}
    of_grid = f"{grid.g_per_kwh:g} g/kWh ({grid.zone} {grid.year}: {grid.source})"
    return {"energy of training": energy.explain(), "CO2e": f"{co2e_g:.3g} g, at {of_grid}"}


def _versions() -> dict[str, str]:
    import sklearn

    return {
        "fastmlp": fastmlp.__version__,
        "NumPy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "Python": platform.python_version(),
    }
