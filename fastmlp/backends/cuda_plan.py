"""What a GPU runs for a traced step, and where its arrays lie.

A result of the carry is written over its old value wherever nobody can read that any more; others
are copied at the end of the step. Nothing else shares memory: activations are small.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastmlp.backends.cuda_stages import ALONG_ROWS, Group, Schedule, is_call, root, schedule
from fastmlp.backends.ladder import Unsupported
from fastmlp.backends.numpy_trace import Node, Ref, Trace

SHORT = 2**14  # elements that a product of a row with a column sums up fast


class Slot(NamedTuple):
    """Memory for one array, C-contiguous; filled with a value once, or not."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: float | None = None


class Place(NamedTuple):
    """An array as it lies in a slot; strides and offset count elements."""

    slot: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0


class Product(NamedTuple):
    """``out = a @ b`` of matrices, or of vectors."""

    a: Place
    b: Place
    out: int  # slot
    is_sum: bool  # with ones: always in full precision


class Stage(NamedTuple):
    """A kernel, or nothing if it has no groups, and the library's calls behind it."""

    groups: tuple[Group, ...]
    products: tuple[Product, ...]


class Plan(NamedTuple):
    """A step, and its memory."""

    schedule: Schedule
    slots: list[Slot]
    place_of: dict[int, Place]  # of inputs and results
    stages: list[Stage]
    moves: list[tuple[int, int]]  # slots (to, from) to copy at the end of a step
    reports: list[tuple[int, int]]  # slots (of all steps, of this one)
    carry: list[int]  # slots, like those that follow
    x: int  # of all steps
    shared: list[int]
    number: int  # of the step


