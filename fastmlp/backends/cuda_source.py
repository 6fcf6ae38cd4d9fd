"""CUDA C of the kernels of a plan: one thread per element, or per row where rows are summed up.

Each NumPy call is a statement of its own, compiled without contracting products and sums into one
rounding, so a kernel computes what the calls compute one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from fastmlp.backends.cuda_expressions import c_type, expression, literal
from fastmlp.backends.cuda_plan import Place, Plan, seen_as
from fastmlp.backends.cuda_stages import ALONG_ROWS, COLUMN_SUM, NARROW, ROW_KINDS, Group, root
from fastmlp.backends.ladder import Unsupported
from fastmlp.backends.numpy_trace import Node, Ref

OPTIONS = ("--std=c++17", "--fmad=false")
Part: TypeAlias = tuple[int, list[str]]  # number of threads, and what each of them does


class Kernel(NamedTuple):
    """A kernel's source, the slots that are its arguments, and its number of threads."""

    source: str
    slots: tuple[int, ...]
    n_threads: int


def write_kernels(plan: Plan) -> list[Kernel | None]:
    """Write the kernel of each stage that has one, then that of the end of a step.

    Raises
    ------
    Unsupported
        Names what there is no code for.
    """
    kernels: list[Kernel | None] = []
    for stage in plan.stages:
        used: set[int] = set()
        parts = [(math.prod(group.shape), _write(plan, group, used)) for group in stage.groups]
        kernels.append(_kernel(plan, used, parts) if parts else None)
    end_used, end_parts = _end(plan)
    results = {plan.place_of[number].slot for group in stage.groups for number in group.results}
    if parts and not plan.moves and plan.number not in used and not results & end_used:
        kernels[-1], end = _kernel(plan, used | end_used, [*parts, *end_parts]), None
    else:
        end = _kernel(plan, end_used, end_parts)
    return [*kernels, end]


def _end(plan: Plan) -> tuple[set[int], list[Part]]:
    """Carry that could not be written over, the step's reports, and its number."""
    used, number = {plan.number}, plan.number
    parts: list[Part] = []
    for to, source in plan.moves:
        used |= {to, source}
        parts.append((math.prod(plan.slots[to].shape), [f"s{to}[e] = s{source}[e];"]))
    lines = []
    for to, source in plan.reports:
        used |= {to, source}
        size = math.prod(plan.slots[source].shape)
        place = f"s{number}[0] * {size}LL + j"
        lines.append(f"for (int j = 0; j < {size}; ++j) s{to}[{place}] = s{source}[j];")
    return used, [*parts, (1, [*lines, f"++s{number}[0];"])]  # nobody else reads the number here


def _kernel(plan: Plan, used: set[int], parts: Sequence[Part]) -> Kernel:
    slots = tuple(sorted(used))
    arguments = ", ".join(f"{c_type(plan.slots[slot].dtype)}* s{slot}" for slot in slots)
    lines = [
        f'extern "C" __global__ void kernel({arguments}) {{',
        "long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
    ]
    for n_threads, body in parts:
        lines += [f"if (e < {n_threads}) {{", *body, "return;", "}", f"e -= {n_threads};"]
    return Kernel("\n".join([*lines, "}", ""]), slots, sum(n for n, _ in parts))


def _write(plan: Plan, group: Group, used: set[int]) -> list[str]:
    """Write what each thread of a group does; add the slots that it needs to ``used``."""
    writer = _Writer(plan, group, used)
    values = [writer.value(Ref(number), writer.where(number)) for number in group.results]
    for number, value in zip(group.results, values, strict=True):  # all is read by now
        writer.store(number, value)
    return writer.lines


# What a value depends on: the thread's row i, the column j, both, or nothing. Where threads are
# rows, j runs in a loop around each statement that has one.
ELEMENT, ROW, COLUMN, SCALAR = "element", "row", "column", "scalar"
VARIABLES = {ELEMENT: ("i", "j"), COLUMN: ("0", "j"), ROW: ("i", "0"), SCALAR: ("0", "0")}


