"""Optax and JAX, as Optax's documentation trains: value_and_grad, update, apply_updates, jit.

"step" is one jitted step per batch; "scan" puts the epoch into one program, as JAX recommends
for loops; "scan8T" keeps the data as bytes and the weights as (fan_out, fan_in).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.problem import Contender, Form, Problem, Weights


class Epochs:
    """Weights and optimizer's state on the device; ``mode`` is the form's name."""

    def __init__(self, mode: str, problem: Problem) -> None:
        jax: Any = import_module("jax")
        jnp: Any = import_module("jax.numpy")
        optax: Any = import_module("optax")

        self.jax, self.jnp, self.batch_size = jax, jnp, problem.batch_size
        self.turned, self.scanned = mode == "scan8T", mode != "step"
        rate = problem.optimization.learning_rate
        transformation = {
            "sgd": lambda: optax.sgd(rate),
            "momentum": lambda: optax.sgd(rate, momentum=0.9),
            "adam": lambda: optax.adam(rate, b1=0.9, b2=0.999, eps=1e-8),
        }[problem.optimization.name]()
        weights = [(W.T if self.turned else W, b) for W, b in problem.weights]
        params = jax.tree.map(jnp.array, weights)
        self.carry = params, transformation.init(params)
        X = problem.X if self.turned else problem.X * np.float32(problem.scale)
        self.data = jnp.asarray(X), jnp.asarray(problem.y, dtype=jnp.int32)

        def loss(params: Any, x: Any, y: Any) -> Any:
            a = x * jnp.float32(problem.scale) if self.turned else x
            for i, (W, b) in enumerate(params):
                a = (a @ W.T if self.turned else a @ W) + b
                a = jax.nn.relu(a) if i < len(params) - 1 else a
            return optax.softmax_cross_entropy_with_integer_labels(a, y).mean()

        def step(carry: Any, rows: Any, data: Any) -> tuple[Any, Any]:
            params, state = carry
            X, y = data
            value, grads = jax.value_and_grad(loss)(params, X[rows], y[rows])
            updates, state = transformation.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), value

        def epoch(carry: Any, order: Any, data: Any) -> tuple[Any, Any]:
            scanned: tuple[Any, Any] = jax.lax.scan(
                lambda c, rows: step(c, rows, data), carry, order
            )
            return scanned

        self.program = jax.jit(epoch if self.scanned else step, donate_argnums=0)

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Start epochs or steps one after the other, and wait for the last."""
        for order in orders:
            batches = self.jnp.asarray(order.reshape(-1, self.batch_size))
            for rows in [batches] if self.scanned else batches:
                self.carry, _ = self.program(self.carry, rows, self.data)
        self.jax.block_until_ready(self.carry)

    def weights(self) -> Weights:
        """Turn them back."""
        return [
            (np.asarray(W).T if self.turned else np.asarray(W), np.asarray(b))
            for W, b in self.carry[0]
        ]


def _make(mode: str, problem: Problem) -> Contender:
    return Epochs(mode, problem)


FORMS = tuple(
    Form(f"optax:{mode}", "peer", "optax", description, partial(_make, mode))
    for mode, description in (
        ("step", "a jitted step, float32 data"),
        ("scan", "an epoch is one scan, float32 data"),
        ("scan8T", "an epoch is one scan, uint8 data, W as (fan_out, fan_in)"),
    )
)
