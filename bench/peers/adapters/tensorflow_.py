"""TensorFlow without Keras: an epoch is a loop inside one tf.function, updates are fused ops."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.problem import Contender, Form, Problem, Weights


class Loop:
    """Variables, and the program of an epoch."""

    def __init__(self, jit: bool, problem: Problem) -> None:
        tf: Any = import_module("tensorflow")

        self.tf, self.batch_size = tf, problem.batch_size
        X = tf.constant(problem.X * np.float32(problem.scale))
        y = tf.constant(problem.y.astype(np.int32))
        self.W = [tf.Variable(W) for W, _ in problem.weights]
        self.b = [tf.Variable(b) for _, b in problem.weights]
        variables = [*self.W, *self.b]
        update = _update(tf, problem, variables)

        def step(rows: Any) -> None:
            with tf.GradientTape() as tape:
                a = tf.gather(X, rows)
                for i, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
                    a = tf.nn.bias_add(tf.matmul(a, W), b)
                    a = tf.nn.relu(a) if i < len(self.W) - 1 else a
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(y, rows), a)
                loss = tf.reduce_mean(losses)
            update(tape.gradient(loss, variables))

        @tf.function(jit_compile=jit, autograph=False)  # type: ignore[untyped-decorator]
        def epoch(batches: Any) -> None:
            def body(i: Any) -> tuple[Any]:
                step(batches[i])
                return (i + 1,)

            n_batches = tf.shape(batches)[0]
            tf.while_loop(lambda i: i < n_batches, body, (tf.constant(0),))

        self.epoch: Any = epoch

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Run the program once an epoch; on a CPU it returns when it is done."""
        for order in orders:
            self.epoch(self.tf.constant(order.reshape(-1, self.batch_size)))

    def weights(self) -> Weights:
        """Fetch the variables."""
        return [(W.numpy(), b.numpy()) for W, b in zip(self.W, self.b, strict=True)]


def _update(tf: Any, problem: Problem, variables: list[Any]) -> Any:
    """TensorFlow's own update operations, one per variable."""
    name, rate = problem.optimization
    ops, handles = tf.raw_ops, [variable.handle for variable in variables]
    slots = [[tf.Variable(tf.zeros_like(v)) for v in variables] for _ in range(2)]
    powers = tf.Variable(1.0), tf.Variable(1.0)

    def sgd(grads: list[Any]) -> None:
        for handle, g in zip(handles, grads, strict=True):
            ops.ResourceApplyGradientDescent(var=handle, alpha=rate, delta=g)

    def momentum(grads: list[Any]) -> None:
        for handle, slot, g in zip(handles, slots[0], grads, strict=True):
            ops.ResourceApplyKerasMomentum(
                var=handle, accum=slot.handle, lr=rate, grad=g, momentum=0.9
            )

    def adam(grads: list[Any]) -> None:
        power1, power2 = powers[0].assign(powers[0] * 0.9), powers[1].assign(powers[1] * 0.999)
        for handle, m, v, g in zip(handles, *slots, grads, strict=True):
            ops.ResourceApplyAdam(
                var=handle,
                m=m.handle,
                v=v.handle,
                beta1_power=power1,
                beta2_power=power2,
                lr=rate,
                beta1=0.9,
                beta2=0.999,
                epsilon=1e-8,
                grad=g,
            )

    return {"sgd": sgd, "momentum": momentum, "adam": adam}[name]


def _make(jit: bool, problem: Problem) -> Contender:
    return Loop(jit, problem)


FORMS = (
    Form(
        "tf:loop",
        "peer",
        "tensorflow",
        "a loop in a tf.function, float32 data",
        partial(_make, False),
    ),
    Form("tf:loop-jit", "peer", "tensorflow", "the same, compiled by XLA", partial(_make, True)),
)
