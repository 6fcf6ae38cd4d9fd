"""Optax and JAX: an epoch is one jitted scan, the carry donated."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from digits import BATCH_SIZE, EPOCHS, LEARNING_RATE, load, report, weights

X, y, X_test, y_test = load()
data = jnp.asarray(X), jnp.asarray(y)
sgd = optax.sgd(LEARNING_RATE)


def forward(params: Any, x: Any) -> Any:
    """Logits (n, 10)."""
    (W1, b1), (W2, b2) = params
    return jax.nn.relu(x @ W1 + b1) @ W2 + b2


def loss(params: Any, x: Any, y: Any) -> Any:
    """Mean cross-entropy."""
    return optax.softmax_cross_entropy_with_integer_labels(forward(params, x), y).mean()


def scan(carry: Any, batches: Any, data: Any) -> Any:
    """Learn from the rows of each batch."""

    def step(carry: Any, rows: Any) -> tuple[Any, None]:
        params, state = carry
        grads = jax.grad(loss)(params, data[0][rows], data[1][rows])
        updates, state = sgd.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, carry, batches)[0]


epoch = jax.jit(scan, donate_argnums=0)

params = jax.tree.map(jnp.asarray, weights())
carry = params, sgd.init(params)
rng = np.random.default_rng(0)
for _ in range(EPOCHS):
    order = rng.permutation(len(X)).astype(np.int32)
    carry = epoch(carry, order.reshape(-1, BATCH_SIZE), data)
labels = jax.jit(lambda params, x: forward(params, x).argmax(axis=1))(carry[0], X_test)
report(np.asarray(labels), y_test)
