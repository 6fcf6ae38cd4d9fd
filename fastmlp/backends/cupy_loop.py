"""The loop of the CuPy backend, on two rungs above the formulas.

- "captured": few kernels and products (`cuda_plan`), captured as a CUDA graph and launched step by
  step; everything that changes, the step's number too, lies on the device.
- "fused": the same kernels and products, launched one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from itertools import zip_longest
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from fastmlp.backends.cublas import Cublas, loaded_library
from fastmlp.backends.cuda_plan import Plan, make_plan
from fastmlp.backends.cuda_source import OPTIONS, Kernel, write_kernels
from fastmlp.backends.ladder import Library, Unsupported
from fastmlp.backends.numpy_trace import Untraceable, trace
from fastmlp.backends.record import Body
from fastmlp.core.tree import tree_leaves, tree_map

CAPTURED, FUSED = "captured", "fused"
BLOCK = 128  # threads

Calls = list[Callable[[], Any]]


class CupySteps:
    """What prepares steps; it keeps the handle of cuBLAS, and the one stream of all steps.

    On one stream, graphs do not meet in the workspace of cuBLAS, and the memory of a step that is
    let go can be another one's at once.
    """

    def __init__(self, cupy: Any, precision: str) -> None:
        self.cupy, self.precision = cupy, precision
        self._stream: Any = None
        self._products: Cublas | None = None

    def library(self) -> Library:
        """Describe CuPy to its ladder."""
        return Library(
            "CuPy",
            self.cupy.ndarray,
            lambda array: int(array.data.ptr),
            self.prepare,
            (CAPTURED, FUSED),
        )

    def prepare(self, rung: str, f: Body, carry: Any, xs: Any, shared: Any) -> CupyStep:
        """Trace a step on arrays of zeros, which are never looked at, and write its kernels."""

        def blank(array: Any) -> Any:
            return np.zeros(array.shape, array.dtype.name)

        if not all(array.flags.c_contiguous for array in tree_leaves(shared)):
            raise Unsupported("arrays that are not in C order")
        x = np.zeros(xs.shape[1:], xs.dtype.name)
        try:
            with np.errstate(all="ignore"):
                found, answer = trace(f, tree_map(blank, carry), x, tree_map(blank, shared))
        except Untraceable as error:
            raise Unsupported(str(error)) from error
        plan = make_plan(found, len(tree_leaves(carry)), xs.shape[0])
        kernels = write_kernels(plan)
        if self._products is None:
            library = loaded_library(self.cupy)
            self._stream = self.cupy.cuda.Stream(non_blocking=True)
            with self._stream:
                products = Cublas(self.cupy, library, self.precision)
            products.use_stream(self._stream)
            self._products = products
        tree = tree_map(lambda leaf: None, answer)
        return CupyStep(
            self.cupy,
            plan,
            kernels,
            self._products,
            self._stream,
            shared,
            tree,
            is_captured=rung == CAPTURED,
        )


class Shared(NamedTuple):
    """Where the caller's data lie: calls need no more, and do not keep them from being freed."""

    data: Any  # with the attribute ptr
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, array: Any) -> Shared:
        """Remember an array's address."""
        return cls(SimpleNamespace(ptr=array.data.ptr), array.dtype)


class CupyStep:
    """A plan with its memory, and its calls in order."""

    def __init__(
        self,
        cupy: Any,
        plan: Plan,
        kernels: list[Kernel | None],
        products: Cublas,
        stream: Any,
        shared: Any,
        tree: Any,
        *,
        is_captured: bool,
    ) -> None:
        self.cupy, self.plan, self.products, self.tree = cupy, plan, products, tree
        self.is_captured = is_captured
        self._graph: Any = None
        self._stream = stream
        given = {
            number: Shared.of(array)
            for number, array in zip(plan.shared, tree_leaves(shared), strict=True)
        }
        with self._stream:
            self.arrays: list[Any] = [
                given.get(number) or cupy.full(slot.shape, slot.fill or 0, dtype=slot.dtype)
                for number, slot in enumerate(plan.slots)
            ]
        self.calls = self._bind(kernels)

    def play(self, carry: Any, xs: Any) -> tuple[Any, tuple[Any, ...]]:
        """Run all steps."""
        current, stream, plan = self.cupy.cuda.get_current_stream(), self._stream, self.plan
        ends = [self.arrays[slot] for slot in [*plan.carry, *(to for to, _ in plan.reports)]]
        # of the caller's stream, which knows when it is read and can be used again
        answers = [self.cupy.empty(end.shape, dtype=end.dtype) for end in ends]
        stream.wait_event(current.record())
        try:
            with stream:
                self._run(carry, xs)
                for to, end in zip(answers, ends, strict=True):
                    self.cupy.copyto(to, end)
        except BaseException:
            with suppress(Exception):  # what came in is being read
                current.wait_event(stream.record())
            raise
        current.wait_event(stream.record())
        leaves = iter(answers)
        answer: tuple[Any, tuple[Any, ...]] = tree_map(lambda _: next(leaves), self.tree)
        return answer

    def _run(self, carry: Any, xs: Any) -> None:
        self._load(carry, xs)
        if self.is_captured and self._graph is None:
            self._capture()
            self._load(carry, xs)
        for _ in range(xs.shape[0]):
            if self._graph is not None:
                self._graph.launch(self._stream)
            else:
                for call in self.calls:
                    call()

    def _load(self, carry: Any, xs: Any) -> None:
        for slot, leaf in zip(self.plan.carry, tree_leaves(carry), strict=True):
            self.cupy.copyto(self.arrays[slot], leaf)
        self.cupy.copyto(self.arrays[self.plan.x], xs)
        self.arrays[self.plan.number].fill(0)

    def _capture(self) -> None:
        for call in self.calls:  # libraries and kernels are loaded at their first call
            call()
        self._stream.synchronize()  # what fails by then was no fault of the capture
        try:
            self._stream.begin_capture()
            for call in self.calls:
                call()
            self._graph = self._stream.end_capture()
        except BaseException:  # an interrupt, too: the stream would go on capturing
            with suppress(Exception):  # it says no more than that the capture has failed
                self._stream.end_capture()
            raise

    def _bind(self, kernels: list[Kernel | None]) -> Calls:
        calls: Calls = []
        for kernel, stage in zip_longest(kernels, self.plan.stages):  # the last one ends the step
            if kernel:
                calls.append(self._launch(kernel))
            for a, b, out, is_sum in stage.products if stage else ():
                calls.append(self.products.bind_product(self.arrays, a, b, out, is_sum=is_sum))
        return calls

    def _launch(self, kernel: Kernel) -> Callable[[], Any]:
        module = self.cupy.RawModule(code=kernel.source, options=OPTIONS)
        function = module.get_function("kernel")
        arguments = tuple(np.uintp(self.arrays[slot].data.ptr) for slot in kernel.slots)
        grid = (math.ceil(kernel.n_threads / BLOCK),)
        return lambda: function(grid, (BLOCK,), arguments)
