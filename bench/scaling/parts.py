"""A NumPy step taken apart: each of its calls timed where it stands, by what it is for.

The calls are those that ``fastmlp:numpy`` makes, on the same arrays; only the clock is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

from bench.peers.adapters.fastmlp_ import Epochs
from bench.peers.problem import Problem, Unsupported
from fastmlp.backends import get_backend
from fastmlp.backends.numpy_loop import bound, traced_scan

KINDS = ("gather", "cast and scale", "products", "elementwise", "update")
NAMES = {"take": "gather", "matmul": "products"}
UPDATE = ("multiply", "subtract")  # of SGD


class Parts(Epochs):
    """A contender that knows what it spent its time on."""

    def __init__(self, problem: Problem) -> None:
        if problem.optimization.name != "sgd":
            raise Unsupported("the parts of a step are told apart for SGD only")
        self.spent_s = dict.fromkeys(KINDS, 0.0)
        self.problem = problem
        self.is_first = True  # of the step: no product has been seen yet
        numpy = get_backend("numpy")
        super().__init__(replace(numpy, scan=traced_scan(numpy.xp, self._timed)), problem)

    def _timed(self, node: Any, operands: list[Any], out: Any) -> Callable[[], None]:
        call, spent_s, kind = bound(node, operands, out), self.spent_s, self._kind(node)

        def timed() -> None:
            started = perf_counter()
            call()
            spent_s[kind] += perf_counter() - started

        return timed

    def _kind(self, node: Any) -> str:
        shapes = [array.shape for layer in self.problem.weights for array in layer]
        if node.kind == "take":  # a step begins with it
            self.is_first = True
        if node.kind == "matmul":
            self.is_first = False
        if self.is_first and node.kind in ("astype", "multiply"):
            return "cast and scale"
        if node.kind in UPDATE and node.shape in shapes:
            return "update"
        return NAMES.get(node.kind, "elementwise")
