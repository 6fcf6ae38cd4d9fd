"""Part "sweep": network s with batches of 32 rows up to all of them: where a GPU begins to pay."""

from __future__ import annotations

from collections.abc import Iterator

from bench.gpu.problems import PROBLEMS, Problem
from bench.gpu.settings import Row, Settings, open_backend
from bench.gpu.speed import measure

BATCHES = (32, 128, 512, 2048, 8192, 60_000)
GPU_STEPS, CPU_STEPS = 64, 8  # of an epoch, where the rows allow it
GPU_ROWS, CPU_ROWS = 60_000, 8192


def run(settings: Settings) -> Iterator[Row]:
    """One row per batch size."""
    backend = open_backend(settings)
    on_gpu = backend.device != "cpu"
    most, steps = (GPU_ROWS, GPU_STEPS) if on_gpu else (CPU_ROWS, CPU_STEPS)
    layer_sizes = PROBLEMS[0].layer_sizes
    for batch_size in BATCHES:
        if batch_size <= most:
            rows = min(steps, most // batch_size) * batch_size
            problem = Problem(f"s{batch_size}", layer_sizes, batch_size, rows, rows)
            yield measure(backend, problem, 0.5)
