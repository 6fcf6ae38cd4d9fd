"""Results that nobody measured: complete, half-way, wide, empty."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fastmlp.compare.results import Results, Run

EXPLAIN = (
    "28 J in 2 s (estimated): CPU 8 J estimated (4 W/thread x CPU time); GPU absent (no GPU); "
    "RAM 20 J estimated (5 W/DIMM guess); a model, so it tells little that time does not."
)
CUPY_HINT = "pip install 'fastmlp[cupy13]' (CUDA 13) or [cupy12] (CUDA 12), with an NVIDIA GPU"


def history(epochs: int, shift: float = 0.0) -> dict[str, list[float]]:
    loss = [2.3 * math.exp(-0.25 * epoch) + 0.02 + shift for epoch in range(epochs)]
    accuracy = [1.0 - 0.9 * math.exp(-0.4 * epoch) for epoch in range(epochs)]
    return {
        "loss": loss,
        "accuracy": accuracy,
        "test_loss": [value + 0.04 for value in loss],
        "test_accuracy": [value - 0.025 for value in accuracy],
    }


def complete(backend: str, first_s: float, epoch_s: float, epochs: int = 20, **fields: Any) -> Run:
    """Return a run whose epochs 2, 3, ... spread by 2 % around epoch_s."""
    steady = [epoch_s * (1 + 0.02 * (-1) ** epoch * (epoch > 2)) for epoch in range(2, epochs + 1)]
    return Run(
        backend,
        status="ok",
        **{
            "device": "cpu",
            "version": "1.2.3",
            "test_accuracy": 0.9722,
            "test_loss": 0.09004,
            "first_call_s": first_s,
            "epoch_s": [first_s, *steady],
            "samples_per_s": 1438 / epoch_s if epochs > 1 else None,
            "history": history(epochs),
            **fields,
        },
    )


def joules(
    energy_j: float, source: str = "estimated", flags: tuple[str, ...] = ()
) -> dict[str, Any]:
    window = {
        "cpu_j": 8.0,
        "gpu_j": None,
        "ram_j": 20.0,
        "source": {"cpu": source, "gpu": "absent", "ram": source},
        "method": {"cpu": "4 W/thread x CPU time", "gpu": "no GPU", "ram": "5 W/DIMM guess"},
        "flags": list(flags),
    }
    return {
        "energy_j": energy_j,
        "energy_source": source,
        "co2e_mg": energy_j / 3.6e6 * 56.04 * 1000,
        "energy": {"window": window, "explain": EXPLAIN},
    }


def results(*runs: Run, **config: Any) -> Results:
    grid = {"zone": "FRA", "g_per_kwh": 56.04, "year": 2023, "source": "CodeCarbon 3.3.2"}
    return Results(
        created="2026-11-23T18:30:00+00:00",
        fastmlp_version="0.1.0",
        machine={
            "cpu": "Invented CPU",
            "cores": 2,
            "memory_bytes": 25_000_000_000,
            "gpu": [],
            "os": "Linux 6.1",
            "python": "3.11.7",
            "versions": {"numpy": "2.4.6"},
        },
        config={
            "dataset": "digits",
            "source": "UCI",
            "n_train": 1438,
            "n_test": 359,
            "n_features": 64,
            "n_classes": 10,
            "hidden": [64],
            "activation": "relu",
            "optimizer": "gradient_descent",
            "learning_rate": 0.3,
            "batch_size": 32,
            "epochs": 20,
            "seed": 0,
            "dtype": "float32",
            "threads": 2,
            "grid": grid,
            "backends": [run.backend for run in runs],
            **config,
        },
        runs=list(runs),
    )


def sample() -> Results:
    return results(
        complete("numpy", 0.004, 0.00387, speed_ratio=3.23, **joules(1.1)),
        complete("jax", 0.45, 0.0013, speed_ratio=9.61, **joules(0.7)),
        Run("cupy", reason="not installed", hint=CUPY_HINT),
        Run("torch", reason="not installed", hint="pip install 'fastmlp[torch]'"),
        complete("keras", 1.9, 0.0125, is_reference=True, speed_ratio=1.0, **joules(5.1)),
    )


def half_way() -> Results:
    """Return results of which one contender diverged, and one was interrupted half-way."""
    jax = complete("jax", 0.45, 0.0013, 7)
    jax.status, jax.reason, jax.history = (
        "interrupted",
        "interrupted after 7 of 20 epochs",
        history(7),
    )
    torch = complete("torch", 0.01, 0.006, 3)
    torch.status, torch.reason = "failed", "DivergenceError: training diverged in epoch 4"
    return results(complete("numpy", 0.004, 0.00387, **joules(1.1)), jax, torch)


def no_energy() -> Results:
    reason = {"reason": "CodeCarbon is missing: pip install 'fastmlp[energy]'"}
    grid = {"zone": "FRA", "g_per_kwh": None, "year": None, "source": "CodeCarbon is missing"}
    runs = (
        complete(name, 0.1, 0.02, energy=reason, is_reference=name == "keras", speed_ratio=1.0)
        for name in ("numpy", "keras")
    )
    return results(*runs, grid=grid)


def on_gpus() -> Results:
    """Return MNIST on eight contenders with long names, wide spreads and mixed sources."""
    runs = [
        complete(
            f"{name}",
            0.5 * place + 0.1,
            0.004 * 4**place,
            10,
            device="cuda:0",
            test_accuracy=0.97 + 0.0001 * place,
            samples_per_s=60_000 / (0.004 * 4**place),
            speed_ratio=1234.5 / 4**place,
            **joules(2.0 * 4**place, "measured" if place % 2 else "estimated"),
        )
        for place, name in enumerate(
            (
                "numpy",
                "jax",
                "cupy",
                "torch",
                "strict",
                "dpnp",
                "a-plugin-with-a-long-name",
                "keras",
            )
        )
    ]
    runs[-1].is_reference = True
    return results(
        *runs, dataset="mnist", n_train=60_000, n_test=10_000, n_features=784, hidden=[128, 64]
    )


def long_reasons() -> Results:
    reason = (
        "its process ended with code -11: " + "no/blank/in/this/path" * 30 + " <script>x</script>"
    )
    return results(complete("numpy", 0.004, 0.00387), Run("jax", status="failed", reason=reason))


CASES: dict[str, Callable[[], Results]] = {
    "sample": sample,
    "half way": half_way,
    "one epoch": lambda: results(
        complete("numpy", 0.2, 0.1, 1), complete("keras", 2.0, 0.1, 1, is_reference=True), epochs=1
    ),
    "one backend": lambda: results(complete("numpy", 0.004, 0.00387, **joules(1.1))),
    "no reference": lambda: results(
        complete("numpy", 0.004, 0.00387, **joules(1.1)), complete("jax", 0.4, 0.001, **joules(0.7))
    ),
    "no energy": no_energy,
    "gpus": on_gpus,
    "long reasons": long_reasons,
    "nothing ran": lambda: results(Run("jax", reason="not installed", hint="pip install jax")),
    "short window": lambda: results(
        complete("numpy", 0.004, 0.00387, **joules(1.1, flags=("short_window",)))
    ),
}
