"""JAX without Optax: the forward pass as its users write it, jitted."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.prediction import Predict, folded_weights
from bench.peers.problem import Form, Problem


def _labels(problem: Problem) -> Predict:
    jax: Any = import_module("jax")
    jnp: Any = import_module("jax.numpy")

    params = jax.tree.map(jnp.array, folded_weights(problem))

    @jax.jit  # type: ignore[untyped-decorator]
    def labels(params: Any, x: Any) -> Any:
        *hidden, (W, b) = params
        a = x.astype(jnp.float32)
        for W_hidden, b_hidden in hidden:
            a = jax.nn.relu(a @ W_hidden + b_hidden)
        return jnp.argmax(a @ W + b, axis=1)

    def predict(x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(labels(params, x))

    return predict


FORMS = (
    Form("jax:jit", "peer", "jax", "one jitted function, the scale in W", _labels, task="predict"),
)
