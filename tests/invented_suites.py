"""bench.json files with known distributions, in the form that the suites write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.energy import MODELS, EnergyResult

MACHINE: dict[str, Any] = {
    "cpu": "Invented CPU",
    "cores": 2,
    "memory_bytes": 8 * 2**30,
    "gpu": [],
    "os": "Linux",
    "python": "3.11.9",
    "versions": {"fastmlp": "0.1", "jax": "0.10.1"},
}
PROTOCOL: dict[str, Any] = {
    "profile": "publish",
    "threads": 2,
    "data": "mnist",
    "seed": 0,
    "target": 0.97,
    "layer_sizes": [784, 128, 10],
    "batch_size": 128,
    "learning_rate": 0.3,
    "dtype": "float32",
}
SOURCE = {"cpu": "estimated", "gpu": "absent", "ram": "estimated"}
METHOD = {"cpu": "4 W/thread x CPU time", "gpu": "none", "ram": "5 W/DIMM guess"}


def energy(compute_j: float | None, **changed: Any) -> dict[str, Any]:
    result = EnergyResult(
        wall_s=6.0,
        cpu_s=6.0,
        cpu_j=compute_j,
        gpu_j=None,
        ram_j=60.0,
        source=SOURCE if compute_j else SOURCE | {"cpu": "absent"},
        method=METHOD,
        device="cpu",
        model_j={} if compute_j is None else dict.fromkeys(MODELS, 1.5 * compute_j),
    )
    return {**result.to_dict(), **changed}


def benchmark(
    rng: np.random.Generator,
    name: str = "train-epoch",
    contender: str = "numpy",
    *,
    time_s: float = 1.0,
    noise: float = 0.05,
    rounds: int = 12,
    blocks: int = 6,
    drift: float = 0.0,
    halved: float = 0.0,
    apart: float = 0.0,
    work: float = 2.0,
    joules: float | None = None,
) -> dict[str, Any]:
    """Rounds of a noisy time per unit; drift slows down machine and probe alike.

    Some processes have half a machine, which a probe of one thread does not notice; and joules
    differ from process to process by ``apart``.
    """
    slowed = 1 + drift * rng.uniform(0.5, 1, rounds)
    block = np.arange(rounds) * blocks // rounds
    shared = np.where(rng.uniform(size=blocks) < halved, 2.0, 1.0)[block]
    data = time_s * shared * slowed * rng.lognormal(0, noise, rounds)
    extra: dict[str, Any] = {
        "suite": "speed" if joules is None else "emissions",
        "contender": contender,
        "unit": "epoch",
        "work": [work] * rounds,
        "probe_s": list(0.05 * slowed * rng.lognormal(0, noise / 5, rounds)),
        "block": block.tolist(),
        "values": {},
    }
    if joules is not None:
        of_process = rng.lognormal(0, apart, blocks)[block] if apart else np.ones(rounds)
        extra["energy"] = [
            energy(joules * work * factor * rng.lognormal(0, noise)) for factor in of_process
        ]
    return {
        "group": name,
        "name": f"test_{name}[{contender}]",
        "extra_info": extra,
        "stats": {"data": list(data)},
    }


def whole(
    times_s: dict[str, float], joules: dict[str, float], *, seed: int = 0, **changed: Any
) -> dict[str, Any]:
    """All figures of some contenders, with the time and the joules of an epoch of each."""
    rng, found = np.random.default_rng(seed), []
    for name, time_s in times_s.items():
        for group in ("step", "train-epoch"):
            part = 1.0 if group == "train-epoch" else 0.002
            found.append(benchmark(rng, group, name, time_s=part * time_s))
        for group, part in (("first-epoch", 3.0), ("train-energy", 1.0), ("predict-energy", 0.1)):
            rounds = 6 if group == "first-epoch" else 12
            found.append(
                benchmark(
                    rng,
                    group,
                    name,
                    time_s=part * time_s,
                    rounds=rounds,
                    joules=part * joules[name],
                )
            )
        trained = benchmark(rng, "train-to-97", name, time_s=4 * time_s, rounds=5, blocks=1)
        trained["extra_info"] |= {
            "suite": "accuracy",
            "values": {"ways": _ways(), "n_test": 10_000},
        }
        found.append(trained)
    return content(*found, **changed)


def _ways() -> list[dict[str, Any]]:
    accuracy = [0.92, 0.95, 0.965, 0.971, 0.974]
    return [
        {"seed": seed, "accuracy": accuracy, "loss": [0.3, 0.2, 0.15, 0.1, 0.09], "epochs": 4}
        for seed in range(5)
    ]


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
