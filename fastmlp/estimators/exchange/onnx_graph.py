"""To a graph of ONNX, written by its helpers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_classifier

import fastmlp
from fastmlp.core.further import SLOPE, C, D
from fastmlp.estimators.exchange.container import write
from fastmlp.estimators.exchange.errors import library
from fastmlp.estimators.exchange.network import network_of

# Old enough for the runtimes in use; what is newer (Gelu) is written out in these.
OPSET, IR_VERSION = 17, 8


class Graph:
    """Nodes and constants as they come."""

    def __init__(self, onnx: Any, dtype: str) -> None:
        self.onnx, self.dtype = onnx, dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = name or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Any, name: str = "") -> str:
        """Add a constant, a number in the dtype of the network; return its name."""
        array = value if isinstance(value, np.ndarray) else np.asarray(value, dtype=self.dtype)
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name


Form = Callable[[Graph, str], str]


def _leaky_relu(graph: Graph, z: str) -> str:
    return graph.add("Max", z, graph.add("Mul", z, graph.constant(SLOPE)))


def _elu(graph: Graph, z: str) -> str:
    below = graph.add("Exp", graph.add("Min", z, graph.constant(0.0)))
    return graph.add("Add", graph.add("Relu", z), graph.add("Sub", below, graph.constant(1.0)))


def _gelu(graph: Graph, z: str) -> str:
    square = graph.add("Mul", graph.add("Mul", z, z), graph.constant(D))
    inner = graph.add("Mul", z, graph.add("Add", square, graph.constant(1.0)))
    tanh = graph.add("Tanh", graph.add("Mul", inner, graph.constant(C)))
    half = graph.add("Mul", z, graph.constant(0.5))
    return graph.add("Mul", half, graph.add("Add", tanh, graph.constant(1.0)))


def _softplus(graph: Graph, z: str) -> str:
    tail = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    log = graph.add("Log", graph.add("Add", tail, graph.constant(1.0)))
    return graph.add("Add", graph.add("Relu", z), log)


FORMS: dict[str, Form] = {
    "relu": lambda graph, z: graph.add("Relu", z),
    "tanh": lambda graph, z: graph.add("Tanh", z),
    "logistic": lambda graph, z: graph.add("Sigmoid", z),
    "identity": lambda graph, z: z,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "gelu": _gelu,
    "silu": lambda graph, z: graph.add("Mul", z, graph.add("Sigmoid", z)),
    "softplus": _softplus,
    "softmax": lambda graph, z: graph.add("Softmax", z, axis=1),
    "exp": lambda graph, z: graph.add("Exp", z),
}


def to_onnx(model: Any, path: str | os.PathLike[str] | None = None) -> Any:
    """Return the ONNX model of a model; see `Exchange.to_onnx`."""
    onnx = library("onnx", "onnx", "to_onnx")
    layers, activation, output, dtype = network_of(model)
    graph, last = Graph(onnx, dtype), "X"
    behind = [activation] * (len(layers) - 1) + [output]
    for number, ((W, b), name) in enumerate(zip(layers, behind, strict=True)):
        weights = graph.constant(np.array(W, order="C"), f"W{number}")
        last = graph.add("Gemm", last, weights, graph.constant(np.array(b), f"b{number}"))
        last = FORMS[name](graph, last)
    number_type = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    value = onnx.helper.make_tensor_value_info
    if is_classifier(model):
        label_type, shape = _label(graph, model, last)
        n_columns = shape[1] if len(shape) > 1 else len(model.classes_)
        outputs = [
            value("label", label_type, shape),
            value("probabilities", number_type, ["n", max(2, n_columns)]),
        ]
    else:
        graph.add("Identity", last, name="variable")
        outputs = [value("variable", number_type, ["n", model.n_outputs_])]
    made = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "fastmlp",
            [value("X", number_type, ["n", model.n_features_in_])],
            outputs,
            graph.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fastmlp",
        producer_version=fastmlp.__version__,
    )
    onnx.helper.set_model_props(made, _told(model, activation, output))
    onnx.checker.check_model(made, full_check=True)
    if path is not None:
        write(path, made.SerializeToString())
    return made


def _label(graph: Graph, model: Any, p: str) -> tuple[int, list[Any]]:
    """Add both outputs of a classifier; return type and shape of the label."""
    types = graph.onnx.TensorProto
    if model._labels.y_type_.startswith("multilabel"):
        graph.add("Identity", p, name="probabilities")
        above = graph.add("Greater", p, graph.constant(0.5))
        graph.add("Cast", above, name="label", to=types.INT64)
        return types.INT64, ["n", model.n_outputs_]
    classes = model.classes_
    if model.n_outputs_ == 1:
        p = graph.add("Concat", graph.add("Sub", graph.constant(1.0), p), p, axis=1)
        classes = np.resize(classes, 2)  # of a single class both columns are the same
    graph.add("Identity", p, name="probabilities")
    values, label_type = _label_values(classes, types)
    place = graph.add("ArgMax", p, axis=1, keepdims=0)
    graph.add("Gather", graph.constant(values, "classes"), place, name="label")
    return label_type, ["n"]


def _label_values(classes: Any, types: Any) -> tuple[Any, int]:
    if classes.dtype.kind in "biu":
        if int(classes.max()) > np.iinfo(np.int64).max:
            raise ValueError(
                f"classes_ go up to {classes.max()}, which is more than ONNX's labels of int64 "
                "hold: train with other numbers, or with text."
            )
        return classes.astype(np.int64), types.INT64
    if classes.dtype.kind == "f":
        return classes.astype(np.float64), types.DOUBLE
    if all(isinstance(label, str) for label in classes.tolist()):
        return classes.astype(object), types.STRING
    raise ValueError(
        f"classes_ = {classes} are neither numbers nor text, which is all that ONNX has for labels."
    )


def _told(model: Any, activation: str, output: str) -> dict[str, str]:
    """Return what stands in the model for those who find it alone."""
    names = getattr(model, "feature_names_in_", ())
    return {
        "fastmlp_version": fastmlp.__version__,
        "estimator": type(model).__name__,
        "activation": activation,
        "output": output,
        **({"feature_names": json.dumps(list(names))} if len(names) else {}),
    }
