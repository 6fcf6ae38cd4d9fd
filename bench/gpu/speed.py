"""Part "speed": seconds of an epoch and of a step, the first epoch apart.

An epoch is the backend's own program over data that lie on the device; the clock is read when
the device has finished, before and after. Medians and quartiles, and as many epochs as fit.
"""

from __future__ import annotations

import math
import resource
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.gpu.card import STATE_FIELDS, query_gpus
from bench.gpu.problems import PROBLEMS, Problem, generated_images, mlp_recipe
from bench.gpu.rungs import rung_of
from bench.gpu.settings import Row, Settings, open_backend, precisions, where
from fastmlp.backends import Backend
from fastmlp.core import gradient_descent
from fastmlp.training import Data, Trainer, draw_params, epoch_order, one_hot, programs

DTYPE, LEARNING_RATE, SEED = "float32", 0.1, 0
LEAST_EPOCHS, MOST_EPOCHS, ORDERS = 5, 200, 3
QUICK = ("s", "gd")


def run(settings: Settings) -> Iterator[Row]:
    """Time each problem; one row for each."""
    on_gpu = open_backend(settings).device != "cpu"
    share_s = 1.2 if on_gpu and not settings.quick else 1.0
    for problem in PROBLEMS:
        if (settings.quick and problem.name not in QUICK) or not (on_gpu or problem.cpu_rows):
            continue
        for precision in precisions(settings)[:2] if on_gpu else ("float32",):
            backend = open_backend(settings, precision)
            row = measure(backend, problem, share_s)
            state = query_gpus(STATE_FIELDS) if on_gpu else []  # while it is still warm
            yield {**row, "gpu_state": state}


def measure(backend: Backend, problem: Problem, share_s: float) -> Row:
    """Time epochs of a problem, for so long."""
    n_steps, batch_size = problem.shape(backend.device)
    n = n_steps * batch_size
    images, labels = generated_images(n, SEED)
    recipe = mlp_recipe(problem.layer_sizes, gradient_descent())
    trainer = Trainer(
        backend,
        recipe,
        draw_params(problem.layer_sizes, SEED),
        learning_rate=LEARNING_RATE,
        batch_size=batch_size,
        dtype=DTYPE,
    )
    data = Data(backend.to_device(images, "uint8"), backend.to_device(one_hot(labels, 10), DTYPE))
    orders = [
        backend.to_device(epoch_order(n, SEED, epoch).reshape(n_steps, batch_size), "int32")
        for epoch in range(1, ORDERS + 1)
    ]
    epoch, carry = programs(backend, recipe).epoch, trainer.carry
    times_s: list[float] = []
    nothing_left = backend.to_device(np.empty(0), "int32")
    report: Any = None
    backend.sync((data, orders, carry))
    while not enough(times_s, share_s):
        started = time.perf_counter()
        carry, report = epoch(carry, data, orders[len(times_s) % ORDERS], nothing_left)
        backend.sync((carry, report))
        times_s.append(time.perf_counter() - started)
    finite = bool(np.isfinite(backend.to_host(report)).all())  # means, and sum |W|
    return {
        **where(backend),
        "problem": problem.name,
        "layer_sizes": problem.layer_sizes,
        "batch_size": batch_size,
        "steps_per_epoch": n_steps,
        "dtype": DTYPE,
        **rung_of(backend),
        **timed(times_s, n_steps, batch_size),
        "memory_bytes": _memory_bytes(backend),
        "ok": finite,
    }


def enough(times_s: list[float], share_s: float) -> bool:
    """At least five epochs after the first, then until the share of time is used up."""
    n, used_s = len(times_s) - 1, math.fsum(times_s[1:])
    return n >= LEAST_EPOCHS and (used_s >= share_s or n >= MOST_EPOCHS)


def timed(times_s: list[float], n_steps: int, batch_size: int) -> Row:
    """Say in a row how long epochs took: the first one apart, of the others quartiles."""
    first_s, *epochs_s = times_s
    q1, median, q3 = statistics.quantiles(epochs_s, n=4, method="inclusive")
    epoch_s = {"q1": q1, "median": median, "q3": q3}
    return {
        "first_epoch_s": first_s,
        "epochs": len(epochs_s),
        "epoch_s": epoch_s,
        "step_us": {name: 1e6 * seconds / n_steps for name, seconds in epoch_s.items()},
        "samples_per_s": n_steps * batch_size / median,
    }


def _memory_bytes(backend: Backend) -> Row:
    """Peak of this process so far, by each library's own account; the host's in any case."""
    peak: int | None = None
    if backend.name == "cupy":
        import cupy

        peak = cupy.get_default_memory_pool().total_bytes()  # held, which never shrinks here
    elif backend.device != "cpu" and backend.name == "torch":
        import torch

        peak = torch.cuda.max_memory_allocated()
    elif backend.device != "cpu" and backend.name == "jax":
        import jax

        peak = (jax.devices("gpu")[0].memory_stats() or {}).get("peak_bytes_in_use")
    host = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB on Linux
    return {"device_peak": peak, "host_peak": host}
