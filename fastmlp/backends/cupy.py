"""CuPy on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from fastmlp.backends.cupy_device import find_device, import_cupy
from fastmlp.backends.cupy_loop import CupySteps
from fastmlp.backends.ladder import Ladder
from fastmlp.backends.numpy_trace import Traced
from fastmlp.backends.record import (
    GPU_BLOCK_ROWS,
    Backend,
    Function,
    check_precision,
)
from fastmlp.core.arrays import Array, Namespace

FIRST_WITH_TF32 = 80  # compute capability
PRODUCTS = {
    "float32": "COMPUTE_TYPE_DEFAULT",
    "tf32": "COMPUTE_TYPE_TF32",
    "bfloat16": "COMPUTE_TYPE_BF16",
}
TURNS = RLock()  # what CuPy is told holds for all threads
FUNCTIONS = [name for name in vars(Namespace) if not name.startswith("_")]


def create(device: str | None, precision: str = "float32") -> Backend:
    """Make the record for ``"cuda"``, ``"cuda:1"`` or ``"gpu:1"``; None is the first GPU."""
    cupy = import_cupy()
    number = find_device(cupy, device, lambda number: _try(cupy, number))
    is_new = int(cupy.cuda.Device(number).compute_capability) >= FIRST_WITH_TF32
    check_precision("cupy", f"cuda:{number}", precision, *(PRODUCTS if is_new else ()))

    def on_device(f: Function) -> Function:
        """Make the device current: CuPy computes there, wherever the arrays lie."""

        @wraps(f)
        def call(*args: Any) -> Any:
            with cupy.cuda.Device(number):
                return f(*args)

        return call

    def jit(f: Function) -> Function:
        @wraps(f)
        def call(*args: Any) -> Any:
            with _products(cupy, precision):
                return f(*args)

        return on_device(ladder.with_room(call))

    def to_device(host: Any, dtype: str) -> Array:
        return cast(Array, cupy.asarray(np.asarray(host, dtype=dtype, order="C")))

    def sync(tree: Any) -> None:
        cupy.cuda.get_current_stream().synchronize()

    xp = cast(Namespace, SimpleNamespace(**{name: _either(cupy, name) for name in FUNCTIONS}))
    ladder = Ladder(xp, CupySteps(cupy, precision).library())
    return Backend(
        name="cupy",
        device=f"cuda:{number}",
        precision=precision,
        xp=xp,
        jit=jit,
        scan=ladder.scan,
        to_device=on_device(ladder.with_room(to_device)),
        to_host=on_device(cupy.asnumpy),
        sync=on_device(sync),
        rung=lambda: ladder.rung,
        block_rows=GPU_BLOCK_ROWS,
        ahead=1,
    )


@contextmanager
def _products(cupy: Any, precision: str) -> Iterator[None]:
    """Let CuPy's own products of float32 be so, whatever the process has set, and set it back."""
    core = cupy._core  # not documented; without, products are in full
    kinds = getattr(core, "_routines_linalg", None)
    kind = getattr(kinds, PRODUCTS[precision], None)
    if kind is None or not hasattr(core, "set_compute_type"):
        yield
        return
    with TURNS:
        before = core.get_compute_type(np.float32)
        core.set_compute_type(np.float32, kind)
        try:
            yield
        finally:
            core.set_compute_type(np.float32, before)


def _try(cupy: Any, number: int) -> None:
    """Run a kernel and a product, in the same way as a training does."""
    with cupy.cuda.Device(number), _products(cupy, "float32"):
        ones = cupy.ones((2, 2), dtype=np.float32)
        float(((ones + 1.0) @ ones).sum())


def _either(cupy: Any, name: str) -> Function:
    """Return CuPy's function, but NumPy's for arrays that are being traced."""
    here, traced = getattr(cupy, name), getattr(np, name)

    def call(x: Any, /, *args: Any, **settings: Any) -> Any:
        if isinstance(x, Traced):
            return traced(x, *args, **settings)
        return here(x, *args, **settings)

    def astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
        return x.astype(dtype, copy=copy)  # as a method, which both have

    return astype if name == "astype" else call
