"""Part "jax_options": what JAX's own switches are worth for network s, each against its defaults.

``unroll`` puts several steps into one turn of the loop; ``donate`` lets the carry be written over;
``while in graph`` asks XLA to put the loop itself into a CUDA graph. A switch that this XLA does
not have is told, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from bench.gpu.problems import PROBLEMS
from bench.gpu.settings import Row, Settings, open_backend
from bench.gpu.speed import measure
from fastmlp.backends import Backend, BackendUnavailableError

GRAPHS = "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,WHILE"
SHARE_S = 0.6


def run(settings: Settings) -> Iterator[Row]:
    """One row per switch."""
    backend = open_backend(settings)
    if backend.device == "cpu":
        raise BackendUnavailableError("jax", "the switches are those of a GPU", "")
    for name, changed in VARIANTS.items():
        try:
            yield {**measure(changed(backend), PROBLEMS[0], SHARE_S), "option": name}
        except Exception as error:  # the other switches are worth knowing
            reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
            yield {"backend": "jax", "option": name, "failed": reason}


def unrolled(steps: int) -> Callable[[Backend], Backend]:
    """Put so many steps into one turn of the loop."""

    def change(backend: Backend) -> Backend:
        import jax

        def scan(f: Any, carry: Any, xs: Any, shared: Any) -> Any:
            return jax.lax.scan(lambda carry, x: f(carry, x, shared), carry, xs, unroll=steps)

        return replace(backend, scan=scan)

    return change


def compiled(**options: Any) -> Callable[[Backend], Backend]:
    """Compile with options of `jax.jit`."""

    def change(backend: Backend) -> Backend:
        import jax

        def jit(f: Any) -> Any:
            is_epoch = f.__name__ == "epoch"
            program = jax.jit(f, **options) if is_epoch else jax.jit(f)

            def call(*args: Any) -> Any:
                with jax.enable_x64(True), jax.default_matmul_precision("float32"):
                    return program(*args)

            return call

        return replace(backend, jit=jit)

    return change


VARIANTS: dict[str, Callable[[Backend], Backend]] = {
    "defaults": lambda backend: backend,
    "unroll 2": unrolled(2),
    "unroll 4": unrolled(4),
    "unroll 8": unrolled(8),
    "donate": compiled(donate_argnums=0),
    "while in graph": compiled(compiler_options={"xla_gpu_enable_command_buffer": GRAPHS}),
    "small graphs": compiled(compiler_options={"xla_gpu_graph_min_graph_size": 1}),
}
