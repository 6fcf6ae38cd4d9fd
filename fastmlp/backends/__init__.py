"""The machines: what the array standard lacks, one small record per library."""

from __future__ import annotations

from fastmlp.backends.record import Backend, BackendUnavailableError, python_scan
from fastmlp.backends.registry import (
    BackendStatus,
    array_backend,
    backend_names,
    backend_status,
    get_backend,
    resolve_backend,
)

__all__ = [
    "Backend",
    "BackendStatus",
    "BackendUnavailableError",
    "array_backend",
    "backend_names",
    "backend_status",
    "get_backend",
    "python_scan",
    "resolve_backend",
]
