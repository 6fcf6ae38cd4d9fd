"""The loop of the NumPy backend: traced once, then played into memory that is kept for it.

A step of a small network spends most of its time between NumPy's calls, and a step of a larger one
asks for the same memory again and again. So the body of a loop is traced (`numpy_trace`), and a
plan is made of where each result lies: on top of an operand that nobody needs any more, if it can
be, as an update then happens in the parameters themselves. To play a step is to go through a list
of NumPy calls, the same calls in the same order as the formulas make, so the numbers are the same
(only powers of numbers without dimensions NumPy computes in another way, to the last digit).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from fastmlp.backends.numpy_trace import Node, Ref, Trace, trace
from fastmlp.backends.record import Body, python_scan
from fastmlp.core.tree import tree_leaves, tree_map

Arrays = list[Any]
SHORT = 3  # a loop of fewer steps is not worth the preparations
FOREVER = 1 << 60


class Slot(NamedTuple):
    """Memory for one array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Plan(NamedTuple):
    """Where each array of a trace lies."""

    trace: Trace
    slots: list[Slot]  # the inputs' first
    slot_of: dict[int, int]  # of the nodes that are no views
    tree: Any  # of the answer


def bound(node: Node, operands: list[Any], out: Any) -> Callable[[], Any]:
    """Return the call of a node with the arrays that it reads and writes."""
    if node.elementwise and node.shape == ():  # NumPy is slower on arrays without dimensions
        operands = [x.reshape(1) if isinstance(x, np.ndarray) else x for x in operands]
        out = out.reshape(1)
    call: Callable[[], Any] = node.make(operands, out)
    return call


def traced_scan(xp: Any, bind: Any = bound) -> Callable[..., tuple[Any, tuple[Any, ...]]]:
    """Return the scan of a record whose namespace is xp; plans are kept as long as their f.

    Whoever wants to know how long each call takes gives a ``bind`` that returns timed ones.
    """
    as_written = python_scan(xp)
    plans: WeakKeyDictionary[Any, dict[Any, Plan | None]] = WeakKeyDictionary()

    def scan(f: Body, carry: Any, xs: Any, shared: Any) -> tuple[Any, tuple[Any, ...]]:
        leaves = tree_leaves((carry, xs, shared))
        if len(xs) < SHORT or not all(isinstance(leaf, np.ndarray | np.generic) for leaf in leaves):
            return as_written(f, carry, xs, shared)
        # the loop's own memory: whether an index or a shape is a view depends on how it lies
        own, x = tree_map(lambda leaf: np.array(leaf, order="C"), (carry, xs[0]))
        arrays = [np.asarray(leaf) for leaf in tree_leaves((own, x, shared))]
        key = tuple((array.shape, array.strides, array.dtype) for array in arrays)
        known = plans.setdefault(f, {})
        if key not in known:
            known[key] = _plan(f, own, x, shared)
        plan = known[key]
        if plan is None:
            return as_written(f, carry, xs, shared)
        return _play(plan, bind, own, xs, shared)

    return scan


def _plan(f: Body, carry: Any, x: Any, shared: Any) -> Plan | None:
    """Trace f and say where its arrays lie; None if it has to run as it is written."""
    try:
        found, answer = trace(f, carry, x, shared)
    except Exception:
        return None  # where f itself is at fault, running it will tell
    nodes, outputs = found
    start = tree_leaves(carry)
    ends = outputs[: len(start)]
    kinds = [(np.shape(leaf), np.asarray(leaf).dtype) for leaf in start]
    if [_kind(nodes, end) for end in ends] != kinds or len(tree_leaves(answer[0])) != len(start):
        return None
    slots, slot_of = _place(found, len(start))
    return Plan(found, slots, slot_of, tree_map(lambda leaf: None, answer))


def _kind(nodes: list[Node], output: Any) -> tuple[Any, Any]:
    """Shape and dtype of an output."""
    if isinstance(output, Ref):
        return nodes[output].shape, nodes[output].dtype
    return np.shape(output), np.asarray(output).dtype


