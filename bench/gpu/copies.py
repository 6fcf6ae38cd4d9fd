"""Part "copies": the ceilings of the machine, by PyTorch: to the device, within it, and products.

A step cannot be faster than its bytes over the bandwidth, nor than its operations over the rate of
the largest products; data are random, for products of zeros take less power and run faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bench.gpu.settings import Row, Settings, open_backend
from fastmlp.backends import PRECISIONS, Backend, BackendUnavailableError

ROUNDS = 7
MNIST_BYTES = 60_000 * 784
LARGE_BYTES = 2**30
WIDTH = 8192


def run(settings: Settings) -> Iterator[Row]:
    """One row per ceiling."""
    torch_backend = open_backend(settings)
    if torch_backend.device == "cpu":
        raise BackendUnavailableError("torch", "the ceilings are those of a GPU", "")
    import torch

    device = torch_backend.device
    host = torch.randint(0, 255, (MNIST_BYTES,), dtype=torch.uint8)
    for name, source in (("pageable", host), ("pinned", host.pin_memory())):
        seconds = _best_s(torch, partial(source.to, device))
        yield _row(torch_backend, f"host to device, {name}", MNIST_BYTES / seconds, "bytes_per_s")
    large = torch.randint(0, 255, (LARGE_BYTES,), dtype=torch.uint8, device=device)
    seconds = _best_s(torch, partial(torch.empty_like(large).copy_, large))
    yield _row(torch_backend, "within the device", 2 * LARGE_BYTES / seconds, "bytes_per_s")
    for precision in PRECISIONS:
        backend = open_backend(settings, precision)
        square = torch.randn(WIDTH, WIDTH, device=device)
        seconds = _best_s(torch, partial(backend.jit(torch.mm), square, square))
        yield _row(backend, f"product of {WIDTH} x {WIDTH}", 2 * WIDTH**3 / seconds, "flop_per_s")


def _best_s(torch: Any, work: Callable[[], Any]) -> float:
    """Return the shortest of some rounds: a ceiling."""
    times_s = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times_s.append(time.perf_counter() - started)
    return min(times_s[1:])


def _row(backend: Backend, what: str, rate: float, unit: str) -> Row:
    return {
        "backend": "ceiling",
        "device": backend.device,
        "precision": backend.precision,
        "what": what,
        unit: rate,
    }
