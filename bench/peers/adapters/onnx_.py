"""ONNX Runtime: the network as a graph from bytes to labels, which it fuses and runs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.prediction import Predict, folded_weights
from bench.peers.problem import Form, Problem, Weights

OPSET, IR_VERSION = 18, 9  # old enough for every runtime of the last years


def _graph(onnx: Any, weights: Weights) -> bytes:
    """Serialize Cast, then Gemm and Relu by turns, then ArgMax."""
    helper, types = onnx.helper, onnx.TensorProto
    nodes = [helper.make_node("Cast", ["x"], ["a0"], to=types.FLOAT)]
    for i in range(len(weights)):
        nodes.append(helper.make_node("Gemm", [f"a{i}", f"W{i}", f"b{i}"], [f"z{i}"]))
        nodes.append(helper.make_node("Relu", [f"z{i}"], [f"a{i + 1}"]))
    logits = f"z{len(weights) - 1}"
    nodes[-1] = helper.make_node("ArgMax", [logits], ["labels"], axis=1, keepdims=0)
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", types.UINT8, ["n", weights[0][0].shape[0]])],
        [helper.make_tensor_value_info("labels", types.INT64, ["n"])],
        [
            onnx.numpy_helper.from_array(array, f"{name}{i}")
            for i, layer in enumerate(weights)
            for name, array in zip("Wb", layer, strict=True)
        ],
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def _labels(problem: Problem) -> Predict:
    onnx: Any = import_module("onnx")
    runtime: Any = import_module("onnxruntime")

    options = runtime.SessionOptions()
    options.intra_op_num_threads = problem.threads
    session = runtime.InferenceSession(
        _graph(onnx, folded_weights(problem)), options, providers=["CPUExecutionProvider"]
    )

    def predict(x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(session.run(None, {"x": x})[0])

    return predict


FORMS = (
    Form(
        "onnxruntime",
        "peer",
        "onnxruntime",
        "Cast, Gemm, Relu, Gemm, ArgMax, the scale in W",
        _labels,
        task="predict",
    ),
)
