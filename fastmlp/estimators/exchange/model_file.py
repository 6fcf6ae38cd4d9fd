"""An estimator's way to a model file and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

import fastmlp
from fastmlp.backends import PRECISIONS
from fastmlp.backends.notices import warn
from fastmlp.core import ACTIVATIONS, Params
from fastmlp.estimators.course import Course
from fastmlp.estimators.exchange.container import compose, read, write
from fastmlp.estimators.exchange.errors import ModelFileError
from fastmlp.estimators.exchange.network import check_finite
from fastmlp.estimators.exchange.restored import Parts, restored
from fastmlp.estimators.exchange.trees import Tensors, flatten, unflatten
from fastmlp.estimators.exchange.values import pack, unpack
from fastmlp.estimators.history import History
from fastmlp.estimators.learning_rate import LearningRate
from fastmlp.estimators.losses import REPORTED
from fastmlp.estimators.patience import Patience

CLASSES = ("MLPClassifier", "MLPRegressor")
WHERE = ("backend", "device", "precision")  # the file is for any of them
RATE = ("kind", "init", "power_t", "value")
PATIENCE = ("stalled", "best")
# Of a course, what has entries of its own, and what are values.
PARTS = ("rate", "patience", "history", "best")
VALUES = tuple(field.name for field in fields(Course) if field.name not in PARTS)


def save(model: Any, path: str | os.PathLike[str], card: bool | Mapping[str, Any]) -> None:
    """Write a model, and its card if one is asked for; see `Exchange.save`."""
    check_is_fitted(model, "coefs_")
    if not isinstance(card, bool | np.bool | Mapping):
        raise ValueError(
            f"card={card!r} must be True, False, or a mapping, as in card={{'text': '...'}}."
        )
    data = compose(*described(model))
    if card:
        from fastmlp.estimators.exchange.card import card_path, written

        page_path = card_path(path)
        page = written(model, path, **(card if isinstance(card, Mapping) else {}))
    write(path, data)
    if card:
        write(page_path, page.encode())


def load(
    path: str | os.PathLike[str],
    backend: Any = None,
    device: str | None = None,
    precision: str | None = None,
) -> Any:
    """Load an estimator that was saved, fitted as it was, on any backend.

    Nothing in the file is run; all of its bytes are checked before anything is made of them.

    Parameters
    ----------
    path : str or path
    backend, device, precision
        As of the estimators: where and how it is to compute from now on. The file asks for none;
        a model that was fitted with products in TF32 or bfloat16 warns if precision is left out.

    Returns
    -------
    MLPClassifier or MLPRegressor
        It predicts, and goes on with ``warm_start`` and ``partial_fit``, as the one that was saved.

    Raises
    ------
    ModelFileError
        The file is not one of ours, is damaged or cut off, or is of a newer fastmlp.
    FileNotFoundError
        There is no such file.
    BackendUnavailableError
        The backend asked for cannot run here.
    ImportError
        safetensors is missing: ``pip install 'fastmlp[safetensors]'``.

    Examples
    --------
    ::

        model.save("digits.safetensors")
        fastmlp.load("digits.safetensors", backend="jax").predict(X)

    References
    ----------
    https://huggingface.co/docs/safetensors
    """
    description, tensors = read(path)
    try:
        model = made(description, tensors)
    except ModelFileError:
        raise
    except Exception as error:  # the seal is right: whoever made it, a model it is not
        raise ModelFileError(f"{path} does not hold what a model is made of: {error!r}.") from error
    model.set_params(backend=backend, device=device, precision=precision)
    asked = precision or getattr(backend, "precision", None)
    if asked is None and model.precision_ in PRECISIONS[1:]:
        warn(
            f"{path} was fitted with precision={model.precision_!r} and computes in full from now "
            "on, so it may answer a little differently. load(..., "
            f"precision={model.precision_!r}) goes on as before, where the backend offers it; "
            "precision='float32' is for those who want it so."
        )
    if backend is not None or device is not None:
        model._backend(None)
    return model


def described(model: Any) -> tuple[dict[str, Any], Tensors]:
    """Return all that is kept of a model: a description in JSON's types, and tensors."""
    if type(model) is not getattr(fastmlp, type(model).__name__, None):
        raise ValueError(
            f"save keeps fastmlp's MLPClassifier and MLPRegressor, not {type(model)!r}, whose own "
            "parts would be lost. Its network alone goes on by from_keras(model.to_keras())."
        )
    tensors: Tensors = {}
    params = model._own_params((model.coefs_[0].shape[0], *(b.size for b in model.intercepts_)))
    check_finite(params)
    course, moments, best = model._course, model._moments(), model._course.best
    flatten(params, "params", tensors)
    names = getattr(model, "feature_names_in_", None)
    description = {
        "fastmlp_version": fastmlp.__version__,
        "class": type(model).__name__,
        "parameters": {
            name: _parameter(name, value)
            for name, value in model.get_params(deep=False).items()
            if name not in WHERE
        },
        "layers": [params[0].W.shape[0], *(layer.b.size for layer in params)],
        "made_of": list(model._made_of),
        "trained_on": [model.backend_, model.device_],
        "precision": model.precision_,
        "classes": _classes(model.classes_) if is_classifier(model) else None,
        "is_single": None if is_classifier(model) else model._single,
        "feature_names": None if names is None else names.tolist(),
        "course": {name: pack(getattr(course, name)) for name in VALUES},
        "rate": {name: pack(getattr(course.rate, name)) for name in RATE},
        "patience": {name: pack(getattr(course.patience, name)) for name in PATIENCE},
        "history": pack(dict(course.history)),
        "best": None if best is None else flatten(best, "best", tensors),
        "optimizer": None,
    }
    if moments is not None:
        state, t, (name, settings) = moments
        form = flatten((state, t), "optimizer", tensors)
        description["optimizer"] = {"name": name, "settings": pack(settings), "form": form}
    return description, tensors


