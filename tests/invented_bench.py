"""Results of benchmarks that nobody ran, for the tests of the page that is written from them."""

from __future__ import annotations

from typing import Any

from bench.scaling.parts import KINDS
from bench.scaling.sizes import FULL, Sizes, crossover, growth

Document = dict[str, Any]
MACHINE = {
    "cpu": "Invented 9000",
    "cores": 4,
    "memory_bytes": 16 * 2**30,
    "gpu": [],
    "os": "Linux 6.1 x86_64",
    "python": "3.12.1",
    "versions": {"fastmlp": "0.1.0", "numpy": "2.4.0"},
}
HEAD = {
    "schema_version": 1,
    "started": "2030-01-02T03:04:05+00:00",
    "complete": True,
    "machine": MACHINE,
}
PACKAGES = {"fastmlp": "numpy", "sklearn": "scikit-learn", "floor": "numpy"}


def row(name: str, kind: str, epoch_s: float, first_s: float, /, **changed: Any) -> Document:
    """Return a contender's row of three equal turns."""
    package = PACKAGES.get(name.partition(":")[0], name.partition(":")[0])
    figures = {"epoch_s": [epoch_s] * 3, "first_turn_s": first_s, "other_share": [0.01] * 3}
    labels = {"name": name, "kind": kind, "package": package, "version": "1.2.3"}
    return {**labels, "status": "ok", "reason": "", **figures, **changed}


def run(config: str, number: int, *rows: Document, **changed: Any) -> Document:
    """Return a run of one configuration."""
    network = {"layer_sizes": [784, 128, 10], "batch_size": 128, "n_rows": 1280}
    labels = {"config": config, "run": number, "data": "images", "optimization": ["sgd", 0.1]}
    return {**labels, **network, "rows": list(rows), **changed}


def peers() -> Document:
    """Two runs of training, one of prediction; fastmlp wins s, loses m, is level on predict-1."""

    def contenders(jax_s: float) -> list[Document]:
        return [
            row("fastmlp:numpy", "fastmlp", 2.0, 2.0),
            row("fastmlp:jax", "fastmlp", jax_s, 5.0),
            row("optax:scan", "peer", 1.5, 6.0),
            row("sklearn", "peer", 4.0, 4.0),
            row("caffe", "peer", 1.0, 1.0, status="failed", reason="broken cable", epoch_s=[]),
            row("floor:blas", "floor", 0.8, 0.8),
        ]

    disturbed = [{**one, "other_share": [0.3] * 3} for one in contenders(3.0)]
    calls = {"task": "predict", "batch_size": 1}
    prediction = [
        row("fastmlp:numpy", "fastmlp", 1.0, 1.0),
        row("sklearn", "peer", 1.01, 1.0),
        row("numpy:bare", "floor", 0.5, 0.5),
    ]
    runs = [
        run("s", 1, *contenders(1.0)),
        run("m", 1, *disturbed),
        run("predict-1", 1, *prediction, **calls),
        run("s", 2, *contenders(1.2), task="train"),
    ]
    return {**HEAD, "threads": 4, "turns": 3, "runs": runs}


def scaling(sizes: Sizes = FULL) -> Document:
    """Times that follow from a size: overhead, and work in proportion to its products."""

    def rows(config: Any, backends: dict[str, tuple[float, float]]) -> list[Document]:
        steps = config.n_rows // config.batch_size
        work = config.batch_size * config.layer_sizes[1]
        return [
            row(f"fastmlp:{name}", "fastmlp", steps * (us + share * work) / 1e6, 1.0)
            for name, (us, share) in backends.items()
        ]

    backends = {"numpy": (60.0, 0.02), "jax": (10.0, 0.023), "torch": (300.0, 0.018)}
    turn = {
        "step_us": 100.0,
        "floor_us": 45.0,
        "other_share": 0.01,
        "parts_us": dict(zip(KINDS, (5.0, 4.0, 50.0, 15.0, 6.0), strict=True)),
    }
    apart = {"status": "ok", "reason": "", "turns": [turn] * 3}
    floor = [row("fastmlp:jax", "fastmlp", 1.5, 2.0), row("floor:blas", "floor", 1.0, 1.0)]
    return {
        **HEAD,
        "threads": 4,
        "turns": 3,
        "crossover": [
            {**config._asdict(), "rows": rows(config, backends)} for config in crossover(sizes)
        ],
        "growth": [
            {"axis": axis, "factor": factor, **config._asdict(), "rows": rows(config, backends)}
            for axis, factor, config in growth(sizes)
        ],
        "breakdown": [
            {"config": name, "rows": floor, "numpy": apart, "layer_sizes": [784, 128, 10]}
            for name in sizes.breakdown
        ],
    }


def cold() -> Document:
    """Two programs that ran, one that did not; the memory of a training."""
    rows = [
        {
            "name": name,
            "status": "ok",
            "reason": "",
            "wall_s": [wall_s] * 3,
            "peak_rss_bytes": [100_000_000] * 3,
            "extra_bytes": [None] * 3,
        }
        for name, wall_s in (("numpy:plain", 0.5), ("fastmlp:numpy", 0.6))
    ]
    absent = {"name": "keras", "status": "not installed", "reason": "no keras"}
    memory = {**rows[1], "extra_bytes": [5_500_000] * 3}
    tasks = [
        {"task": "start", "data": "digits", "rows": [*rows, absent]},
        {"task": "memory", "data": "images", "rows": [memory]},
    ]
    return {**HEAD, "rounds": 3, "tasks": tasks}