def make_plan(found: Trace, n_carry: int, n_steps: int) -> Plan:
    """Lay out a trace whose inputs are the leaves of carry, x, and the leaves of shared.

    Raises
    ------
    Unsupported
        Names what no kernel is written for.
    """
    steps = schedule(found)
    nodes, slots, place_of = steps.nodes, list[Slot](), dict[int, Place]()

    def place(slot: Slot, shape: tuple[int, ...]) -> Place:
        slots.append(slot)
        return Place(len(slots) - 1, shape, _strides(shape))

    inputs = [number for number, node in enumerate(nodes) if node.kind == "input"]
    for number in inputs:
        shape, dtype = nodes[number].shape, nodes[number].dtype
        all_steps = (n_steps,) if number == n_carry else ()
        place_of[number] = place(Slot((*all_steps, *shape), dtype), shape)
    number_of_step = place(Slot((), np.dtype("int32")), ())
    over = _written_over(steps, n_carry)
    for number in steps.results:
        shape, dtype = nodes[number].shape, nodes[number].dtype
        old = over.get(number)
        place_of[number] = place(Slot(shape, dtype), shape) if old is None else place_of[old]

    def ones(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Place:
        return place(Slot(shape, dtype, fill=1.0), shape)

    stages = []
    for level in range(max(steps.level) + 1):
        products = [_product(steps, place_of, n_carry, call, ones) for call in steps.calls(level)]
        stages.append(Stage(steps.groups(level), tuple(products)))
    moves, reports = [], []
    for leaf, output in enumerate(steps.outputs):
        _check_output(nodes, output, leaf, n_carry)
        slot = place_of[output].slot
        if leaf >= n_carry:
            all_steps = (n_steps, *nodes[output].shape)
            reports.append((place(Slot(all_steps, nodes[output].dtype), all_steps).slot, slot))
        elif slot != place_of[leaf].slot:
            moves.append((place_of[leaf].slot, slot))
    slot_of = [place_of[number].slot for number in inputs]
    carry, x, shared = slot_of[:n_carry], slot_of[n_carry], slot_of[n_carry + 1 :]
    return Plan(
        steps, slots, place_of, stages, moves, reports, carry, x, shared, number_of_step.slot
    )


def _written_over(steps: Schedule, n_carry: int) -> dict[int, int]:
    """Return which results may lie on top of the old value that they replace: result -> leaf."""
    found: dict[int, int] = {}
    for leaf, output in enumerate(steps.outputs[:n_carry]):
        if isinstance(output, Ref) and output in steps.results:
            by_row, _ = (True, ()) if is_call(steps.nodes[output]) else steps.group_key(output)
            readers = [
                number
                for number in range(len(steps.nodes))
                if steps.nodes[number].kind != "view" and leaf in steps.reads(number)
            ]
            if not by_row and all(_is_over(steps, reader, leaf, output) for reader in readers):
                found[output] = leaf
    return found


def _is_over(steps: Schedule, reader: int, leaf: int, result: int) -> bool:
    """Tell whether a reader has read a leaf, or its own element of it, when that is replaced."""
    level = steps.level[result]
    if is_call(steps.nodes[reader]) or steps.level[reader] != level:
        return steps.level[reader] <= level
    # in the same kernel: if each of its threads reads no more than it replaces itself
    shape = steps.nodes[result].shape
    return (
        steps.nodes[leaf].shape == steps.nodes[reader].shape == shape
        and _reads_its_own(steps.nodes, reader, leaf)
        and all(
            (group.by_row, group.shape) == (False, shape)
            for group in steps.groups(level)
            if any(reader in steps.cone(other) for other in group.results)
        )
    )


def _reads_its_own(nodes: list[Node], reader: int, leaf: int) -> bool:
    """Tell whether each element of a reader looks at the same element of a leaf, and no other."""
    node = nodes[reader]
    wide = node.operands[0] if node.kind == ALONG_ROWS else None
    of_leaf = [x for x in node.operands if isinstance(x, Ref) and root(nodes, x) == leaf]
    return all(x == leaf and x != wide for x in of_leaf)


def _product(
    steps: Schedule,
    place_of: dict[int, Place],
    n_carry: int,
    number: int,
    ones: Callable[[tuple[int, ...], np.dtype[Any]], Place],
) -> Product:
    """Return the library's call for a node."""
    node, out = steps.nodes[number], place_of[number].slot
    if node.dtype.kind != "f":
        raise Unsupported(f"{node.kind} of {node.dtype}")
    if not all(isinstance(x, Ref) for x in node.operands):
        raise Unsupported("a product with a constant")
    roots = [root(steps.nodes, x) for x in node.operands]
    if n_carry in roots:
        raise Unsupported("a product with what the loop runs over")
    places = [
        seen_as(steps.nodes, x, place_of[y]) for x, y in zip(node.operands, roots, strict=True)
    ]
    if node.kind == "matmul":
        a, b = places
        if (len(a.shape), len(b.shape)) not in ((1, 1), (2, 2)):
            raise Unsupported(f"a product of shapes {a.shape} and {b.shape}")
        return Product(a, b, out, is_sum=False)
    ((axis, _), (summed,)) = node.settings, places
    if len(summed.shape) == 2 and axis == 0:
        return Product(ones((1, summed.shape[0]), node.dtype), summed, out, is_sum=True)
    if axis is not None or summed.strides != _strides(summed.shape):
        raise Unsupported(f"a sum of shape {summed.shape} along axis {axis}")
    size = math.prod(summed.shape)
    if size <= SHORT:  # as matrices: one kernel, where a dot product takes two
        column = summed._replace(shape=(size, 1), strides=(1, 1))
        return Product(ones((1, size), node.dtype), column, out, is_sum=True)
    vector = summed._replace(shape=(size,), strides=(1,))
    return Product(ones(vector.shape, node.dtype), vector, out, is_sum=True)


def _check_output(nodes: list[Node], output: Any, leaf: int, n_carry: int) -> None:
    if not isinstance(output, Ref) or nodes[output].kind == "view":
        raise Unsupported("an answer that is a constant or a view")
    if leaf < n_carry and nodes[output][1:3] != nodes[leaf][1:3]:
        raise Unsupported("a carry that changes its shape or dtype")
    if nodes[output].kind == "input" and output != leaf and output <= n_carry:
        raise Unsupported("an answer that is what the step begins with")


def seen_as(nodes: list[Node], number: int, base: Place) -> Place:
    """Return how a view, or the node itself, lies in the memory of its root at ``base``."""
    path = []
    while nodes[number].kind == "view":
        path.append(nodes[number].make)
        number = nodes[number].operands[0]
    if not path:
        return base
    array = np.zeros(base.shape, dtype=np.int8)  # a byte per element: strides count elements
    view = array
    for show in reversed(path):
        view = show(view)
    offset = view.__array_interface__["data"][0] - array.__array_interface__["data"][0]
    return Place(base.slot, view.shape, view.strides, base.offset + offset)


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
