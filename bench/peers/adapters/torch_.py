"""PyTorch as its performance guide says, with automatic differentiation.

"tuned" is eager with a fused optimizer and gradients set to None; "compile" has loss, gradient
and update in ``torch.compile``. Rows are taken with index_select, faster than X[rows] and than
a DataLoader.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bench.peers.prediction import Predict, folded_weights
from bench.peers.problem import Contender, Form, Problem, Weights


class Network:
    """Linear layers with the problem's weights, and an optimizer."""

    def __init__(self, mode: str, problem: Problem) -> None:
        torch: Any = import_module("torch")

        self.torch, self.batch_size = torch, problem.batch_size
        self.X = torch.from_numpy(problem.X * np.float32(problem.scale))
        self.y = torch.from_numpy(problem.y)
        self.model = model = _model(torch, problem.weights)
        self.linear = model[::2]
        rate = problem.optimization.learning_rate
        optimizer: Any = {
            "sgd": partial(torch.optim.SGD, lr=rate),
            "momentum": partial(torch.optim.SGD, lr=rate, momentum=0.9),
            "adam": partial(torch.optim.Adam, lr=rate, betas=(0.9, 0.999), eps=1e-8),
        }[problem.optimization.name](model.parameters(), fused=True)

        def step(x: Any, y: Any) -> None:
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        self.step: Any = torch.compile(step) if mode == "compile" else step

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Train batch by batch."""
        for order in orders:
            for rows in self.torch.split(self.torch.from_numpy(order), self.batch_size):
                self.step(self.X.index_select(0, rows), self.y.index_select(0, rows))

    def weights(self) -> Weights:
        """Turn them back."""
        return [
            (layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in self.linear
        ]


def _model(torch: Any, weights: Weights) -> Any:
    """Linear layers with these weights, ReLU between them."""
    modules: list[Any] = []
    for W, b in weights:
        layer = torch.nn.Linear(*W.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(W.T))
            layer.bias.copy_(torch.from_numpy(b))
        modules += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def _make(mode: str, problem: Problem) -> Contender:
    return Network(mode, problem)


def _labels(problem: Problem) -> Predict:
    torch: Any = import_module("torch")
    model = _model(torch, folded_weights(problem)).eval()

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def predict(x: NDArray[Any]) -> Any:
        return model(torch.from_numpy(x).float()).argmax(1).numpy()

    return cast(Predict, predict)


FORMS = (
    *(
        Form(f"torch:{mode}", "peer", "torch", description, partial(_make, mode))
        for mode, description in (
            ("tuned", "eager, fused optimizer, float32 data"),
            ("compile", "the whole step in torch.compile, float32 data"),
        )
    ),
    Form(
        "torch:eval",
        "peer",
        "torch",
        "eager in inference_mode, the scale in W",
        _labels,
        task="predict",
    ),
)
