"""Part "energy": joules of an epoch by the counter of the board, and what the board takes idle.

A window begins and ends where the counter changes, after the device has finished, so its error is
at most two steps of the counter. Joules are gross: what the board took, its idling included; net is
without the watts that it took just before, idle and with its libraries loaded. The host's energy is
not in them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.gpu import cuda
from bench.gpu.problems import PROBLEMS, Problem, generated_images, mlp_recipe
from bench.gpu.rungs import rung_of
from bench.gpu.settings import Row, Settings, open_backend, where
from fastmlp.backends import Backend, BackendUnavailableError
from fastmlp.core import gradient_descent
from fastmlp.energy.nvml import Nvml, NvmlError
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

WINDOW_S, IDLE_S = 8.0, 4.0
NAMES = ("s", "l")
LONGEST_STEP_S = 1.0  # of a counter: NVIDIA's take 20 to 100 ms


def run(settings: Settings) -> Iterator[Row]:
    """One row per problem."""
    backend = open_backend(settings)
    if backend.device == "cpu":
        raise BackendUnavailableError(backend.name, "the counter is that of a GPU", "")
    read = counter(f"cuda:{cuda.number_of(backend)}")
    window_s = WINDOW_S / 4 if settings.quick else WINDOW_S
    for problem in PROBLEMS:
        if problem.name in NAMES:
            yield measure(backend, problem, read, window_s)


def counter(device: str) -> Callable[[], float]:
    """Return what reads the joules of the GPU that CUDA calls ``device``, as in "cuda:1".

    Raises
    ------
    NvmlError
        There is no such counter, or no telling whose it is.
    """
    nvml = Nvml()
    try:
        uuid = cuda.uuid(int(device.partition(":")[2] or 0))
    except cuda.CudaError as error:
        raise NvmlError(f"{device} is not to be told from other GPUs: {error}") from error
    try:
        handle = nvml.device(uuid)
    except NvmlError as error:
        raise NvmlError(f"{device} is {uuid}, a GPU or a part of one (MIG): {error}") from error
    return lambda: nvml.energy_j(handle)


def measure(backend: Backend, problem: Problem, read: Callable[[], float], window_s: float) -> Row:
    """Train epoch after epoch for so long, and say what they took."""
    n_steps, batch_size = problem.shape(backend.device)
    n = n_steps * batch_size
    images, labels = generated_images(n, 0)
    trainer = Trainer(
        backend,
        mlp_recipe(problem.layer_sizes, gradient_descent()),
        draw_params(problem.layer_sizes, 0),
        learning_rate=0.1,
        batch_size=batch_size,
        dtype="float32",
    )
    data, order = trainer.place(images, one_hot(labels, 10)), epoch_order(n, 0, 1)
    trainer.train(data, [order])

    def epoch() -> None:
        trainer.train(data, [order])
        backend.sync(trainer.carry)

    epoch()
    idle_j, idle_s, _ = window(read, lambda: time.sleep(0.01), min(IDLE_S, window_s))
    gross_j, seconds, epochs = window(read, epoch, window_s)
    idle_w = idle_j / idle_s
    return {
        **where(backend),
        **rung_of(backend),
        "problem": problem.name,
        "source": "NVML energy counter of the board: measured",
        "epochs": epochs,
        "window_s": seconds,
        "idle_w": idle_w,
        "mean_w": gross_j / seconds,
        "gross_j_per_epoch": gross_j / epochs,
        "net_j_per_epoch": (gross_j - idle_w * seconds) / epochs,
        "samples_per_j": epochs * n / gross_j,
    }


def window(
    read: Callable[[], float], work: Callable[[], Any], least_s: float
) -> tuple[float, float, int]:
    """Return joules, seconds and how often the work was done, from edge to edge of the counter."""
    start_j, start_s = edge(read)
    done = 0
    while done == 0 or time.perf_counter() - start_s < least_s:
        work()
        done += 1
    end_j, end_s = edge(read)
    return end_j - start_j, end_s - start_s, done


def edge(read: Callable[[], float]) -> tuple[float, float]:
    """Wait until the counter changes; return its value and the clock."""
    before, started = read(), time.perf_counter()
    while (now := read()) == before:
        if time.perf_counter() - started > LONGEST_STEP_S:
            raise NvmlError(f"the counter stood still for {LONGEST_STEP_S:g} s")
        time.sleep(0.001)
    return now, time.perf_counter()
