"""From a Sequential model of Keras."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from fastmlp.core import Layer
from fastmlp.core.further import SLOPE
from fastmlp.estimators.course import Course
from fastmlp.estimators.exchange.errors import library
from fastmlp.estimators.exchange.restored import SIGMOID, SOFTMAX, Parts, restored
from fastmlp.estimators.exchange.to_keras import NAMES, gelu

# They change something in training only.
SILENT = ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "Identity")
OUTPUTS = {
    True: {"softmax": SOFTMAX, "logistic": SIGMOID},
    False: {"identity": "squared_error", "exp": "poisson"},
}


class Dense(NamedTuple):
    """A Dense layer, with the activation within or behind it."""

    name: str
    W: NDArray[Any]
    b: NDArray[Any]
    activation: str


def from_keras(kind: Any, network: Any, classes: Any = None) -> Any:
    """Return the estimator of a keras.Sequential; see `Exchange.from_keras`."""
    keras = library("keras", "tensorflow", "from_keras")
    if not isinstance(network, keras.Sequential):
        raise TypeError(
            f"from_keras got a {type(network).__name__}, expected a keras.Sequential of Dense "
            "layers."
        )
    *hidden, last = _dense_layers(keras, network)
    activations = {layer.activation: layer.name for layer in hidden}
    if len(activations) > 1:
        found = ", ".join(f"{name!r} has {kind!r}" for kind, name in activations.items())
        raise ValueError(
            f"the hidden layers have different activations ({found}), expected one for all."
        )
    activation = next(iter(activations), "relu")
    if activation in ("softmax", "exp"):
        raise ValueError(f"the layer {activations[activation]!r} has {activation!r} within.")
    is_to_classify = is_classifier(kind())
    known = OUTPUTS[is_to_classify]
    if last.activation not in known:
        hint = " Add what makes probabilities of its logits." if is_to_classify else ""
        raise ValueError(
            f"the last layer {last.name!r} ends in {last.activation!r}, expected one of "
            f"{list(known)} for a {kind.__name__}.{hint}"
        )
    loss, labels = known[last.activation], None
    if is_to_classify:
        loss, last, labels = _with_classes(loss, last, classes)
    elif classes is not None:
        raise ValueError(f"classes={classes!r}: {kind.__name__} has none, leave it out.")
    layers = [*hidden, last]
    model = kind(hidden_layer_sizes=tuple(layer.b.size for layer in hidden), activation=activation)
    if not is_to_classify:
        model.set_params(loss=loss)
    parts = Parts(
        tuple(Layer(layer.W, layer.b) for layer in layers),  # type: ignore[arg-type]
        (activation, loss),
        Course(model._rate()),
        ("keras", "", None),
        classes=labels,
        is_single=last.b.size == 1,
    )
    return restored(model, parts)


def _dense_layers(keras: Any, network: Any) -> list[Dense]:
    if not network.built:
        raise ValueError(f"{network.name!r} has no weights yet: begin it with keras.Input.")
    shape = network.input_shape[1:]
    is_flat, found = len(shape) == 1, list[Dense]()
    scale: Any = 1.0
    offset: Any = 0.0
    is_scaled = False
    for layer in network.layers:
        kind = type(layer).__name__
        if kind == "InputLayer" or kind in SILENT:
            continue
        if kind == "Flatten" and not found:
            scale, offset = (_flat(value, shape) for value in (scale, offset))
            is_flat = True
        elif kind == "Rescaling":
            by, plus = (
                np.asarray(value, dtype=np.float64) for value in (layer.scale, layer.offset)
            )
            scale, offset, is_scaled = scale * by, offset * by + plus, True
        elif kind == "Dense" and is_flat:
            found.append(_dense(keras, layer, scale, offset))
            scale, offset, is_scaled = 1.0, 0.0, False
        elif found and found[-1].activation == "identity" and not is_scaled:
            found[-1] = found[-1]._replace(activation=_activation(keras, layer))
        else:
            raise _no_place(layer)
    if not found or is_scaled:
        raise ValueError(f"{network.name!r} does not end in a Dense layer and its activation.")
    return found


def _flat(value: Any, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(value, shape).reshape(-1) if np.ndim(value) else value


def _dense(keras: Any, layer: Any, scale: Any, offset: Any) -> Dense:
    """``(scale x + offset) W + b = x (scale W) + (offset W + b)``."""
    W, *bias = (np.asarray(array) for array in layer.get_weights())
    dtype = "float64" if W.dtype == np.float64 else "float32"
    n_in, n_out = W.shape
    exact = W.astype(np.float64)
    b = bias[0].astype(np.float64) if bias else np.zeros(n_out)
    b = b + np.broadcast_to(offset, (n_in,)) @ exact
    exact = np.broadcast_to(scale, (n_in,))[:, None] * exact
    activation = _named(keras, layer, layer.activation)
    return Dense(layer.name, exact.astype(dtype), b.astype(dtype), activation)


def _activation(keras: Any, layer: Any) -> str:
    """Name of the activation that a layer is."""
    kind = type(layer).__name__
    if kind == "LeakyReLU" or (kind == "ReLU" and not layer.threshold and layer.max_value is None):
        slope = float(layer.negative_slope)
        if slope == 0.0 or math.isclose(slope, SLOPE, rel_tol=1e-6):
            return "leaky_relu" if slope else "relu"
    if kind == "ELU" and layer.alpha == 1.0:
        return "elu"
    if kind == "Softmax" and layer.axis in (-1, 1):
        return "softmax"
    if kind == "Activation":
        return _named(keras, layer, layer.activation)
    raise _no_place(layer)


def _named(keras: Any, layer: Any, function: Any) -> str:
    """Name of a function of Keras."""
    for ours, theirs in NAMES.items():
        if function is keras.activations.get(theirs):
            return ours
    if function is gelu():
        return "gelu"
    raise ValueError(
        f"the layer {layer.name!r} has the activation {getattr(function, '__name__', function)!r}, "
        f"expected one of {sorted(NAMES.values())}, or LeakyReLU({SLOPE})."
    )


def _no_place(layer: Any) -> ValueError:
    return ValueError(
        f"the layer {layer.name!r} ({type(layer).__name__}) has no counterpart at this place: "
        "expected Dense layers, each with one activation within or behind it; Flatten in front of "
        f"data of several axes; Rescaling before a Dense layer; {', '.join(SILENT)}."
    )


def _with_classes(loss: str, last: Dense, classes: Any) -> tuple[str, Dense, Any]:
    """Loss, last layer and labels, where scikit-learn wants them: sorted, two as one output."""
    n_outputs = last.b.size
    is_multilabel = loss == SIGMOID and n_outputs > 1
    if is_multilabel and classes is not None:
        raise ValueError(
            f"classes={classes!r}: {n_outputs} outputs with a sigmoid each are label indicators, "
            "which have no other names. Leave classes out."
        )
    n_classes = max(2, n_outputs)
    labels = np.arange(n_classes) if classes is None else np.asarray(classes)
    if labels.shape != (n_classes,) or len(set(labels.tolist())) != n_classes:
        raise ValueError(f"classes={classes!r}: expected {n_classes} different labels.")
    if is_multilabel:
        return loss, last, labels
    order = np.argsort(labels)
    W, b = last.W, last.b
    if n_outputs > 2:
        return loss, last._replace(W=W[:, order], b=b[order]), labels[order]
    if n_outputs == 2:  # softmax of two is the logistic function of their difference
        W, b = W[:, 1:] - W[:, :1], b[1:] - b[:1]
    elif loss == SOFTMAX:
        raise ValueError(f"the last layer {last.name!r} has a softmax of one output: always 1.")
    sign = 1 if order[0] == 0 else -1
    return SIGMOID, last._replace(W=sign * W, b=sign * b), labels[order]
