"""The machine that results were obtained on."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import fastmlp
from fastmlp.compare.config import cores


def machine_card(libraries: dict[str, str]) -> dict[str, Any]:
    """Describe CPU, GPUs, memory, operating system and versions; "" or None is unknown."""
    versions = {"fastmlp": fastmlp.__version__, **libraries}
    with suppress(PackageNotFoundError):
        versions["codecarbon"] = version("codecarbon")
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_bytes": memory_bytes(),
        "gpu": gpu_models(),
        "os": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def cpu_model() -> str:
    """Name of the processor as the operating system gives it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """Physical memory, where the operating system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def gpu_models() -> list[str]:
    """Names of the NVIDIA GPUs that the driver lists."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.stdout.strip().splitlines()
