"""Part "launches": what a step of s costs on each rung, and how many launches it is.

A small network on a GPU is bound by launches: the time of a step over their number is the cost of
one. JAX says how many kernels its program has; PyTorch's own profiler counts what ran.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bench.gpu.problems import PROBLEMS, generated_images, mlp_recipe
from bench.gpu.rungs import RUNGS, on_rung
from bench.gpu.settings import Row, Settings, open_backend
from bench.gpu.speed import measure
from fastmlp.backends import Backend, BackendUnavailableError
from fastmlp.core import gradient_descent
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

STEPS = 8


def run(settings: Settings) -> Iterator[Row]:
    """One row per rung."""
    backend = open_backend(settings)
    if backend.device == "cpu":
        raise BackendUnavailableError(backend.name, "nothing is launched on a CPU", "")
    for rung in RUNGS.get(backend.name, ("",)):
        standing = on_rung(backend, rung) if rung else backend
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            row = measure(standing, PROBLEMS[0], 1.0)
            launches = COUNT[backend.name](standing)
        per_launch = row["step_us"]["median"] / launches if launches else None
        yield {**row, "asked": rung or None, "launches": launches, "launch_us": per_launch}


def _epoch(backend: Backend) -> tuple[Trainer, Any, Any]:
    """Return a trainer of s, its data and an order of a few steps."""
    problem = PROBLEMS[0]
    images, labels = generated_images(STEPS * problem.batch_size, 0)
    trainer = Trainer(
        backend,
        mlp_recipe(problem.layer_sizes, gradient_descent()),
        draw_params(problem.layer_sizes, 0),
        learning_rate=0.1,
        batch_size=problem.batch_size,
        dtype="float32",
    )
    return trainer, trainer.place(images, one_hot(labels, 10)), epoch_order(len(images), 0, 1)


def _cupy_launches(backend: Backend) -> int | None:
    """Count calls of a step that was planned; nobody counts those of the formulas."""
    from fastmlp.backends.cupy_loop import CupyStep

    counts: list[int] = []
    play = CupyStep.play

    def counted(self: CupyStep, carry: Any, xs: Any) -> Any:
        counts.append(len(self.calls))
        return play(self, carry, xs)

    CupyStep.play = counted  # type: ignore[method-assign]
    try:
        trainer, data, order = _epoch(backend)
        trainer.train(data, [order])
    finally:
        CupyStep.play = play  # type: ignore[method-assign]
    return counts[0] if counts else None


def _torch_launches(backend: Backend) -> int | None:
    import torch

    trainer, data, order = _epoch(backend)
    trainer.train(data, [order])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        trainer.train(data, [order])
        trainer.backend.sync(trainer.carry)
    kernels = [event for event in profile.events() if "Memcpy" not in event.name]
    return round(len(kernels) / STEPS) or None


def _jax_launches(backend: Backend) -> int | None:
    """Count fusions and library calls in the body of the compiled loop."""
    import jax

    texts: list[str] = []

    def jit(f: Any) -> Any:
        program = jax.jit(f)

        def call(*args: Any) -> Any:
            with jax.enable_x64(True), jax.default_matmul_precision("float32"):
                if f.__name__ == "epoch":
                    texts.append(program.lower(*args).compile().as_text() or "")
                return program(*args)

        return call

    trainer, data, order = _epoch(replace(backend, jit=jit))
    trainer.train(data, [order])
    return kernels_of_loop(texts[0]) if texts else None


def kernels_of_loop(text: str) -> int | None:
    """Return how many kernels the body of the largest loop of an XLA program launches."""
    computations = re.split(r"\n(?=[%\w])", text)
    bodies = set(re.findall(r"body=%?([\w.\-]+)", text))
    found = [
        len(re.findall(r"= \S+ (?:fusion|custom-call|dot)\(", computation))
        for computation in computations
        if re.match(r"%?([\w.\-]+)", computation).group(1) in bodies  # type: ignore[union-attr]
    ]
    return max(found, default=0) or None


COUNT: dict[str, Any] = {
    "cupy": _cupy_launches,
    "torch": _torch_launches,
    "jax": _jax_launches,
}
