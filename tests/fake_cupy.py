"""A stand-in for CuPy on a machine without a GPU: what CuPy refuses, it refuses in CuPy's words.

Its arrays lie in host memory, and NumPy computes them. Kernels are compiled by g++, thread after
thread, now from the first and now from the last one on, and products are made by NumPy from the
addresses and numbers that cuBLAS would get. Launches and synchronisations are counted; what streams
are, and captures, is told in `fake_streams`.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from itertools import cycle
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from fake_streams import Counts, Mark, Stream
from numpy.lib.mixins import NDArrayOperatorsMixin

HAS_COMPILER = shutil.which("g++") is not None
PRELUDE = """
#include <cmath>
#define __global__
static struct { long long x; } blockIdx, blockDim, threadIdx;
"""
LAUNCH = """
extern "C" void launch(long long grid, long long block, bool backwards, void** a) {{
  blockDim.x = block;
  for (long long i = 0; i < grid * block; ++i) {{
    const long long thread = backwards ? grid * block - 1 - i : i;
    blockIdx.x = thread / block, threadIdx.x = thread % block;
    kernel({arguments});
  }}
}}
"""
COMPUTE_TYPES = ("COMPUTE_TYPE_DEFAULT", "COMPUTE_TYPE_TF32", "COMPUTE_TYPE_BF16")
REDUCTIONS = ("all", "argmax", "max", "sum")


class OutOfMemoryError(MemoryError):
    """CuPy's."""


class FakeCupy(ModuleType):
    """The module, with counts, and an error to be raised where a test wants one."""

    def __init__(self, n_devices: int | Exception = 1) -> None:
        super().__init__("cupy")
        self.refuses: dict[str, Exception] = {}  # "compile", "capture", "gemm"
        self.counts = counts = Counts(self.refuses)
        self.cublas = FakeCublas(self)
        self.devices: list[int] = []  # current ones
        self.compute_capability = "90"
        self.driver = 13000  # 13.0
        names = (
            "cos",
            "equal",
            "exp",
            "expm1",
            "log",
            "log1p",
            "maximum",
            "minimum",
            "sin",
            "sqrt",
            "tanh",
            "abs",
        )
        for name in (
            *names,
            "reshape",
            "take",
            "take_along_axis",
            "zeros_like",
            "ones_like",
            *REDUCTIONS,
        ):
            setattr(self, name, _function(counts, getattr(np, name)))
        self.finfo = np.finfo
        self.ndarray = FakeArray
        self.stack = lambda arrays, axis=0: _call(counts, np.stack, list(arrays), axis=axis)
        self.concat = lambda arrays, axis: _call(counts, np.concat, list(arrays), axis=axis)
        self.astype = lambda x, dtype, copy=True: x.astype(dtype, copy=copy)
        for name in ("ones", "zeros", "empty", "full"):
            setattr(self, name, _maker(counts, getattr(np, name)))
        self.asarray = lambda host: FakeArray(counts, np.array(host))
        self.asnumpy = self._get
        self.copyto = self._copyto
        self.RawModule = lambda code, options: _Module(self, code, options)
        self.compute_type = "COMPUTE_TYPE_TF32"  # as the user has set it for others
        self.product_types: list[str] = []
        self._core = SimpleNamespace(
            get_compute_type=lambda dtype: self.compute_type,
            set_compute_type=lambda dtype, kind: setattr(self, "compute_type", kind),
            _routines_linalg=SimpleNamespace(**{name: name for name in COMPUTE_TYPES}),
        )
        counts.multiplied = lambda: self.product_types.append(self.compute_type)
        self.cuda = SimpleNamespace(
            Device=lambda number: _Device(self, number),
            Stream=lambda non_blocking=False: Stream(counts, non_blocking),
            get_current_stream=lambda: counts.current,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            runtime=SimpleNamespace(
                getDeviceCount=lambda: _answer(n_devices),
                driverGetVersion=lambda: self.driver,
                runtimeGetVersion=lambda: 13020,
            ),
        )

    def _get(self, array: Any) -> Any:
        self.counts.read(array.mark)
        self.counts.current.synchronize()
        return array.host.copy()

    def _copyto(self, to: FakeArray, source: FakeArray) -> None:
        def copy() -> None:
            to.host[...] = source.host

        self.counts.read(source.mark, to.mark)
        to.mark = self.counts.launch(copy)

    def live_bytes(self) -> int:
        """Return the memory of all arrays that are still there."""
        memory = {}
        for array in list(self.counts.live):
            root = array.host
            while isinstance(root.base, np.ndarray):
                root = root.base
            memory[id(root)] = root.nbytes
        return sum(memory.values())


class _Device:
    def __init__(self, cupy: FakeCupy, number: int) -> None:
        self._devices, self._number = cupy.devices, number
        self.compute_capability = cupy.compute_capability

    def __enter__(self) -> None:
        self._devices.append(self._number)

    def __exit__(self, *_: Any) -> None:
        self._devices.pop()


