"""The machines: what the array standard lacks, one small record per library."""

from __future__ import annotations

from fastmlp.backends.record import (
    PRECISIONS,
    Backend,
    BackendUnavailableError,
    Many,
    Rung,
    check_precision,
    python_scan,
)
from fastmlp.backends.registry import (
    BackendStatus,
    array_backend,
    backend_names,
    backend_status,
    get_backend,
    resolve_backend,
)

__all__ = [
    "PRECISIONS",
    "Backend",
    "BackendStatus",
    "BackendUnavailableError",
    "Many",
    "Rung",
    "array_backend",
    "backend_names",
    "backend_status",
    "check_precision",
    "get_backend",
    "python_scan",
    "resolve_backend",
]
