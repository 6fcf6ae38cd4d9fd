"""PyTorch without automatic differentiation: every product and pass into memory kept for it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.problem import Contender, Form, Problem, Weights
from fastmlp.training import one_hot


class Buffers:
    """Activations, deltas and gradients of one batch, written again in each step."""

    def __init__(self, problem: Problem) -> None:
        torch: Any = import_module("torch")

        self.torch, self.problem = torch, problem
        sizes, n = problem.layer_sizes, problem.batch_size
        self.X = torch.from_numpy(problem.X * np.float32(problem.scale))
        self.y = torch.from_numpy(one_hot(problem.y, sizes[-1]).astype(np.float32))
        self.W = [torch.from_numpy(W.copy()) for W, _ in problem.weights]
        self.b = [torch.from_numpy(b.copy()) for _, b in problem.weights]
        self.a = [torch.empty((n, size)) for size in sizes]
        self.delta = [torch.empty((n, size)) for size in sizes]
        self.mask = [torch.empty((n, size)) for size in sizes]
        self.y_batch = torch.empty((n, sizes[-1]))
        self.dW = [torch.empty_like(W) for W in self.W]
        self.db = [torch.empty_like(b) for b in self.b]
        arrays = [*self.W, *self.b]
        self.m = [torch.zeros_like(array) for array in arrays]
        self.v = [torch.zeros_like(array) for array in arrays]
        self.t = 0

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Train batch by batch."""
        with self.torch.inference_mode():
            self._train(orders)

    def _train(self, orders: Sequence[NDArray[Any]]) -> None:
        for order in orders:
            for rows in self.torch.from_numpy(order).split(self.problem.batch_size):
                self._step(rows)

    def _step(self, rows: Any) -> None:
        torch, a, delta = self.torch, self.a, self.delta
        torch.index_select(self.X, 0, rows, out=a[0])
        torch.index_select(self.y, 0, rows, out=self.y_batch)
        last = len(self.W) - 1
        for i, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            torch.addmm(b, a[i], W, out=a[i + 1])
            if i < last:
                a[i + 1].relu_()
        torch.softmax(a[-1], 1, out=delta[-1])
        delta[-1].sub_(self.y_batch).div_(a[0].shape[0])
        for i in range(last, -1, -1):
            torch.mm(a[i].T, delta[i + 1], out=self.dW[i])
            torch.sum(delta[i + 1], 0, out=self.db[i])
            if i:
                torch.mm(delta[i + 1], self.W[i].T, out=delta[i])
                delta[i].mul_(torch.sign(a[i], out=self.mask[i]))
        self._update()

    def _update(self) -> None:
        torch, (name, rate) = self.torch, self.problem.optimization
        arrays, grads = [*self.W, *self.b], [*self.dW, *self.db]
        self.t += 1
        if name == "sgd":
            torch._foreach_add_(arrays, grads, alpha=-rate)
        elif name == "momentum":
            torch._foreach_mul_(self.v, 0.9)
            torch._foreach_add_(self.v, grads, alpha=-rate)
            torch._foreach_add_(arrays, self.v)
        else:
            scaled = rate * (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t)
            torch._foreach_lerp_(self.m, grads, 0.1)
            torch._foreach_mul_(self.v, 0.999)
            torch._foreach_addcmul_(self.v, grads, grads, value=0.001)
            root = torch._foreach_sqrt(self.v)
            torch._foreach_add_(root, 1e-8)
            torch._foreach_addcdiv_(arrays, self.m, root, value=-scaled)

    def weights(self) -> Weights:
        """Return the arrays themselves."""
        return [(W.numpy(), b.numpy()) for W, b in zip(self.W, self.b, strict=True)]


def _make(problem: Problem) -> Contender:
    return Buffers(problem)


FORMS = (Form("torch:manual", "peer", "torch", "written by hand with out=, float32 data", _make),)