class FakeArray(NDArrayOperatorsMixin):
    """An array that only its device can read."""

    __array_priority__ = 100

    def __init__(self, counts: Counts, host: Any, mark: Mark | None = None) -> None:
        self._counts, self.host = counts, np.asarray(host)
        self.mark = mark or counts.launch(lambda: None)
        counts.live.add(self)

    __hash__ = object.__hash__
    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    ndim = property(lambda self: self.host.ndim)
    flags = property(lambda self: self.host.flags)
    size = property(lambda self: self.host.size)
    T = property(lambda self: FakeArray(self._counts, self.host.T, self.mark))
    data = property(lambda self: SimpleNamespace(ptr=self.host.ctypes.data))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        if any(isinstance(x, np.ndarray) for x in inputs):
            raise TypeError(f"Unsupported type {np.ndarray}")
        if ufunc is np.matmul:
            self._counts.multiplied()
        return _call(self._counts, getattr(ufunc, method), *inputs, **settings)

    def __getitem__(self, index: Any) -> FakeArray:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, np.ndarray | list) for part in parts):
            raise TypeError(f"Unsupported type {np.ndarray}")
        return FakeArray(self._counts, self.host[index], self.mark)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise AssertionError("formulas write into no array")

    def __bool__(self) -> bool:
        self._counts.read(self.mark)
        self._counts.current.synchronize()
        return bool(self.host)

    def __float__(self) -> float:
        self._counts.read(self.mark)
        self._counts.current.synchronize()
        return float(self.host)

    def astype(self, dtype: Any, copy: bool = True) -> FakeArray:
        if not copy and self.dtype == dtype:
            return self
        return _call(self._counts, lambda host: host.astype(dtype), self)

    def copy(self) -> FakeArray:
        return _call(self._counts, np.copy, self)

    def fill(self, value: Any) -> None:
        self.mark = self._counts.launch(lambda: self.host.fill(value))

    def sum(self) -> FakeArray:
        return _call(self._counts, np.sum, self)


