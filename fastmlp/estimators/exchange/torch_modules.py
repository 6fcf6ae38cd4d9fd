"""To PyTorch's modules."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from fastmlp.core.further import SLOPE
from fastmlp.estimators.exchange.errors import library
from fastmlp.estimators.exchange.network import network_of

# Name of an activation or an output -> its module in torch.nn and what that is made with.
MODULES: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("ReLU", {}),
    "tanh": ("Tanh", {}),
    "logistic": ("Sigmoid", {}),
    "leaky_relu": ("LeakyReLU", {"negative_slope": SLOPE}),
    "elu": ("ELU", {}),
    "gelu": ("GELU", {"approximate": "tanh"}),
    "silu": ("SiLU", {}),
    "softplus": ("Softplus", {"threshold": 40.0}),  # beyond it z: no digit of float64 is lost
    "softmax": ("Softmax", {"dim": 1}),
}


def to_torch(model: Any) -> Any:
    """Return a torch.nn.Sequential of a model; see `Exchange.to_torch`."""
    torch = library("torch", "torch", "to_torch")
    layers, activation, output, dtype = network_of(model)
    modules: list[Any] = []
    behind = [activation] * (len(layers) - 1) + [output]
    for (W, b), name in zip(layers, behind, strict=True):
        n_in, n_out = W.shape
        linear = torch.nn.Linear(n_in, n_out, dtype=getattr(torch, dtype))
        with torch.no_grad():
            linear.weight.copy_(torch.as_tensor(np.array(W).T))
            linear.bias.copy_(torch.as_tensor(np.array(b)))
        modules.append(linear)
        if name == "exp":
            modules.append(_exp()())
        elif name != "identity":
            kind, settings = MODULES[name]
            modules.append(getattr(torch.nn, kind)(**settings))
    return torch.nn.Sequential(*modules).eval()


@cache
def _exp() -> Any:
    """Make the module that torch.nn lacks."""
    torch = library("torch", "torch", "to_torch")

    def forward(self: Any, z: Any) -> Any:
        return torch.exp(z)

    return type("Exp", (torch.nn.Module,), {"forward": forward, "__module__": __name__})


def __getattr__(name: str) -> Any:
    """Let pickle find Exp, which is made when PyTorch is there."""
    if name == "Exp":
        return _exp()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
