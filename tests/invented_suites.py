"""bench.json files with known distributions, in the form that the suites write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

MACHINE: dict[str, Any] = {
    "cpu": "Invented CPU",
    "cores": 2,
    "memory_bytes": 8 * 2**30,
    "gpu": [],
    "os": "Linux",
    "python": "3.11.9",
    "versions": {"fastmlp": "0.1", "jax": "0.10.1"},
}
PROTOCOL: dict[str, Any] = {"profile": "publish", "threads": 2, "data": "MNIST", "seed": 0}
SOURCE = {"cpu": "estimated", "gpu": "absent", "ram": "estimated"}
METHOD = {"cpu": "4 W/thread x CPU time", "gpu": "none", "ram": "5 W/DIMM guess"}


def energy(compute_j: float | None, **changed: Any) -> dict[str, Any]:
    return {
        "cpu_j": compute_j,
        "compute_j": compute_j,
        "source": SOURCE,
        "method": METHOD,
        "flags": [],
        **changed,
    }


def benchmark(
    rng: np.random.Generator,
    name: str = "train-epoch",
    contender: str = "numpy",
    *,
    time_s: float = 1.0,
    noise: float = 0.05,
    rounds: int = 12,
    blocks: int = 4,
    drift: float = 0.0,
    work: float = 2.0,
    joules: float | None = None,
) -> dict[str, Any]:
    """Rounds of a noisy time per unit; drift slows down machine and probe alike."""
    slowed = 1 + drift * rng.uniform(size=rounds)
    data = time_s * slowed * rng.lognormal(0, noise, rounds)
    extra: dict[str, Any] = {
        "suite": "speed" if joules is None else "emissions",
        "contender": contender,
        "unit": "epoch",
        "work": [work] * rounds,
        "probe_s": list(0.05 * slowed * rng.lognormal(0, noise / 5, rounds)),
        "block": [round_ * blocks // rounds for round_ in range(rounds)],
        "values": {},
    }
    if joules is not None:
        extra["energy"] = [energy(joules * work * rng.lognormal(0, noise)) for _ in range(rounds)]
    return {
        "group": name,
        "name": f"test_{name}[{contender}]",
        "extra_info": extra,
        "stats": {"data": list(data)},
    }


def content(*benchmarks: dict[str, Any], **changed: Any) -> dict[str, Any]:
    machine, protocol = MACHINE | changed.pop("machine", {}), PROTOCOL | changed.pop("protocol", {})
    names = dict.fromkeys(one["extra_info"]["contender"] for one in benchmarks)
    ours = {
        "schema_version": 1,
        "fastmlp_version": "0.1.0",
        "machine": machine,
        "protocol": protocol,
        "contenders": [{"name": name, "kind": "", "description": name} for name in names],
        "absent": [],
    }
    return {
        "fastmlp": ours | changed,
        "datetime": "2026-11-25T12:00:00+00:00",
        "benchmarks": list(benchmarks),
    }


def write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
