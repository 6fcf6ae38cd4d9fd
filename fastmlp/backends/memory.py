"""Memory that a device does not have, in the words of every library."""

from __future__ import annotations

MARKS = (
    "out of memory",
    "resource_exhausted",
    "resource exhausted",
    "unable to allocate",
    "memoryallocation",  # cudaErrorMemoryAllocation
    "out_of_memory",  # CUDA_ERROR_OUT_OF_MEMORY
    "alloc_failed",  # CUBLAS_STATUS_ALLOC_FAILED
    "not enough memory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of any library means that.

    Examples
    --------
    >>> is_out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes."))
    True
    >>> is_out_of_memory(RuntimeError("invalid argument"))
    False
    """
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(mark in text for mark in MARKS)
    )


def first_line(error: BaseException) -> str:
    """Return what an error says, in one line; some say nothing.

    Examples
    --------
    >>> first_line(MemoryError())
    'MemoryError'
    """
    return (str(error).strip().splitlines() or [""])[0] or type(error).__name__
