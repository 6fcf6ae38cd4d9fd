"""A backend on a rung of its choice, to compare rungs with each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastmlp.backends import Backend, Rung
from fastmlp.backends.ladder import PLAIN, Ladder, Library
from fastmlp.backends.record import python_scan

RUNGS = {"cupy": ("captured", "fused", PLAIN), "torch": ("captured", PLAIN)}


def on_rung(backend: Backend, rung: str) -> Backend:
    """Return the record with a scan that begins at a rung, and goes down from there."""
    if rung == PLAIN:
        return replace(backend, scan=python_scan(backend.xp), rung=lambda: Rung(PLAIN, ""))
    library = _library(backend)
    lower = library.rungs[library.rungs.index(rung) :]
    ladder = Ladder(backend.xp, library._replace(rungs=lower))
    return replace(backend, scan=ladder.scan, rung=lambda: ladder.rung)


def _library(backend: Backend) -> Library:
    if backend.name == "cupy":
        import cupy

        from fastmlp.backends.cupy_loop import CupySteps

        return CupySteps(cupy, backend.precision).library()
    import torch

    from fastmlp.backends.torch_loop import cuda_capture, torch_library

    return torch_library(torch, cuda_capture(torch))


def rung_of(backend: Backend) -> dict[str, Any]:
    """Say in a row which rung ran, and why no higher one."""
    name, reason = backend.rung()
    return {"rung": name or None, "rung_reason": reason}
