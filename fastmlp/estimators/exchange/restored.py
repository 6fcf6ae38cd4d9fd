"""A fitted estimator from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.preprocessing import LabelBinarizer

from fastmlp.core import Params
from fastmlp.estimators.course import Course
from fastmlp.estimators.exchange.network import check_finite

SIGMOID, SOFTMAX = "sigmoid_cross_entropy", "softmax_cross_entropy"


class Parts(NamedTuple):
    """What makes a fitted estimator of one that is not."""

    params: Params
    made_of: tuple[str, str]  # activation and loss
    course: Course
    trained_on: tuple[str, str, str | None]  # backend, device and precision, None if not known
    moments: Any = None  # state of the optimizer, steps, (its name, its settings)
    classes: Any = None  # of a classifier
    is_single: bool = True  # of a regressor: y had one axis
    feature_names: Sequence[str] | None = None


def restored(model: Any, parts: Parts) -> Any:
    """Make model the fitted estimator of these parts, and return it.

    Raises
    ------
    ValueError
        The classes do not fit the outputs, or a weight is not finite.
    """
    check_finite(parts.params)
    n_features, n_outputs = parts.params[0].W.shape[0], parts.params[-1].b.shape[0]
    if is_classifier(model):
        model._labels = label_binarizer(parts.classes, n_outputs, parts.made_of[1])
        model.classes_ = parts.classes
    else:
        if parts.is_single and n_outputs != 1:
            raise ValueError(f"{n_outputs} outputs of a regression of one")
        model._single = parts.is_single
    model._take(parts.params, parts.course, parts.made_of, parts.trained_on)
    model.n_features_in_ = n_features
    if parts.feature_names is not None:
        if len(parts.feature_names) != n_features:
            raise ValueError(f"{len(parts.feature_names)} names of {n_features} features")
        model.feature_names_in_ = np.asarray(parts.feature_names, dtype=object)
    model._optimizer_state = parts.moments
    return model


def label_binarizer(classes: Any, n_outputs: int, loss: str) -> LabelBinarizer:
    """Make the binarizer of labels that fit makes, from the classes alone."""
    if loss == SIGMOID and n_outputs > 1:
        return LabelBinarizer().fit(np.eye(n_outputs, dtype=int))
    labels = LabelBinarizer().fit(classes)
    expected = len(classes) if loss == SOFTMAX else 1
    is_known = labels.y_type_ == ("multiclass" if loss == SOFTMAX else "binary")
    if n_outputs != expected or not is_known or labels.classes_.tolist() != classes.tolist():
        raise ValueError(
            f"{n_outputs} outputs of a network with the loss {loss!r} do not fit the classes "
            f"{classes.tolist()}"
        )
    return labels
