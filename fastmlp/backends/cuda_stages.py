"""When a GPU computes what of a traced step: in stages, so that few launches do all of it.

Everything of a stage that is computed element by element, or row by row, is one kernel. Between
two stages lie the library's calls: products, and sums over many rows, which are products with
ones. A sum over few rows is a matter of the stage behind it, where a thread needs it for a column.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.backends.ladder import Unsupported
from fastmlp.backends.numpy_trace import Node, Ref, Trace

ROW_KINDS = ("argmax", "all", "max", "sum")  # found along the rows of a matrix
NARROW = 64  # columns of a row that one thread can hold
FEW = 256  # rows that one thread adds up faster than a launch takes
COLUMN_SUM = "sum of few rows"
ALONG_ROWS = "take_along_axis"


class Group(NamedTuple):
    """Part of a kernel: the elements of one shape, or so many rows."""

    by_row: bool
    shape: tuple[int, ...]  # of the threads; by row: (n,)
    results: tuple[int, ...]  # nodes that are written to memory


class Schedule(NamedTuple):
    """A trace, and when its nodes are computed."""

    nodes: list[Node]
    outputs: list[Any]  # `Ref`s, and constants
    level: list[int]  # stage of a node; of a call's result, the stage that can read it first
    results: list[int]  # nodes whose values have to lie in memory, but for the inputs

    def reads(self, number: int) -> list[int]:
        """Return the nodes that a node reads, by whatever views."""
        return [root(self.nodes, x) for x in self.nodes[number].operands if isinstance(x, Ref)]

    def in_kernel(self, number: int, level: int) -> bool:
        """Tell whether a node is computed by the kernel of a stage."""
        node = self.nodes[number]
        return self.level[number] == level and not is_call(node) and node.kind != "input"

    def cone(self, number: int) -> set[int]:
        """Return what a kernel computes on the way to a node, the node too."""
        cone, todo = {number}, [number]
        while todo:
            for other in self.reads(todo.pop()):
                if self.in_kernel(other, self.level[number]) and other not in cone:
                    cone.add(other)
                    todo.append(other)
        return cone

    def group_key(self, number: int) -> tuple[bool, tuple[int, ...]]:
        """Return by which threads a result is computed."""
        rows = {
            self.nodes[self.nodes[other].operands[0]].shape[0]
            for other in self.cone(number)
            if self.nodes[other].kind in ROW_KINDS
        }
        if len(rows) > 1:
            raise Unsupported("rows of two lengths in one result")
        return (True, (rows.pop(),)) if rows else (False, self.nodes[number].shape)

    def groups(self, level: int) -> tuple[Group, ...]:
        """Return the parts of the kernel of a stage; none: it has no kernel."""
        found: dict[tuple[bool, tuple[int, ...]], list[int]] = {}
        for number in self.results:
            if self.in_kernel(number, level):
                found.setdefault(self.group_key(number), []).append(number)
        return tuple(Group(*key, tuple(results)) for key, results in found.items())

    def calls(self, level: int) -> list[int]:
        """Return the results of the library's calls behind a stage."""
        return [
            number
            for number in self.results
            if is_call(self.nodes[number]) and self.level[number] == level + 1
        ]


def schedule(found: Trace) -> Schedule:
    """Put the nodes of a trace into stages."""
    nodes, outputs = _sums_told_apart(found)
    level: list[int] = []
    for node in nodes:
        refs = [x for x in node.operands if isinstance(x, Ref)]
        level.append(max((level[x] + _waits(nodes, node, x) for x in refs), default=0))
    made = Schedule(nodes, outputs, level, [])
    results = {root(nodes, x) for x in outputs if isinstance(x, Ref)}
    todo, seen = list(results), set(results)
    while todo:
        number = todo.pop()
        for other in made.reads(number):
            if is_call(nodes[number]) or not made.in_kernel(other, level[number]):
                results.add(other)
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return made._replace(results=sorted(x for x in results if nodes[x].kind != "input"))


def _waits(nodes: list[Node], node: Node, x: int) -> bool:
    """Tell whether a node's operand has to be in memory, where other threads have put it."""
    if node.kind == "view":
        return False
    if is_call(node) or node.kind == COLUMN_SUM:
        return True
    base = nodes[root(nodes, x)]
    is_elsewhere = nodes[x].kind == "view" or (node.kind == ALONG_ROWS and x == node.operands[0])
    return is_elsewhere and base.kind != "input" and not is_call(base)


def is_call(node: Node) -> bool:
    """Tell whether the library computes a node."""
    return node.kind == "matmul" or (node.kind == "sum" and node.settings[0] in (0, None))


def root(nodes: list[Node], number: int) -> int:
    """Return the node whose memory a view shows."""
    while nodes[number].kind == "view":
        number = nodes[number].operands[0]
    return number


def _sums_told_apart(found: Trace) -> tuple[list[Node], list[Any]]:
    """Name sums of few rows; let those of narrow matrices begin in the kernel that has them."""
    nodes: list[Node] = []
    new: dict[int, int] = {}

    def moved(x: Any) -> Any:
        return Ref(new[x]) if isinstance(x, Ref) else x

    for number, node in enumerate(found.nodes):
        made = node._replace(operands=tuple(map(moved, node.operands)))
        if node.kind == "sum":
            (x,), (axis, _) = made.operands, node.settings
            summed = nodes[x]
            is_matrix = len(summed.shape) == 2
            if axis == 0 and is_matrix and summed.shape[0] <= FEW:
                made = made._replace(kind=COLUMN_SUM)
            elif axis is None and is_matrix and summed.shape[1] <= NARROW and not is_call(summed):
                by_row = made._replace(shape=summed.shape[:1], settings=(1, False))
                nodes.append(by_row)
                made = made._replace(operands=(Ref(len(nodes) - 1),))
        new[number] = len(nodes)
        nodes.append(made)
    return nodes, [moved(output) for output in found.outputs]