def _answer(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


def _call(counts: Counts, function: Any, *args: Any, **settings: Any) -> FakeArray:
    if counts.current.captured is not None:
        raise RuntimeError("an operation that allocates, during capture")

    def host(x: Any) -> Any:
        if isinstance(x, FakeArray):
            counts.read(x.mark)
        return [host(part) for part in x] if isinstance(x, list) else getattr(x, "host", x)

    return FakeArray(counts, function(*map(host, args), **settings))


def _function(counts: Counts, function: Any) -> Callable[..., FakeArray]:
    def call(x: Any, *args: Any, **settings: Any) -> FakeArray:
        if not isinstance(x, FakeArray) or any(isinstance(y, np.ndarray) for y in args):
            raise TypeError(f"Unsupported type {type(x)}")
        if function is np.reshape:
            return FakeArray(counts, np.reshape(x.host, *args), x.mark)
        if function is np.take:
            settings["mode"] = "wrap"
        return _call(counts, function, x, *args, **settings)

    return call


def _maker(counts: Counts, function: Any) -> Callable[..., FakeArray]:
    def make(*args: Any, dtype: Any = "float64") -> FakeArray:
        host = function(*args, dtype=dtype)
        if function is np.empty:
            host.fill(np.nan if host.dtype.kind == "f" else 99)
        return FakeArray(counts, host)

    return make


class _Module:
    def __init__(self, cupy: FakeCupy, code: str, options: tuple[str, ...]) -> None:
        if "compile" in cupy.refuses:
            raise cupy.refuses["compile"]
        assert "--fmad=false" in options
        self._counts, self._launch = cupy.counts, compiled(code)
        self._backwards = cycle((False, True))

    def get_function(self, name: str) -> Callable[..., None]:
        assert name == "kernel"

        def call(grid: tuple[int, ...], block: tuple[int, ...], arrays: tuple[Any, ...]) -> None:
            pointers = (ctypes.c_void_p * len(arrays))(*map(int, arrays))
            self._counts.launch(
                lambda: self._launch(grid[0], block[0], next(self._backwards), pointers)
            )

        return call


@cache
def compiled(code: str) -> Any:
    """Return the kernel as a function of (grid, block, pointers)."""
    (signature,) = re.findall(r"void kernel\((.*?)\)", code)
    types = [argument.rsplit(" ", 1)[0] for argument in signature.split(", ")]
    arguments = ", ".join(f"({c_type})a[{i}]" for i, c_type in enumerate(types))
    folder = Path(tempfile.gettempdir()) / "fastmlp-fake-kernels"
    folder.mkdir(exist_ok=True)
    text = PRELUDE + code + LAUNCH.format(arguments=arguments)
    name = hashlib.sha256(text.encode()).hexdigest()[:24]
    source, library = folder / f"{name}.cpp", folder / f"{name}.so"
    if not library.exists():
        source.write_text(text, encoding="utf-8")
        partial = folder / f"{name}.{id(code)}.so"
        command = ["g++", "-std=c++17", "-O0", "-ffp-contract=off", "-shared", "-fPIC"]
        subprocess.run([*command, "-o", str(partial), str(source)], check=True)
        partial.rename(library)
    function = ctypes.CDLL(str(library)).launch
    function.argtypes = [ctypes.c_longlong, ctypes.c_longlong, ctypes.c_bool, ctypes.c_void_p]
    return function


class FakeCublas:
    """Takes the calls of `fastmlp.backends.cublas` at their addresses."""

    def __init__(self, cupy: FakeCupy) -> None:
        self._cupy = cupy
        self.compute_types: list[int] = []
        self._handles: dict[int, dict[str, int]] = {}

    def cublasCreate_v2(self, handle: Any) -> int:  # noqa: N802
        """Handle 1, 2, ..."""
        handle._obj.value = len(self._handles) + 1
        self._handles[handle._obj.value] = {}
        return 0

    def cublasSetPointerMode_v2(self, handle: Any, mode: int) -> int:  # noqa: N802
        """Say where numbers lie."""
        self._handles[handle.value]["mode"] = mode
        return 0

    def cublasSetStream_v2(self, handle: Any, stream: Any) -> int:  # noqa: N802
        """Say where it computes; that takes the workspace away."""
        self._handles[handle.value].pop("workspace", None)
        self._handles[handle.value]["stream"] = stream.value or 0
        return 0

    def cublasSetWorkspace_v2(self, handle: Any, pointer: Any, size: Any) -> int:  # noqa: N802
        """Give it memory."""
        self._handles[handle.value]["workspace"] = size.value
        return 0

    def _check(self, handle: Any) -> None:
        found = self._handles[handle.value]
        assert found["mode"] == 1, "numbers lie on the device"
        assert found["workspace"] >= 2**20, "each capture would allocate"
        assert found["stream"] == self._cupy.counts.current.ptr, "on the stream of another training"

    def cublasGemmEx(self, handle: Any, *numbers: Any) -> int:  # noqa: N802
        """``C = op(A) op(B)`` of matrices stored column by column."""
        (turn_a, turn_b, m, n, k, one, a, a_type, lead_a) = numbers[:9]
        (b, b_type, lead_b, zero, c, c_type, lead_c, compute, _) = numbers[9:]
        if "gemm" in self._cupy.refuses:
            return 15
        self._check(handle)
        assert a_type == b_type == c_type
        dtype = np.dtype("float64" if a_type else "float32")
        assert _at(one, 1, dtype)[0] == 1.0
        assert _at(zero, 1, dtype)[0] == 0.0
        self.compute_types.append(compute)

        def multiply() -> None:
            left = _columns(a, (k, m) if turn_a else (m, k), lead_a, dtype)
            right = _columns(b, (n, k) if turn_b else (k, n), lead_b, dtype)
            out = _columns(c, (m, n), lead_c, dtype)
            out[...] = (left.T if turn_a else left) @ (right.T if turn_b else right)

        self._cupy.counts.launch(multiply)
        return 0

    def _dot(self, dtype: str, n: int, x: Any, step_x: int, y: Any, step_y: int, out: Any) -> int:
        def multiply() -> None:
            left = _at(x, (n - 1) * step_x + 1, np.dtype(dtype))[::step_x]
            right = _at(y, (n - 1) * step_y + 1, np.dtype(dtype))[::step_y]
            _at(out, 1, np.dtype(dtype))[0] = left @ right

        self._cupy.counts.launch(multiply)
        return 0

    def cublasSdot_v2(self, handle: Any, *numbers: Any) -> int:  # noqa: N802
        """Single precision."""
        self._check(handle)
        return self._dot("float32", *numbers)

    def cublasDdot_v2(self, handle: Any, *numbers: Any) -> int:  # noqa: N802
        """Double precision."""
        self._check(handle)
        return self._dot("float64", *numbers)


def _at(pointer: ctypes.c_void_p, size: int, dtype: np.dtype[Any]) -> Any:
    c_type = ctypes.c_double if dtype == np.float64 else ctypes.c_float
    return np.ctypeslib.as_array((c_type * size).from_address(pointer.value or 0))


def _columns(pointer: Any, shape: tuple[int, int], lead: int, dtype: np.dtype[Any]) -> Any:
    rows, columns = shape
    assert lead >= rows
    flat = _at(pointer, lead * (columns - 1) + rows, dtype)
    step = dtype.itemsize
    return np.lib.stride_tricks.as_strided(flat, shape, (step, lead * step))
