"""The loop of the CuPy backend: a ladder, from a captured step down to the step as it is written.

- "captured": few kernels and products (`cuda_plan`), captured as a CUDA graph and launched step by
  step; everything that changes, the step's number too, lies on the device.
- "fused": the same kernels and products, launched one by one.
- "plain": CuPy runs each operation of the formulas.

A rung that fails is left for good, with a warning that says why, and the loop is run again from its
start on the next one: nothing that came in has been written to.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import zip_longest
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from fastmlp.backends.cublas import Cublas, loaded_library
from fastmlp.backends.cuda_plan import Plan, make_plan
from fastmlp.backends.cuda_source import OPTIONS, Kernel, write_kernels
from fastmlp.backends.cuda_stages import Unsupported
from fastmlp.backends.numpy_trace import Untraceable, trace
from fastmlp.backends.record import Body, Rung, python_scan
from fastmlp.core.tree import tree_leaves, tree_map

CAPTURED, FUSED, PLAIN = RUNGS = ("captured", "fused", "plain")
SHORT = 3  # a loop of fewer steps is not worth the preparations
BLOCK = 128  # threads

Calls = list[Callable[[], Any]]


class Ladder:
    """The scan of a record, and the rung on which it stands."""

    def __init__(self, cupy: Any, xp: Any, precision: str) -> None:
        self.cupy, self.precision = cupy, precision
        self.rung = Rung(CAPTURED, "")  # of the last loop
        self._highest = self.rung  # that has not failed
        self._as_written = python_scan(xp)
        self._players: WeakKeyDictionary[Any, dict[Any, Player | str]] = WeakKeyDictionary()
        self._products: Cublas | None = None

    def scan(self, f: Body, carry: Any, xs: Any, shared: Any) -> tuple[Any, tuple[Any, ...]]:
        """Run the loop on the highest rung that works."""
        leaves = tree_leaves((carry, xs, shared))
        is_long = xs.shape[0] >= SHORT and all(isinstance(x, self.cupy.ndarray) for x in leaves)
        while is_long and self._highest.name != PLAIN:
            try:
                player = self._player(f, carry, xs, shared)
                if isinstance(player, str):
                    self.rung = Rung(PLAIN, player)
                    break
                self.rung = self._highest
                return player.play(carry, xs)
            except self.cupy.cuda.memory.OutOfMemoryError:
                raise
            except Exception as error:
                self._step_down(f"{type(error).__name__}: {error}")
        return self._as_written(f, carry, xs, shared)

    def _step_down(self, error: str) -> None:
        """Leave a rung, for all loops to come."""
        failed = self._highest
        lower = RUNGS[RUNGS.index(failed.name) + 1]
        reason = "; ".join(filter(None, [failed.reason, f"{failed.name} failed with {error}"]))
        self.rung = self._highest = Rung(lower, reason)
        self._players.clear()
        _warn(f"CuPy trains on its rung {lower!r} from now on: {failed.name} failed with {error}")

    def _player(self, f: Body, carry: Any, xs: Any, shared: Any) -> Player | str:
        """Return what plays f on such arrays, or why nothing does."""
        arrays = tree_leaves((carry, xs, shared))
        key = tuple((array.shape, array.dtype.name) for array in arrays)
        known = self._players.setdefault(f, {})
        player = known.get(key)
        if isinstance(player, Player) and not player.reads(tree_leaves(shared)):
            player = None  # of other data of the same shape
        if player is None:
            player = known[key] = self._prepare(f, carry, xs, shared)
        return player

    def _prepare(self, f: Body, carry: Any, xs: Any, shared: Any) -> Player | str:
        def blank(array: Any) -> Any:
            return np.zeros(array.shape, array.dtype.name)

        x = np.zeros(xs.shape[1:], xs.dtype.name)
        try:
            with np.errstate(all="ignore"):
                found, answer = trace(f, tree_map(blank, carry), x, tree_map(blank, shared))
            plan = make_plan(found, len(tree_leaves(carry)), xs.shape[0])
            kernels = write_kernels(plan)
        except (Untraceable, Unsupported) as error:
            _warn(f"CuPy runs a step operation by operation: it has {error}, no kernel for that")
            return f"no kernel for {error}"
        if self._products is None:
            self._products = Cublas(self.cupy, loaded_library(self.cupy), self.precision)
        tree = tree_map(lambda leaf: None, answer)
        is_captured = self._highest.name == CAPTURED
        return Player(self.cupy, plan, kernels, self._products, shared, tree, is_captured)


class Player:
    """A plan with its memory, and its calls in order."""

    def __init__(
        self,
        cupy: Any,
        plan: Plan,
        kernels: list[Kernel | None],
        products: Cublas,
        shared: Any,
        tree: Any,
        is_captured: bool,
    ) -> None:
        self.cupy, self.plan, self.products, self.tree = cupy, plan, products, tree
        self.is_captured = is_captured
        self._graph: Any = None
        self._stream = cupy.cuda.Stream(non_blocking=True)
        given = dict(zip(plan.shared, tree_leaves(shared), strict=True))
        with self._stream:
            self.arrays = [given.get(number) for number in range(len(plan.slots))]
            for number, slot in enumerate(plan.slots):
                if number not in given:
                    self.arrays[number] = cupy.full(slot.shape, slot.fill or 0, dtype=slot.dtype)
        self.calls = self._bind(kernels)

    def reads(self, shared: list[Any]) -> bool:
        """Tell whether these are the arrays that the calls have the addresses of."""
        mine = [self.arrays[number] for number in self.plan.shared]
        return all(a.data.ptr == b.data.ptr for a, b in zip(mine, shared, strict=True))

    def play(self, carry: Any, xs: Any) -> tuple[Any, tuple[Any, ...]]:
        """Run all steps."""
        current, stream, plan = self.cupy.cuda.get_current_stream(), self._stream, self.plan
        stream.wait_event(current.record())
        self.products.use_stream(stream)
        with stream:
            self._load(carry, xs)
            if self.is_captured and self._graph is None:
                self._capture()
                self._load(carry, xs)
            for _ in range(xs.shape[0]):
                if self._graph is not None:
                    self._graph.launch(stream)
                else:
                    for call in self.calls:
                        call()
            of_all_steps = [to for to, _ in plan.reports]
            leaves = iter([self.arrays[slot].copy() for slot in [*plan.carry, *of_all_steps]])
        current.wait_event(stream.record())
        answer: tuple[Any, tuple[Any, ...]] = tree_map(lambda _: next(leaves), self.tree)
        return answer

    def _load(self, carry: Any, xs: Any) -> None:
        for slot, leaf in zip(self.plan.carry, tree_leaves(carry), strict=True):
            self.cupy.copyto(self.arrays[slot], leaf)
        self.cupy.copyto(self.arrays[self.plan.x], xs)
        self.arrays[self.plan.number].fill(0)

    def _capture(self) -> None:
        for call in self.calls:  # libraries and kernels are loaded at their first call
            call()
        self._stream.synchronize()
        self._stream.begin_capture()
        try:
            for call in self.calls:
                call()
        except Exception:
            with suppress(Exception):  # it says no more than that the capture has failed
                self._stream.end_capture()
            raise
        self._graph = self._stream.end_capture()

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
        arguments = tuple(self.arrays[slot] for slot in kernel.slots)
        grid = (math.ceil(kernel.n_threads / BLOCK),)
        return lambda: function(grid, (BLOCK,), arguments)


def _warn(text: str) -> None:
    warnings.warn(f"{text}.", RuntimeWarning, stacklevel=2)
