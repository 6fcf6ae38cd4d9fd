"""Part "card": what machine this is. Asks, and changes nothing; a question may go unanswered."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fastmlp
from bench.gpu import cuda
from bench.gpu.settings import Row, Settings

ROOT = Path(__file__).parents[2]
ANSWER_S = 4.0
_silent: set[str] = set()  # commands that gave no answer in time, and are not asked again
GPU_FIELDS = (
    *("name", "uuid", "pci.bus_id", "driver_version", "compute_cap", "memory.total", "memory.used"),
    *("clocks.sm", "clocks.mem", "clocks.max.sm", "clocks.max.mem", "power.draw", "power.limit"),
    *("temperature.gpu", "pstate", "persistence_mode", "ecc.mode.current", "mig.mode.current"),
)
STATE_FIELDS = ("uuid", "clocks.sm", "clocks.mem", "temperature.gpu", "power.draw")
PACKAGES = ("numpy", "cupy", "jax", "jaxlib", "torch", "scikit-learn", "array-api-compat")
# Only named where they are installed.
CUDA_PACKAGES = (
    *("cupy-cuda13x", "cupy-cuda12x", "jax-cuda13-plugin", "jax-cuda12-plugin"),
    *("nvidia-cublas", "nvidia-cublas-cu12", "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12"),
)
VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "NVIDIA_TF32_OVERRIDE"),
    *("XLA_FLAGS", "XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_PYTHON_CLIENT_MEM_FRACTION"),
    *("JAX_PLATFORMS", "JAX_ENABLE_X64", "JAX_DEFAULT_MATMUL_PRECISION"),
    *("CUPY_TF32", "CUPY_ACCELERATORS", "CUPY_ENABLE_UMP"),
    *("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "PYTORCH_CUDA_ALLOC_CONF"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
)


def run(settings: Settings) -> Iterator[Row]:
    """One row per question; together they are the file's ``card``."""
    yield {"machine": _machine()}
    yield {"versions": _versions()}
    yield {"env": {name: os.environ.get(name) for name in VARIABLES}}
    yield {"git": _git()}
    yield {"cuda": cuda.card()}
    gpus = query_gpus(GPU_FIELDS)
    yield {"gpus": None if "nvidia-smi" in _silent else gpus}


def has_gpu(card: Row) -> bool | None:
    """Tell whether a CUDA program finds a device; None where nobody could be asked.

    The tool's list counts where the driver says nothing.
    """
    devices = card.get("cuda", {}).get("devices")
    if devices is not None:
        return bool(devices > 0)
    return None if card.get("gpus") is None else bool(card["gpus"])


def query_gpus(fields: Sequence[str]) -> list[Row]:
    """Ask nvidia-smi, field by field where an older one does not know them all.

    All questions together may take `ANSWER_S`. One that has taken longer is not asked again.
    """
    deadline = time.monotonic() + ANSWER_S
    answers = _nvidia_smi(fields, deadline)
    if answers is not None:
        return [dict(zip(fields, answer, strict=True)) for answer in answers]
    gpus: list[Row] = []
    for field in fields:
        answers = _nvidia_smi((field,), deadline) or []
        gpus += [{} for _ in range(len(answers) - len(gpus))]
        for gpu, answer in zip(gpus, answers, strict=False):
            gpu[field] = answer[0]
    return gpus


def _nvidia_smi(fields: Sequence[str], deadline: float) -> list[list[str | None]] | None:
    """Return the values of each GPU, or None where the question is refused."""
    question = ("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader")
    output = _output(*question, most_s=deadline - time.monotonic())
    if output is None:
        return None
    rows = [[value.strip() for value in line.split(",")] for line in output.split("\n") if line]
    if any(len(row) != len(fields) or not "".join(row).isprintable() for row in rows):
        return None
    return [[None if value.startswith("[") else value for value in row] for row in rows]


def _machine() -> Row:
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions() -> Row:
    found = {name: _version(name) for name in (*PACKAGES, *CUDA_PACKAGES)}
    listed = {name: v for name, v in found.items() if v or name in PACKAGES}
    return {"python": platform.python_version(), "fastmlp": fastmlp.__version__} | listed


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git() -> Row:
    changes = _output("git", "status", "--porcelain")
    return {
        "commit": (_output("git", "rev-parse", "HEAD") or "").strip() or None,
        "changed": None if changes is None else bool(changes),
    }


def _output(*command: str, most_s: float = ANSWER_S) -> str | None:
    """Return what a command prints, or None: it is missing, fails, is no text or takes too long."""
    if command[0] in _silent or most_s <= 0:
        return None
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None
    try:
        said, _ = process.communicate(timeout=most_s)
        return said.decode() if process.returncode == 0 else None
    except subprocess.TimeoutExpired:
        _silent.add(command[0])
        return None
    except UnicodeDecodeError:
        return None
    finally:
        process.kill()
        if process.stdout:
            process.stdout.close()
        # within a driver that hangs it may not even die: then it is not waited for
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
