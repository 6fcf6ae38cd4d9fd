"""thinc with its NumPy operations, as its documentation trains: begin_update, backprop, finish."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.prediction import Predict, folded_weights
from bench.peers.problem import Contender, Form, Problem, Unsupported, Weights
from fastmlp.training import one_hot


class Chain:
    """Layers with the problem's weights; thinc keeps W as (fan_out, fan_in)."""

    def __init__(self, problem: Problem) -> None:
        if problem.optimization.name == "momentum":
            raise Unsupported("thinc has no momentum")
        thinc: Any = import_module("thinc.api")
        self.batch_size = problem.batch_size
        self.X = problem.X * np.float32(problem.scale)
        self.y = one_hot(problem.y, problem.layer_sizes[-1]).astype(np.float32)
        self.model = _model(thinc, problem.weights)
        rate = problem.optimization.learning_rate
        plain = {"L2": 0.0, "grad_clip": 0.0, "use_averages": False}
        self.optimizer = (
            thinc.Adam(rate, beta1=0.9, beta2=0.999, eps=1e-8, **plain)
            if problem.optimization.name == "adam"
            else thinc.SGD(rate, **plain)
        )

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Train batch by batch."""
        for order in orders:
            for rows in order.reshape(-1, self.batch_size):
                p, backprop = self.model.begin_update(self.X[rows])
                backprop((p - self.y[rows]) / np.float32(self.batch_size))
                self.model.finish_update(self.optimizer)

    def weights(self) -> Weights:
        """Turn them back."""
        return [(layer.get_param("W").T, layer.get_param("b")) for layer in self.model.layers]


def _model(thinc: Any, weights: Weights) -> Any:
    thinc.set_current_ops(thinc.NumpyOps())
    hidden = [thinc.Relu(n_out, n_in) for n_in, n_out in (W.shape for W, _ in weights[:-1])]
    n_in, n_out = weights[-1][0].shape
    model = thinc.chain(*hidden, thinc.Softmax(n_out, n_in))
    model.initialize()
    for layer, (W, b) in zip(model.layers, weights, strict=True):
        layer.set_param("W", np.ascontiguousarray(W.T))
        layer.set_param("b", b.copy())
    return model


def _make(problem: Problem) -> Contender:
    return Chain(problem)


def _labels(problem: Problem) -> Predict:
    model = _model(import_module("thinc.api"), folded_weights(problem))
    return lambda x: np.asarray(model.predict(x.astype(np.float32)).argmax(axis=1))


FORMS = (
    Form("thinc", "peer", "thinc", "NumpyOps, float32 data", _make),
    Form("thinc", "peer", "thinc", "NumpyOps, the scale in W", _labels, task="predict"),
)