class _Writer:
    """The lines of a group so far, and the names of the values that they hold."""

    def __init__(self, plan: Plan, group: Group, used: set[int]) -> None:
        self.plan, self.group, self.used = plan, group, used
        self.schedule, self.nodes = plan.schedule, plan.schedule.nodes
        self.level = self.schedule.level[group.results[0]]
        self.names: dict[tuple[int, str], str] = {}
        self.lines = ["const long long j = e;"]
        if group.by_row:
            self.lines = ["const long long i = e;"]
        elif len(group.shape) == 2:
            m = max(1, group.shape[1])
            self.lines = [f"const long long i = e / {m}, j = e % {m};"]

    def where(self, number: int) -> str:
        """Say what a result's value depends on."""
        shape, threads = self.nodes[number].shape, self.group.shape
        if len(shape) > 2:
            raise Unsupported(f"an array of shape {shape}")
        if not self.group.by_row:
            return (SCALAR, COLUMN, ELEMENT)[len(shape)]
        if shape in ((), threads, (*threads, 1)):
            return ROW if shape else SCALAR
        if len(shape) == 2 and shape[:1] == threads:
            return ELEMENT
        raise Unsupported(f"a result of shape {shape} from {threads[0]} rows")

    def store(self, number: int, value: str) -> None:
        slot, m = self.plan.place_of[number].slot, self.nodes[number].shape[-1:]
        self.used.add(slot)
        if not self.group.by_row:
            self.lines.append(f"s{slot}[e] = {value};")
        elif self.where(number) == ELEMENT:
            self.loop(m[0], f"s{slot}[i * {m[0]} + j] = {value};")
        else:
            self.lines.append(f"s{slot}[i] = {value};" if m else f"if (!i) s{slot}[0] = {value};")

    def loop(self, m: int, statement: str) -> None:
        self.lines.append(f"for (int j = 0; j < {m}; ++j) {{ {statement} }}")

    def value(self, x: Any, where: str) -> str:
        """Return an expression for an operand, as broadcast to where the threads are."""
        if not isinstance(x, Ref):
            return literal(x)
        number = root(self.nodes, x)
        if not self.schedule.in_kernel(number, self.level):
            place = seen_as(self.nodes, x, self.plan.place_of[number])
            return self.load(place, self.index(place, where))
        if number != x:
            raise Unsupported("a view of what the same kernel computes")
        if (number, where) not in self.names:
            self.names[number, where] = self.compute(number, where)
        return self.names[number, where]

    def load(self, place: Place, index: str) -> str:
        self.used.add(place.slot)
        if place.slot == self.plan.x:
            self.used.add(self.plan.number)
            size = math.prod(self.plan.slots[place.slot].shape[1:])
            index = f"s{self.plan.number}[0] * {size}LL + {index}"
        return f"s{place.slot}[{index}]"

    def index(self, place: Place, where: str) -> str:
        """Return where a thread finds its element of an array."""
        if len(place.shape) > 2:
            raise Unsupported(f"an array of shape {place.shape}")
        variables = VARIABLES[where][2 - len(place.shape) :]
        if where == ROW and len(place.shape) == 1:
            variables = ("i",)
        terms = [
            f"{variable} * {stride}LL"
            for variable, size, stride in zip(variables, place.shape, place.strides, strict=True)
            if size != 1 and variable != "0"
        ]
        return " + ".join([*terms, f"{place.offset}LL"])

    def compute(self, number: int, where: str) -> str:
        """Write the statement of a node; return what stands for its value from then on."""
        node, name = self.nodes[number], f"v{number}{where[0]}"
        if node.kind in ROW_KINDS:
            return self.reduce(node, name, where)
        if node.kind == COLUMN_SUM:
            return self.add_rows(node, name, where)
        kind = c_type(node.dtype)
        if node.kind == "take":
            found = self.gather(node, where)
        elif node.kind == ALONG_ROWS:
            found = self.along_row(node, where)
        else:
            values = [self.value(x, self.inner(node, x, where)) for x in node.operands]
            dtypes = [self.nodes[x].dtype if isinstance(x, Ref) else x.dtype for x in node.operands]
            found = expression(node.kind, values, dtypes, node.dtype)
        if not self.group.by_row or where in (ROW, SCALAR):
            self.lines.append(f"const {kind} {name} = {found};")
            return name
        m = node.shape[-1]
        if m > NARROW:  # computed again wherever it is asked for
            self.lines.append(f"auto {name} = [&](int j) -> {kind} {{ return {found}; }};")
            return f"{name}(j)"
        self.lines.append(f"{kind} {name}[{m}];")
        self.loop(m, f"{name}[j] = {found};")
        return f"{name}[j]"

    def inner(self, node: Node, x: Any, where: str) -> str:
        """Say what an operand's value depends on, seen from an element of the call's result."""
        shape = self.nodes[x].shape if isinstance(x, Ref) else ()
        if math.prod(shape) == 1:
            return self.single()
        if where == ELEMENT and (len(shape) == 1 or (shape[0] == 1 and node.shape[0] != 1)):
            return COLUMN
        if where == ELEMENT and self.group.by_row and shape[1] == 1:
            return ROW
        return where

    def single(self) -> str:
        """Say what one number depends on: of a single row all do, which may be a sum along it."""
        return ROW if self.group.by_row and self.group.shape == (1,) else SCALAR

    def gather(self, node: Node, where: str) -> str:
        """Return an element of the rows that are taken."""
        array, rows = node.operands
        if not isinstance(array, Ref) or self.nodes[array].kind != "input":
            raise Unsupported("rows of an array that is not an input")
        if math.prod(rows.shape if not isinstance(rows, Ref) else self.nodes[rows].shape) == 1:
            row = self.value(rows, self.single())
        else:
            row = self.value(rows, ROW if where == ELEMENT else where)
        place = self.plan.place_of[array]
        column = VARIABLES[where][1] if len(place.shape) == 2 else "0"
        return self.load(place, f"(long long)({row}) * {place.strides[0]}LL + {column}")

    def along_row(self, node: Node, where: str) -> str:
        """Return an element of the thread's own row, whatever its column."""
        array, columns = node.operands
        place = seen_as(self.nodes, array, self.plan.place_of[root(self.nodes, array)])
        row, column = VARIABLES[where][0], self.value(columns, where)
        down, right = place.strides
        return self.load(place, f"{row} * {down}LL + {column} * {right}LL + {place.offset}LL")

    def add_rows(self, node: Node, name: str, where: str) -> str:
        """Write the sum of a column, in the order of its rows."""
        (x,), kind = node.operands, c_type(node.dtype)
        place = seen_as(self.nodes, x, self.plan.place_of[root(self.nodes, x)])
        (n, _), (down, right) = place.shape, place.strides
        term = self.load(place, f"r * {down}LL + j * {right}LL + {place.offset}LL")
        self.lines.append(
            f"auto {name} = [&](long long j) {{ {kind} v = 0; "
            f"for (int r = 0; r < {n}; ++r) v = v + {term}; return v; }};"
        )
        return f"{name}({ {ROW: 'i', SCALAR: '0'}.get(where, 'j') })"

    def reduce(self, node: Node, name: str, where: str) -> str:
        """Write what is found along a row, in the order of its columns."""
        (x,), (axis, *_) = node.operands, node.settings
        operand = self.nodes[x]
        if where != ROW or axis not in (1, -1) or len(operand.shape) != 2:
            raise Unsupported(f"numpy.{node.kind} of shape {operand.shape} along axis {axis}")
        m, kind, value = operand.shape[1], c_type(node.dtype), self.value(x, ELEMENT)
        if node.kind in ("sum", "all"):
            start, more = ("0", "+") if node.kind == "sum" else ("true", "&&")
            self.lines.append(f"{kind} {name} = {start};")
            self.loop(m, f"{name} = {name} {more} {value};")
            return name
        best, is_max = f"{name}m", node.kind == "max"
        element = c_type(operand.dtype)
        self.lines += [f"{kind} {name} = 0;"] * (not is_max)
        self.lines.append(f"{element} {best}; {{ const int j = 0; {best} = {value}; }}")
        keep = f"{best} = w;" if is_max else f"{best} = w; {name} = j;"
        is_more = f"{best} == {best} && (w > {best} || w != w)"  # of NaN, the first one
        self.loop(m, f"const {element} w = {value}; if ({is_more}) {{ {keep} }}")
        return best if is_max else name
