"""The loop of the PyTorch backend on a GPU: the step is captured once as a CUDA graph.

The formulas run while the graph is captured; from then on PyTorch launches what they launched, on
the same memory. So all that changes lies there: the carry, the orders, and the step's number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

from fastmlp.backends.ladder import Library, Unsupported
from fastmlp.backends.record import Body
from fastmlp.core.tree import tree_leaves, tree_map

WARM_UP = 2  # steps before the capture: libraries choose their ways, and take their memory

# capture(step, rewind, shared) calls step(shared) WARM_UP times, each after a rewind, captures it,
# and returns what runs it again, which keeps neither the step nor what is shared alive
Step = Callable[[Any], None]
Capture = Callable[[Step, Callable[[], Any], Any], Callable[[], None]]
Turns = Callable[[], AbstractContextManager[None]]


def torch_library(torch: Any, capture: Capture, turns: Turns = nullcontext) -> Library:
    """Describe PyTorch to its ladder."""

    def prepare(rung: str, f: Body, carry: Any, xs: Any, shared: Any) -> CapturedStep:
        return CapturedStep(torch, capture, turns, f, carry, xs, shared)

    return Library(
        "PyTorch",
        torch.Tensor,
        lambda tensor: int(tensor.data_ptr()),
        prepare,
        ("captured",),
    )


def cuda_capture(torch: Any) -> Capture:
    """Return the capture of CUDA graphs, on a side stream as PyTorch wants it."""

    def capture(step: Step, rewind: Callable[[], Any], shared: Any) -> Callable[[], None]:
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                rewind()
                step(shared)
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # what other threads do meanwhile, such as taking memory, is no part of it
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            step(shared)
        replay: Callable[[], None] = graph.replay
        return replay

    return capture


def cuda_turns(torch: Any) -> Turns:
    """Return what lets a stream wait for the one that used the memory of graphs before it."""
    ended: Any = None

    @contextmanager
    def turn() -> Iterator[None]:
        nonlocal ended
        current = torch.cuda.current_stream()
        if ended is not None:
            current.wait_event(ended)
        try:
            yield
        finally:
            ended = current.record_event()

    return turn


class CapturedStep:
    """A step on memory of its own, and what runs it again."""

    def __init__(
        self,
        torch: Any,
        capture: Capture,
        turns: Turns,
        f: Body,
        carry: Any,
        xs: Any,
        shared: Any,
    ) -> None:
        self._turns = turns
        self._carry, self._xs = tree_map(torch.clone, carry), xs.clone()
        self._number = torch.zeros(1, dtype=torch.int64, device=xs.device)
        self._columns: list[Any] = []  # values of all steps
        state = tree_leaves(self._carry)

        def step(shared: Any) -> None:
            x = self._xs.index_select(0, self._number)[0]
            after, ys = cast(Any, f(self._carry, x, shared))
            if not self._columns:
                self._columns += [y.new_empty((xs.shape[0], *y.shape)) for y in ys]
            for column, y in zip(self._columns, ys, strict=True):
                column.index_copy_(0, self._number, y[None])
            ends = [_apart(end, state) for end in tree_leaves(after)]
            for to, end in zip(state, ends, strict=True):
                if (to.shape, to.dtype) != (end.shape, end.dtype):
                    raise Unsupported("a carry that changes its shape or dtype")
                to.copy_(end)
            self._number += 1

        with turns():
            self._replay = capture(step, self._number.zero_, shared)

    def play(self, carry: Any, xs: Any) -> tuple[Any, tuple[Any, ...]]:
        """Run all steps."""
        with self._turns():
            for to, leaf in zip(tree_leaves(self._carry), tree_leaves(carry), strict=True):
                to.copy_(leaf)
            self._xs.copy_(xs)
            self._number.zero_()
            for _ in range(xs.shape[0]):
                self._replay()
            return tree_map(lambda leaf: leaf.clone(), self._carry), tuple(
                column.clone() for column in self._columns
            )


def _apart(end: Any, state: list[Any]) -> Any:
    """Keep what is an old value, or shows one, before another value takes its place."""
    addresses = [old.untyped_storage().data_ptr() for old in state]
    return end.clone() if end.untyped_storage().data_ptr() in addresses else end