def _classes(classes: Any) -> Any:
    try:
        return pack(classes)
    except TypeError as error:
        raise ValueError(
            f"classes_ has dtype {classes.dtype}, expected labels that are numbers, bools or text, "
            "which a file can hold: train again with y as text, as in y.astype(str)."
        ) from error


def _parameter(name: str, value: Any) -> Any:
    try:
        return pack(value)
    except TypeError as error:
        others = (
            "an int or None" if name == "random_state" else "a number, a text or a list of them"
        )
        raise ValueError(
            f"{name}={value!r} cannot be saved ({error}): before saving, give {others} by "
            f"set_params({name}=...); what was learnt stays."
        ) from error


def made(description: dict[str, Any], tensors: Tensors) -> Any:
    """Return the model of a description and its tensors, or raise if they contradict."""
    if description["class"] not in CLASSES:
        raise ValueError(f"{description['class']!r} is no estimator")
    kind = getattr(fastmlp, description["class"])
    parameters = {name: unpack(value) for name, value in description["parameters"].items()}
    unknown = sorted(set(parameters) - set(kind().get_params()))
    if unknown:
        raise ModelFileError(
            f"the model has the parameters {unknown}, which fastmlp {fastmlp.__version__} does not "
            f"know: it was written by fastmlp {description['fastmlp_version']}. Upgrade fastmlp."
        )
    model = kind(**parameters)
    sizes = description["layers"]
    if len(sizes) < 2 or not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError(f"{sizes} are no sizes of layers")
    activation, loss = description["made_of"]
    if activation not in ACTIVATIONS or loss not in REPORTED:
        raise ValueError(f"{activation!r} and {loss!r} are no activation and loss of this fastmlp")
    if is_classifier(model) != loss.endswith("cross_entropy"):
        raise ValueError(f"{loss!r} is no loss of {description['class']}")
    course = Course(LearningRate("constant", 0.0, 0.0), Patience())
    _fill(course, VALUES, description["course"])
    _fill(course.rate, RATE, description["rate"])
    _fill(course.patience, PATIENCE, description["patience"])
    course.history = History(unpack(description["history"]))
    params = _network(tensors, "params", sizes)
    arrays: list[Any] = [array for layer in params for array in layer]
    if len({array.dtype for array in arrays}) != 1:
        raise ValueError("its weights are of several dtypes")
    if description["best"] is not None:
        course.best = _network(tensors, "best", sizes)
    parts = Parts(
        params,
        (activation, loss),
        course,
        _trained_on(description),
        _moments(description["optimizer"], tensors, sizes),
        unpack(description["classes"]),
        description["is_single"],
        description["feature_names"],
    )
    if tensors:
        raise ValueError(f"it holds the tensors {sorted(tensors)}, which are no part of it")
    return restored(model, parts)


def _trained_on(description: dict[str, Any]) -> tuple[str, str, str | None]:
    """Return backend, device and precision, which the first files do not name."""
    backend, device = description["trained_on"]
    precision = description.get("precision")
    if precision not in (None, "float64", *PRECISIONS):
        raise ValueError(f"{precision!r} is no precision of this fastmlp")
    return backend, device, precision


def _fill(owner: Any, names: tuple[str, ...], entry: dict[str, Any]) -> None:
    """Set what an entry holds; what an older fastmlp did not know keeps its default."""
    unknown = sorted(set(entry) - set(names))
    if unknown:
        raise ValueError(f"{unknown} are no part of a training of this fastmlp")
    for name, value in entry.items():
        setattr(owner, name, unpack(value))


def _network(tensors: Tensors, name: str, sizes: list[int]) -> Params:
    params: Params = unflatten(["layer"] * (len(sizes) - 1), name, tensors, sizes)
    return params


def _moments(entry: Any, tensors: Tensors, sizes: list[int]) -> Any:
    if entry is None:
        return None
    state, t = unflatten(entry["form"], "optimizer", tensors, sizes)
    return state, t, (entry["name"], unpack(entry["settings"]))
