"""What a function is, told in a text that another process tells alike."""

from __future__ import annotations

import hashlib
import io
import pickle
from types import CodeType, FunctionType
from typing import Any

NO_NAME = "<"  # in the name of a lambda, and of what was made within a function


class _Told(pickle.Pickler):
    """Writes what an importable module holds by its name, other functions by what they do."""

    def reducer_override(self, value: Any) -> Any:
        """Reduce functions that have no lasting name, and their code."""
        if isinstance(value, CodeType):  # lines and files are left out: they move
            return tuple, ((value.co_code, value.co_consts, value.co_names, value.co_varnames),)
        if getattr(value, "__module__", None) == "__main__" and isinstance(value, type):
            raise pickle.PicklingError("a class of its name may be another one by now")
        if not isinstance(value, FunctionType):
            return NotImplemented
        if value.__module__ != "__main__" and NO_NAME not in value.__qualname__:
            return NotImplemented
        cells = tuple(cell.cell_contents for cell in value.__closure__ or ())
        settings = value.__defaults__, value.__kwdefaults__, cells
        return tuple, ((value.__module__, value.__qualname__, value.__code__, settings),)


def identity(value: Any) -> str:
    """Text that is the same for the same parameter, and another one where that is not known.

    What a function reads from around it, other than its closure, is not looked at.

    Examples
    --------
    >>> identity("f1_macro")
    "'f1_macro'"
    >>> add, again, other = (lambda a: a + 1), (lambda a: a + 1), (lambda a: a + 2)
    >>> identity(add) == identity(again), identity(add) == identity(other)
    (True, False)
    """
    if value is None or isinstance(value, str):
        return repr(value)
    written = io.BytesIO()
    told = _Told(written, protocol=4)
    told.fast = True  # equal parts are written alike, whether they are one object or two
    try:
        told.dump(value)
    except Exception:  # what cannot be written, such as a lock or a cycle, is like itself alone
        return f"{value!r} {id(value):#x}"
    return f"{type(value).__qualname__} {hashlib.sha256(written.getvalue()).hexdigest()}"
