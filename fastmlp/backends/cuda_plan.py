"""What a GPU runs for a traced step: few kernels and few products, in an order that is right.

The step falls into stages. In a stage, everything that is computed element by element or row by row
is one kernel; between two stages lie the library's calls: products, and sums over rows, which are
products with ones. A result of the carry is written over its old value wherever nobody can read
that any more; the others are copied at the end of the step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.backends.numpy_trace import Node, Ref, Trace

ROW_KINDS = ("argmax", "all", "max", "sum")  # along the rows of a matrix
NARROW = 64  # columns of a row that one thread can hold


class Unsupported(Exception):  # noqa: N818
    """A step has something that no kernel is written for."""


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
    out: int
    is_sum: bool  # with ones: always in full precision


class Group(NamedTuple):
    """Part of a stage: the elements of one shape, or the rows of one length."""

    by_row: bool
    shape: tuple[int, ...]  # by row: (n,), of the threads
    results: tuple[int, ...]  # nodes that are written to memory


class Stage(NamedTuple):
    """A kernel, or nothing if it has no groups, and the library's calls behind it."""

    groups: tuple[Group, ...]
    products: tuple[Product, ...]


class Plan(NamedTuple):
    """A step, and its memory: slots of carry, x of all steps, shared, step number, and others."""

    nodes: list[Node]
    slots: list[Slot]
    place_of: dict[int, Place]  # of the nodes that lie in memory
    stages: list[Stage]
    level: dict[int, int]  # number of the stage that computes a node, or of the one after its call
    moves: list[tuple[int, int]]  # slots (to, from) to copy at the end of a step
    reports: list[tuple[int, int]]  # slots (of all steps, of this one)
    carry: list[int]
    x: int
    shared: list[int]
    number: int  # slot of the step's number


def make_plan(found: Trace, n_carry: int, n_steps: int) -> Plan:
    """Lay out a trace whose inputs are the leaves of carry, x, and the leaves of shared.

    Raises
    ------
    Unsupported
        Names what no kernel is written for.
    """
    return _Planner(found, n_carry, n_steps).plan()


