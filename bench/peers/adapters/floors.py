"""The least that a step must do on a CPU: its matrix products alone, on data that are there.

A floor trains nothing. It is no hard limit either: other libraries' products may be faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.problem import Contender, Form, Problem, Weights


class Products:
    """Products of a forward and a backward pass over n rows, into memory kept for them."""

    def __init__(self, sizes: Sequence[int], n: int, array: Any = np.asarray) -> None:
        rng = np.random.default_rng(0)

        def draw(*shape: int) -> Any:
            return array(rng.normal(size=shape).astype(np.float32))

        self.W = [draw(n_in, n_out) for n_in, n_out in pairwise(sizes)]
        self.a = [draw(n, size) for size in sizes]
        self.out = [draw(n, size) for size in sizes]
        self.dW = [draw(n_in, n_out) for n_in, n_out in pairwise(sizes)]

    def compute(self, matmul: Any) -> None:
        """``matmul(a, b, out=c)``: z = a W, dW = a^T delta, and delta W^T but at the input."""
        for a, W, z in zip(self.a, self.W, self.out[1:], strict=False):
            matmul(a, W, out=z)
        for i in range(len(self.W) - 1, -1, -1):
            matmul(self.a[i].T, self.a[i + 1], out=self.dW[i])
            if i:
                matmul(self.a[i + 1], self.W[i].T, out=self.out[i])


class Floor:
    """As many times the products as there are batches."""

    def __init__(self, problem: Problem, compute: Any) -> None:
        self.batch_size, self.compute = problem.batch_size, compute

    def run(self, orders: Sequence[NDArray[Any]]) -> None:
        """Compute the products of every batch."""
        for _ in range(sum(order.size // self.batch_size for order in orders)):
            self.compute()

    def weights(self) -> Weights:
        """Say that nothing is learnt."""
        raise NotImplementedError("a floor trains nothing")


def _blas(problem: Problem) -> Contender:
    products = Products(problem.layer_sizes, problem.batch_size)
    return Floor(problem, partial(products.compute, np.matmul))


def _split(problem: Problem) -> Contender:
    """Give each thread its rows of the batch, and BLAS one thread in each."""
    from threadpoolctl import threadpool_limits

    limits = threadpool_limits(1)
    n_rows = -(-problem.batch_size // problem.threads)
    parts = [Products(problem.layer_sizes, n_rows) for _ in range(problem.threads)]
    pool = ThreadPoolExecutor(problem.threads)

    def compute(keep: Any = limits) -> None:
        list(pool.map(lambda part: part.compute(np.matmul), parts))

    return Floor(problem, compute)


def _torch(problem: Problem) -> Contender:
    torch: Any = import_module("torch")

    products = Products(problem.layer_sizes, problem.batch_size, torch.from_numpy)
    return Floor(problem, partial(products.compute, torch.mm))


FORMS = (
    Form("floor:blas", "floor", "numpy", "NumPy's BLAS", _blas),
    Form("floor:split", "floor", "numpy", "the batch split over the threads", _split),
    Form("floor:torch", "floor", "torch", "torch.mm", _torch),
)
