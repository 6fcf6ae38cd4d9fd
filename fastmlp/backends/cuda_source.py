"""CUDA C of the kernels of a plan: one thread per element, or per row where rows are summed up.

Each NumPy call is a statement of its own, compiled without contracting products and sums into one
rounding, so a kernel computes what the calls compute one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fastmlp.backends.cuda_plan import (
    NARROW,
    ROW_KINDS,
    Group,
    Place,
    Plan,
    Unsupported,
    is_call,
    root,
    seen_as,
)
from fastmlp.backends.numpy_trace import Node, Ref

OPTIONS = ("--std=c++17", "--fmad=false")
TYPES = {
    "float32": "float",
    "float64": "double",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "bool": "bool",
}
INFIX = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
    "logical_and": "&&",
    "logical_or": "||",
}
FORMS = {  # NaN wins, as in NumPy
    "maximum": "({0} >= {1} || {0} != {0}) ? {0} : {1}",
    "minimum": "({0} <= {1} || {0} != {0}) ? {0} : {1}",
    "negative": "-{0}",
    "square": "{0} * {0}",
    "logical_not": "!{0}",
}
FUNCTIONS = {
    "absolute": "fabs",
    **{name: name for name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh")},
}
COMPARISONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")

Part: TypeAlias = tuple[int, list[str]]  # number of threads, and what each of them does

ELEMENT, ROW, COLUMN, SCALAR = "element", "row", "column", "scalar"


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
        parts = [
            (math.prod(group.shape), _Writer(plan, group, used).body()) for group in stage.groups
        ]
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
    arguments = ", ".join(f"{_type(plan.slots[slot].dtype)}* s{slot}" for slot in slots)
    lines = [
        f'extern "C" __global__ void kernel({arguments}) {{',
        "long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
    ]
    for n_threads, body in parts:
        lines += [f"if (e < {n_threads}) {{", *body, "return;", "}", f"e -= {n_threads};"]
    return Kernel("\n".join([*lines, "}", ""]), slots, sum(n for n, _ in parts))


class _Writer:
    """Writes a group: what its results need, each once, then the stores."""

    def __init__(self, plan: Plan, group: Group, used: set[int]) -> None:
        self.plan, self.group, self.used = plan, group, used
        self.lines: list[str] = []
        self.names: dict[tuple[int, str], str] = {}
        self.level = plan.level[group.results[0]]

    def body(self) -> list[str]:
        group = self.group
        if group.by_row:
            self.lines.append("const long long i = e;")
        elif len(group.shape) == 2:
            m = max(1, group.shape[1])
            self.lines.append(f"const long long i = e / {m}, j = e % {m};")
        else:
            self.lines.append("const long long j = e;")
        values = [self.value(Ref(number), self.context(number)) for number in group.results]
        for number, value in zip(group.results, values, strict=True):
            self.store(number, value)
        return self.lines

    def context(self, number: int) -> str:
        """Say what a result's value depends on: i and j, one of them, or nothing."""
        shape = self.plan.nodes[number].shape
        if len(shape) > 2:
            raise Unsupported(f"an array of shape {shape}")
        if not self.group.by_row:
            return (SCALAR, COLUMN, ELEMENT)[len(shape)]
        n = self.group.shape[0]
        if shape == ():
            return SCALAR
        if shape in ((n,), (n, 1)):
            return ROW
        if len(shape) == 2 and shape[0] == n:
            return ELEMENT
        raise Unsupported(f"a result of shape {shape} from {n} rows")

    def store(self, number: int, value: str) -> None:
        place = self.plan.place_of[number]
        self.used.add(place.slot)
        context, shape = self.context(number), place.shape
        if not self.group.by_row:
            self.lines.append(f"s{place.slot}[e] = {value};")
        elif context == ELEMENT:
            self.loop(shape[1], f"s{place.slot}[i * {shape[1]} + j] = {value};")
        elif context == ROW:
            self.lines.append(f"s{place.slot}[i] = {value};")
        else:
            self.lines.append(f"if (i == 0) s{place.slot}[0] = {value};")

    def loop(self, m: int, statement: str) -> None:
        self.lines.append(f"for (int j = 0; j < {m}; ++j) {{ {statement} }}")

    def value(self, x: Any, context: str) -> str:
        """Return an expression for an operand where the threads are; j is bound where it occurs."""
        if not isinstance(x, Ref):
            return _literal(x)
        nodes = self.plan.nodes
        number = root(nodes, x)
        node = nodes[number]
        outside = node.kind == "input" or is_call(node) or self.plan.level[number] < self.level
        if outside or nodes[x].kind == "view":
            if not outside:
                raise Unsupported("a view of what the same kernel computes")
            return self.load(x, number, context)
        key = (number, context)
        if key not in self.names:
            self.names[key] = self.compute(number, node, context)
        return self.names[key]

    def load(self, x: Ref, number: int, context: str) -> str:
        place = seen_as(self.plan.nodes, x, self.plan.place_of[number])
        return self.element(number, place, self.index(place, context))

    def element(self, number: int, place: Place, index: str) -> str:
        self.used.add(place.slot)
        if place.slot == self.plan.x:
            self.used.add(self.plan.number)
            size = math.prod(self.plan.slots[place.slot].shape[1:])
            return f"s{place.slot}[s{self.plan.number}[0] * {size}LL + {index}]"
        return f"s{place.slot}[{index}]"

    def index(self, place: Place, context: str) -> str:
        """Return where a thread, at its j, finds its element of an array that is broadcast."""
        if len(place.shape) > 2:
            raise Unsupported(f"an array of shape {place.shape}")
        variables = {
            ELEMENT: ("i", "j"),
            COLUMN: ("0", "j"),
            ROW: ("i", "0") if len(place.shape) == 2 else ("0", "i"),
            SCALAR: ("0", "0"),
        }[context][2 - len(place.shape) :]
        terms = [
            f"{variable} * {stride}LL"
            for variable, size, stride in zip(variables, place.shape, place.strides, strict=True)
            if size != 1 and variable != "0"
        ]
        return " + ".join([*terms, f"{place.offset}LL"] if place.offset or not terms else terms)

    def operand(self, node: Node, x: Any, context: str) -> str:
        """Return an operand of an elementwise call, at the element of the call's result."""
        if not isinstance(x, Ref):
            return _literal(x)
        shape = self.plan.nodes[x].shape
        if context == ELEMENT and len(shape) < 2:
            inner = COLUMN if shape else SCALAR
        elif context == ELEMENT and self.group.by_row and shape[1] == 1:
            inner = ROW
        elif context == ELEMENT and shape[0] == 1 and node.shape[0] != 1:
            inner = COLUMN
        elif (context == ROW and (shape == () or (shape[0] == 1 and node.shape[0] != 1))) or (
            context == COLUMN and math.prod(shape) == 1 and math.prod(node.shape) != 1
        ):
            inner = SCALAR
        else:
            inner = context
        return self.value(x, inner)

    def compute(self, number: int, node: Node, context: str) -> str:
        """Write the statement of a node; return its name, with [j] if every column has one."""
        if node.kind in ROW_KINDS:
            return self.reduce(number, node, context)
        expression, c_type = self.expression(node, context), _type(node.dtype)
        is_array = self.group.by_row and context in (ELEMENT, COLUMN)
        name = f"v{number}{context[0]}"
        if not is_array:
            self.lines.append(f"const {c_type} {name} = {expression};")
            return name
        m = node.shape[-1]
        if m > NARROW:
            raise Unsupported(f"rows of {m} columns, {NARROW} is the most that a thread holds")
        self.lines.append(f"{c_type} {name}[{m}];")
        self.loop(m, f"{name}[j] = {expression};")
        return f"{name}[j]"

    def expression(self, node: Node, context: str) -> str:
        kind = node.kind
        if kind == "take":
            array, rows = node.operands
            number = root(self.plan.nodes, array)
            source = self.plan.nodes[number]
            if (
                not isinstance(array, Ref)
                or source.kind != "input"
                or self.plan.nodes[array].kind == "view"
            ):
                raise Unsupported("rows of an array that is not an input")
            if not isinstance(rows, Ref):
                raise Unsupported("rows that are constants")
            place = self.plan.place_of[number]
            row = self.gathered(rows, context)
            column = " + j" if len(place.shape) == 2 else ""
            return self.element(number, place, f"{row} * {math.prod(place.shape[1:])}LL{column}")
        values = [self.operand(node, x, context) for x in node.operands]
        dtypes = [
            self.plan.nodes[x].dtype if isinstance(x, Ref) else x.dtype for x in node.operands
        ]
        common = np.result_type(*dtypes) if kind in COMPARISONS else node.dtype
        c_type = "bool" if kind.startswith("logical") else _type(common)
        if kind == "astype":
            return f"({c_type})({values[0]})"
        values = [f"(({c_type})({value}))" for value in values]
        if kind in INFIX:
            return f"{values[0]} {INFIX[kind]} {values[1]}"
        if kind in FORMS:
            return FORMS[kind].format(*values)
        if kind in FUNCTIONS and common.kind == "f":
            return f"{FUNCTIONS[kind]}{'f' if common == np.float32 else ''}({values[0]})"
        raise Unsupported(f"numpy.{kind} of {common}")

    def gathered(self, rows: Ref, context: str) -> str:
        """Return the number of the row that is taken for this thread's row."""
        number = root(self.plan.nodes, rows)
        node = self.plan.nodes[number]
        if node.kind != "input" and not (self.plan.level[number] < self.level):
            raise Unsupported("rows that the same kernel computes")
        place = seen_as(self.plan.nodes, rows, self.plan.place_of[number])
        variable = "i" if context in (ELEMENT, ROW) else "j"
        index = f"{variable} * {place.strides[0]}LL + {place.offset}LL"
        return f"(long long){self.element(number, place, index)}"

    def reduce(self, number: int, node: Node, context: str) -> str:
        """Write what is found along a row, in the order of its columns."""
        (x,), (axis, *_) = node.operands, node.settings
        operand = self.plan.nodes[x]
        if context != ROW or axis not in (1, -1) or len(operand.shape) != 2:
            raise Unsupported(f"numpy.{node.kind} of shape {operand.shape} along axis {axis}")
        m, c_type, name = operand.shape[1], _type(node.dtype), f"v{number}r"
        value = self.value(x, ELEMENT)
        if node.kind == "sum":
            self.lines.append(f"{c_type} {name} = 0;")
            self.loop(m, f"{name} += {value};")
        elif node.kind == "all":
            self.lines.append(f"{c_type} {name} = true;")
            self.loop(m, f"{name} = {name} && {value};")
        else:
            best = name if node.kind == "max" else f"b{number}"
            self.lines.append(
                f"{_type(operand.dtype)} {best}; {{ const int j = 0; {best} = {value}; }}"
            )
            if node.kind == "argmax":
                self.lines.append(f"{c_type} {name} = 0;")
            is_more = (
                f"{best} == {best} && ({value} > {best} || {value} != {value})"  # the first NaN
            )
            place = f" {name} = j;" if node.kind == "argmax" else ""
            self.loop(m, f"if ({is_more}) {{ {best} = {value};{place} }}")
        return name


def _type(dtype: np.dtype[Any]) -> str:
    if dtype.name not in TYPES:
        raise Unsupported(f"the dtype {dtype.name}")
    return TYPES[dtype.name]


def _literal(x: Any) -> str:
    """Return a constant array, of one value everywhere, as it is to the last bit."""
    array = np.asarray(x)
    value = array.reshape(-1)[0] if array.size else 0
    if not np.all(array == value):
        raise Unsupported("a constant array of several values")
    c_type = _type(array.dtype)
    if array.dtype.kind != "f":
        return f"({c_type})({int(value)})"
    if math.isinf(value):
        return f"({c_type})({'-' if value < 0 else ''}1.0 / 0.0)"
    return f"({c_type})({float(value).hex()})"