class _Planner:
    """Holds what is known so far."""

    def __init__(self, found: Trace, n_carry: int, n_steps: int) -> None:
        self.nodes, self.outputs = list(found.nodes), list(found.outputs)
        self.n_carry, self.n_steps = n_carry, n_steps
        self.slots: list[Slot] = []
        self.place_of: dict[int, Place] = {}
        self.level: dict[int, int] = {}

    def plan(self) -> Plan:
        self._sum_rows_first()
        inputs = [number for number, node in enumerate(self.nodes) if node.kind == "input"]
        for number in inputs:
            is_x = number == self.n_carry
            node = self.nodes[number]
            shape = (self.n_steps, *node.shape) if is_x else node.shape
            self.place_of[number] = self._place(Slot(shape, node.dtype), node.shape)
        step_number = self._place(Slot((), np.dtype("int32"))).slot
        self._find_levels()
        wanted = self._wanted()
        in_place = self._in_place(wanted)
        for number in sorted(wanted):
            if number not in self.place_of:
                node = self.nodes[number]
                over = in_place.get(number)
                slot = Slot(node.shape, node.dtype)
                self.place_of[number] = (
                    self.place_of[over] if over is not None else self._place(slot)
                )
        stages = self._stages(wanted)
        moves, reports = self._ends(in_place)
        return Plan(
            self.nodes,
            self.slots,
            self.place_of,
            stages,
            self.level,
            moves,
            reports,
            carry=[self.place_of[number].slot for number in inputs[: self.n_carry]],
            x=self.place_of[self.n_carry].slot,
            shared=[self.place_of[number].slot for number in inputs[self.n_carry + 1 :]],
            number=step_number,
        )

    def _place(self, slot: Slot, shape: tuple[int, ...] | None = None) -> Place:
        self.slots.append(slot)
        shape = slot.shape if shape is None else shape
        return Place(len(self.slots) - 1, shape, _strides(shape))

    def _sum_rows_first(self) -> None:
        """Let a sum over a whole narrow matrix begin within its rows, where they are computed."""
        nodes: list[Node] = []
        new: dict[int, int] = {}
        for number, node in enumerate(self.nodes):
            operands = tuple(Ref(new[x]) if isinstance(x, Ref) else x for x in node.operands)
            if node.kind == "sum" and node.settings[0] is None:
                summed = nodes[operands[0]]
                if len(summed.shape) == 2 and summed.shape[1] <= NARROW and not is_call(summed):
                    shape = summed.shape[:1]
                    nodes.append(
                        Node("sum", shape, node.dtype, operands=operands, settings=(1, False))
                    )
                    operands = (Ref(len(nodes) - 1),)
            new[number] = len(nodes)
            nodes.append(node._replace(operands=operands))
        self.nodes = nodes
        self.outputs = [Ref(new[x]) if isinstance(x, Ref) else x for x in self.outputs]

    def _find_levels(self) -> None:
        for number, node in enumerate(self.nodes):
            refs = [x for x in node.operands if isinstance(x, Ref)]
            behind = max((self.level[ref] for ref in refs), default=0)
            self.level[number] = behind + is_call(node)

    def operands(self, node: Node) -> list[int]:
        """Return the nodes that a node reads, views resolved to what they show."""
        return [root(self.nodes, x) for x in node.operands if isinstance(x, Ref)]

    def _wanted(self) -> set[int]:
        """Return the nodes whose values have to lie in memory."""
        wanted = {root(self.nodes, x) for x in self.outputs if isinstance(x, Ref)}
        todo, seen = sorted(wanted), set(wanted)
        while todo:
            number = todo.pop()
            node = self.nodes[number]
            for other in self.operands(node):
                if is_call(node) or is_call(self.nodes[other]):
                    wanted.add(other)
                if self.level[other] < self.level[number] or node.kind == "input":
                    wanted.add(other)
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        self.needed = seen
        return {number for number in wanted if self.nodes[number].kind != "input"}

    def _in_place(self, wanted: set[int]) -> dict[int, int]:
        """Return which results lie on top of the old value that they replace."""
        found: dict[int, int] = {}
        for leaf, output in enumerate(self.outputs[: self.n_carry]):
            if not isinstance(output, Ref):
                raise Unsupported("a carry that is a constant")
            node = self.nodes[output]
            if node.kind == "input" or output not in wanted or output in found:
                continue
            if is_call(node) or self._rows_of(output):
                continue
            if all(self._is_over(reader, leaf, output) for reader in self._readers(leaf)):
                found[output] = leaf
        return found

    def _readers(self, number: int) -> list[int]:
        """Return all needed nodes that read a node, by whatever view."""
        return [
            other
            for other in sorted(self.needed)
            if other != number and number in self.operands(self.nodes[other])
        ]

    def _is_over(self, reader: int, leaf: int, result: int) -> bool:
        """Tell whether a reader of a leaf has read an element before the result is written there."""
        level = self.level[result]
        if is_call(self.nodes[reader]):
            return self.level[reader] <= level
        if self.level[reader] > level:
            return False
        if self.level[reader] < level:
            return True
        # in the same kernel: by the same thread, and by no other
        shape = self.nodes[result].shape
        return (
            self.nodes[leaf].shape == shape
            and self.nodes[reader].shape == shape
            and Ref(leaf) in self.nodes[reader].operands
            and all(
                self._group_key(other) == (False, shape)
                for other in self.needed_results(level)
                if reader in self._cone(other)
            )
        )

    def needed_results(self, level: int) -> list[int]:
        """Return what a stage writes to memory."""
        return [
            number
            for number in sorted(self._wanted_cache())
            if self.level[number] == level and not is_call(self.nodes[number])
        ]

    def _wanted_cache(self) -> set[int]:
        if not hasattr(self, "_kept"):
            self._kept = self._wanted()
        return self._kept

    def _cone(self, number: int) -> set[int]:
        """Return what a kernel computes for a result: nodes of its own stage."""
        cone, todo = {number}, [number]
        while todo:
            for other in self.operands(self.nodes[todo.pop()]):
                node = self.nodes[other]
                inside = self.level[other] == self.level[number]
                if inside and not is_call(node) and node.kind != "input" and other not in cone:
                    cone.add(other)
                    todo.append(other)
        return cone

    def _rows_of(self, number: int) -> int | None:
        """Return how many rows a result is computed by, if it is computed by row."""
        rows = {
            self.nodes[self.operands(self.nodes[other])[0]].shape[0]
            for other in self._cone(number)
            if self.nodes[other].kind in ROW_KINDS
        }
        if len(rows) > 1:
            raise Unsupported("rows of two lengths in one result")
        return rows.pop() if rows else None

    def _group_key(self, number: int) -> tuple[bool, tuple[int, ...]]:
        n = self._rows_of(number)
        return (False, self.nodes[number].shape) if n is None else (True, (n,))

    def _stages(self, wanted: set[int]) -> list[Stage]:
        stages = []
        for level in range(max(self.level.values(), default=0) + 1):
            groups: dict[tuple[bool, tuple[int, ...]], list[int]] = {}
            for number in sorted(wanted):
                node = self.nodes[number]
                if self.level[number] == level and not is_call(node):
                    groups.setdefault(self._group_key(number), []).append(number)
            calls = [
                self._product(number)
                for number in sorted(wanted)
                if self.level[number] == level + 1 and is_call(self.nodes[number])
            ]
            kernel = tuple(Group(*key, tuple(results)) for key, results in groups.items())
            stages.append(Stage(kernel, tuple(calls)))
        return stages

    def _product(self, number: int) -> Product:
        node, out = self.nodes[number], self.place_of[number].slot
        if node.dtype.kind != "f":
            raise Unsupported(f"{node.kind} of {node.dtype}")
        places = [self.where(x) for x in node.operands]
        if node.kind == "matmul":
            a, b = places
            if {len(a.shape), len(b.shape)} not in ({1}, {2}):
                raise Unsupported(f"a product of shapes {a.shape} and {b.shape}")
            return Product(a, b, out, is_sum=False)
        ((axis, _), (summed,)) = node.settings, places
        if len(summed.shape) == 2 and axis == 0:
            n, _ = summed.shape
            return Product(self._ones((1, n), node.dtype), summed, out, is_sum=True)
        if axis is not None or summed.strides != _strides(summed.shape):
            raise Unsupported(f"a sum of shape {summed.shape} along axis {axis}")
        vector = summed._replace(shape=(int(np.prod(summed.shape)),), strides=(1,))
        return Product(self._ones(vector.shape, node.dtype), vector, out, is_sum=True)

    def _ones(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Place:
        return self._place(Slot(shape, dtype, fill=1.0))

    def where(self, x: Any) -> Place:
        """Return where an operand of the library lies."""
        if not isinstance(x, Ref):
            raise Unsupported("a product with a constant")
        number = root(self.nodes, x)
        if number == self.n_carry:
            raise Unsupported("a product with what the loop runs over")
        return seen_as(self.nodes, x, self.place_of[number])

    def _ends(self, in_place: dict[int, int]) -> tuple[list[Any], list[Any]]:
        moves, reports = [], []
        for leaf, output in enumerate(self.outputs):
            if not isinstance(output, Ref) or self.nodes[output].kind == "view":
                raise Unsupported("an answer that is a constant or a view")
            slot = self.place_of[output].slot
            if leaf >= self.n_carry:
                if output <= self.n_carry:
                    raise Unsupported("an answer that is what the step begins with")
                node = self.nodes[output]
                of_all = self._place(Slot((self.n_steps, *node.shape), node.dtype)).slot
                reports.append((of_all, slot))
            elif slot != self.place_of[leaf].slot:
                if self.nodes[output].kind == "input":
                    raise Unsupported("a carry that becomes another one")
                moves.append((self.place_of[leaf].slot, slot))
        return moves, reports


def is_call(node: Node) -> bool:
    """Tell whether the library computes a node."""
    if node.kind == "matmul":
        return True
    return node.kind == "sum" and node.settings[0] in (0, None)


def root(nodes: list[Node], number: int) -> int:
    """Return the node whose memory a view shows."""
    while nodes[number].kind == "view":
        number = nodes[number].operands[0]
    return number


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
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