def _root(nodes: list[Node], number: int) -> int:
    """Return the node whose memory a view shows."""
    while nodes[number].kind == "view":
        number = nodes[number].operands[0]
    return number


def _place(found: Trace, n_carry: int) -> tuple[list[Slot], dict[int, int]]:
    """Give each array a slot; of the inputs, only the carry's may be written over."""
    nodes, last_use = found.nodes, _last_uses(found)
    slots: list[Slot] = []
    slot_of: dict[int, int] = {}
    for number, node in enumerate(nodes):
        if node.kind == "input":
            slot_of[number] = len(slots)
            slots.append(Slot(node.shape, node.dtype))
    n_inputs, free = len(slots), list[int]()
    for number, node in enumerate(nodes):
        if not node.is_call:
            continue
        wanted = Slot(node.shape, node.dtype)
        refs = [operand for operand in node.operands if isinstance(operand, Ref)]
        # on top of an operand that is read for the last time: the carry's first, it is kept so
        ending = [ref for ref in refs if ref in slot_of and last_use[ref] == number]
        over = sorted(slot_of[ref] for ref in ending if node.elementwise)
        over = [slot for slot in over if slot < n_carry or slot >= n_inputs]
        fits = [slot for slot in [*over, *free] if slots[slot] == wanted]
        mine = fits[0] if fits else len(slots)
        if not fits:
            slots.append(wanted)
        slot_of[number] = mine
        ended = {slot_of[root] for ref in refs if last_use[root := _root(nodes, ref)] == number}
        if number not in last_use:  # computed in vain
            ended.add(mine)
        else:
            ended.discard(mine)
        free = [slot for slot in free if slot != mine]
        free += sorted(slot for slot in ended if slot >= n_inputs)
    return slots, slot_of


def _last_uses(found: Trace) -> dict[int, int]:
    """Return which call reads a node's memory last, itself or by a view of it."""
    last_use: dict[int, int] = {}
    for number, node in enumerate(found.nodes):
        for operand in node.operands if node.is_call else ():
            if isinstance(operand, Ref):
                last_use[_root(found.nodes, operand)] = number
    for output in found.outputs:
        if isinstance(output, Ref):
            last_use[_root(found.nodes, output)] = FOREVER
    return last_use


def _play(plan: Plan, bind: Any, carry: Any, xs: Any, shared: Any) -> tuple[Any, tuple[Any, ...]]:
    """Run the loop in memory of its own; the carry is it, too."""
    row = np.array(xs[0], order="C")
    state = tree_leaves(carry)
    inputs = [*state, row, *tree_leaves(shared)]
    memory = [*inputs, *(np.empty(*slot) for slot in plan.slots[len(inputs) :])]
    nodes, outputs = plan.trace
    arrays: Arrays = []
    for number, node in enumerate(nodes):
        is_view = node.kind == "view"
        arrays.append(
            node.make(arrays[node.operands[0]]) if is_view else memory[plan.slot_of[number]]
        )
    found = [arrays[output] if isinstance(output, Ref) else output for output in outputs]
    columns = [np.empty((len(xs), *np.shape(y)), np.asarray(y).dtype) for y in found[len(state) :]]
    results = list(zip(columns, found[len(state) :], strict=True))
    calls = [
        bind(node, [arrays[x] if isinstance(x, Ref) else x for x in node.operands], out)
        for node, out in zip(nodes, arrays, strict=True)
        if node.is_call
    ]
    moves = [(to, end) for to, end in zip(state, found, strict=False) if to is not end]
    for i in range(len(xs)):
        row[...] = xs[i]
        for call in calls:
            call()
        for column, y in results:
            column[i] = y
        if moves:
            ends = [np.array(end) for _, end in moves]
            for (to, _), end in zip(moves, ends, strict=True):
                to[...] = end
    leaves = iter([*state, *columns])
    answer: tuple[Any, tuple[Any, ...]] = tree_map(lambda _: next(leaves), plan.tree)
    return answer
