"""NumPy's elementwise calls in CUDA C: expressions that round as NumPy's and CuPy's own do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.backends.ladder import Unsupported

TYPES = {
    "float32": "float",
    "float64": "double",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "bool": "bool",
}
COMPARISONS = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}
INFIX = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "logical_and": "&&",
    "logical_or": "||",
    "bitwise_and": "&",
    "bitwise_xor": "^",
    "right_shift": ">>",
    **COMPARISONS,
}
WRAPPING = ("add", "subtract", "multiply")
FORMS = {  # NaN wins, as in NumPy
    "maximum": "({0} >= {1} || {0} != {0}) ? {0} : {1}",
    "minimum": "({0} <= {1} || {0} != {0}) ? {0} : {1}",
    "negative": "-{0}",
    "square": "{0} * {0}",
    "logical_not": "!{0}",
}
FUNCTIONS = {
    "absolute": "fabs",
    **{name: name for name in ("cos", "exp", "expm1", "log", "log1p", "sin", "sqrt", "tanh")},
}


def c_type(dtype: np.dtype[Any]) -> str:
    """Return the type of an array's elements."""
    if dtype.name not in TYPES:
        raise Unsupported(f"the dtype {dtype.name}")
    return TYPES[dtype.name]


def expression(kind: str, values: Sequence[str], dtypes: Sequence[Any], dtype: Any) -> str:
    """Write a call of NumPy on values of these dtypes, with a result of that dtype."""
    if kind == "astype":
        return f"({c_type(dtype)})({values[0]})"
    common = np.result_type(*dtypes) if kind in COMPARISONS else dtype
    values = [f"(({c_type(common)})({value}))" for value in values]
    if common == np.int32 and kind in WRAPPING:  # signed, too much is undefined in C
        a, b = (f"((unsigned int)({value}))" for value in values)
        return f"(int)({a} {INFIX[kind]} {b})"
    if kind in INFIX:
        return f"{values[0]} {INFIX[kind]} {values[1]}"
    if kind in FORMS:
        return FORMS[kind].format(*values)
    if kind in FUNCTIONS and common.kind == "f":
        return f"{FUNCTIONS[kind]}{'f' if common == np.float32 else ''}({values[0]})"
    raise Unsupported(f"numpy.{kind} of {common}")


def literal(x: Any) -> str:
    """Write a constant array of one value everywhere, exact to the last bit."""
    array = np.asarray(x)
    value = array.reshape(-1)[0] if array.size else array.dtype.type(0)
    if not np.all(array == value):
        raise Unsupported("a constant array of several values, or of NaN")
    if array.dtype.kind != "f":
        return f"({c_type(array.dtype)})({int(value)})"
    text = float(value).hex()
    if math.isinf(value):
        text = f"{'-' if value < 0 else ''}1.0 / 0.0"
    return f"({c_type(array.dtype)})({text})"
