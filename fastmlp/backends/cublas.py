"""Products by cuBLAS itself: CuPy's own call of it refuses while a CUDA graph is captured.

The functions and numbers are those of cuBLAS' documentation, section "cublasGemmEx()".
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.backends.cuda_plan import Place

WORKSPACE_BYTES = 32 * 2**20  # what cuBLAS asks for on Hopper; without, each capture allocates
DEVICE_POINTERS = 1  # results of dot products stay there
TYPES = {"float32": 0, "float64": 1}
# how float32 is multiplied: precision -> cublasComputeType_t
COMPUTE = {"float32": 68, "tf32": 77, "bfloat16": 75}
COMPUTE_FLOAT64 = 70
DEFAULT_ALGORITHM = -1
NO_TURN, TURN = 0, 1
NO_MEMORY = 3  # CUBLAS_STATUS_ALLOC_FAILED


class CublasError(RuntimeError):
    """A call was refused."""


class Cublas:
    """A handle of its own on the device that is current, for one stream.

    Parameters
    ----------
    cupy : module
    library : ctypes.CDLL
        The cuBLAS that CuPy has loaded, see `loaded_library`.
    precision : str
        "float32", "tf32" or "bfloat16": how products of float32 are computed.
    """

    def __init__(self, cupy: Any, library: Any, precision: str) -> None:
        self.library, self.precision = library, precision
        self._handle = ctypes.c_void_p()
        self._check("cublasCreate_v2", ctypes.byref(self._handle))
        self._check("cublasSetPointerMode_v2", self._handle, DEVICE_POINTERS)
        self._workspace = cupy.empty(WORKSPACE_BYTES, dtype=np.uint8)
        self._numbers = {
            name: (cupy.ones((), dtype=name), cupy.zeros((), dtype=name)) for name in TYPES
        }

    def use_stream(self, stream: Any) -> None:
        """Compute in a stream from now on."""
        self._check("cublasSetStream_v2", self._handle, ctypes.c_void_p(stream.ptr))
        # after the stream: to set it takes the workspace away
        pointer = ctypes.c_void_p(self._workspace.data.ptr)
        self._check(
            "cublasSetWorkspace_v2", self._handle, pointer, ctypes.c_size_t(WORKSPACE_BYTES)
        )

    def bind_product(
        self, arrays: list[Any], a: Place, b: Place, out: int, *, is_sum: bool
    ) -> Callable[[], None]:
        """Return the call of ``out = a @ b`` for matrices in C order, or turned ones.

        cuBLAS sees every matrix turned: it is asked for ``out.T = b.T @ a.T``.
        """
        dtype = arrays[out].dtype.name
        kind, one, zero = TYPES[dtype], *self._numbers[dtype]
        if len(a.shape) == 1:
            return self._bind_dot(arrays, a, b, out, dtype)
        (m, k), n = a.shape, b.shape[1]
        turn_a, lead_a = _turned(a)
        turn_b, lead_b = _turned(b)
        compute = COMPUTE["float32" if is_sum else self.precision]
        if dtype == "float64":
            compute = COMPUTE_FLOAT64
        arguments = (
            self._handle,
            *(turn_b, turn_a, n, m, k),
            _pointer(one),
            *(_pointer(arrays[b.slot], b.offset), kind, lead_b),
            *(_pointer(arrays[a.slot], a.offset), kind, lead_a),
            _pointer(zero),
            *(_pointer(arrays[out]), kind, n),
            *(compute, DEFAULT_ALGORITHM),
        )
        return lambda: self._check("cublasGemmEx", *arguments)

    def _bind_dot(
        self, arrays: list[Any], a: Place, b: Place, out: int, dtype: str
    ) -> Callable[[], None]:
        name = "cublasSdot_v2" if dtype == "float32" else "cublasDdot_v2"
        ends = [(_pointer(arrays[x.slot], x.offset), x.strides[0]) for x in (a, b)]
        arguments = (self._handle, a.shape[0], *ends[0], *ends[1], _pointer(arrays[out]))
        return lambda: self._check(name, *arguments)

    def _check(self, name: str, *arguments: Any) -> None:
        status = getattr(self.library, name)(*arguments)
        if status == NO_MEMORY:
            raise MemoryError(f"{name} finds no memory for itself (status {status})")
        if status != 0:
            raise CublasError(f"{name} answers with status {status}")


def loaded_library(cupy: Any) -> Any:
    """Return the cuBLAS that CuPy multiplies with, not another one beside it.

    Raises
    ------
    OSError
        It cannot be found.
    """
    ones = cupy.ones((2, 2), dtype=np.float32)
    ones @ ones  # it is loaded at the first use
    maps = Path("/proc/self/maps")
    lines = maps.read_text(encoding="utf-8").splitlines() if maps.exists() else []
    paths = [line.split(maxsplit=5)[-1] for line in lines if "/libcublas.so" in line]
    if not paths:
        raise OSError("no libcublas.so among the libraries of this process")
    return ctypes.CDLL(paths[0])


def _turned(place: Place) -> tuple[int, int]:
    """Tell whether a matrix is the transpose of one in C order, and how far its rows are apart."""
    (rows, columns), (down, right) = place.shape, place.strides
    if right == 1 or columns == 1:
        return NO_TURN, max(down, columns)
    if down == 1 or rows == 1:
        return TURN, max(right, rows)
    raise ValueError(f"strides {place.strides} are those of no matrix that cuBLAS knows")


def _pointer(array: Any, offset: int = 0) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.data.ptr + offset * array.dtype.itemsize)
