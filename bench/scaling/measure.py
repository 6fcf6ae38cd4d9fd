"""The three parts, size by size, into the document."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from bench.gpu.runner import Job, run_job
from bench.peers.configs import CONFIGS, Config
from bench.peers.problem import Form
from bench.peers.process import CPU_ONLY, threads_environment
from bench.peers.turns import START_TIMES, Plan, run_config
from bench.scaling.child import Settings
from bench.scaling.findings import BASE, COMPILED, backend_of
from bench.scaling.sizes import Sizes, crossover, growth

ROOT = Path(__file__).parents[2]


class Measure(NamedTuple):
    """How everything is timed, and where it goes."""

    document: dict[str, Any]
    forms: Sequence[Form]  # one per backend
    floor: Form
    module: str  # that lists them
    timeout_s: float
    changed: Callable[[], None]  # called after each row, or round of turns
    console: Console

    def all(self, sizes: Sizes) -> None:
        """Fill the document."""
        for config in crossover(sizes):
            self._entry("crossover", {}, config, self.forms)
        for axis, factor, config in growth(sizes):
            self._entry("growth", {"axis": axis, "factor": factor}, config, self.forms)
        compiled = [form for form in self.forms if backend_of(form._asdict()) == COMPILED]
        has_base = any(backend_of(form._asdict()) == BASE for form in self.forms)
        for name, n_rows in sizes.breakdown.items():
            config = CONFIGS[name]._replace(n_rows=n_rows)
            forms = [*compiled, self.floor] if compiled else []
            entry = self._entry("breakdown", {"config": name, "numpy": None}, config, forms)
            if has_base:
                entry["numpy"] = self._apart(name, n_rows)
                self.changed()

    def _entry(
        self, part: str, labels: dict[str, Any], config: Config, forms: Sequence[Form]
    ) -> dict[str, Any]:
        """Time one size by some contenders."""
        rows: list[Any] = []
        entry = {**labels, **config._asdict(), "rows": rows}
        self.document[part].append(entry)
        sizes = "-".join(map(str, config.layer_sizes))
        self.console.print(
            f"{part}: {sizes}, batches of {config.batch_size}, {config.n_rows} rows",
            highlight=False,
        )
        threads, turns = self.document["threads"], self.document["turns"]
        plan = Plan(config, forms, self.module, None, threads, turns, self.timeout_s)
        run_config(plan, rows, self.changed)
        return entry

    def _apart(self, name: str, n_rows: int) -> dict[str, Any]:
        """Take the NumPy step apart, in a process of its own."""
        threads, turns = self.document["threads"], self.document["turns"]
        settings = json.dumps(Settings(name, n_rows, threads, turns)._asdict())
        variables = [
            f"{key}={value}" for key, value in (threads_environment(threads) | CPU_ONLY).items()
        ]
        command = [sys.executable, "-m", "bench.scaling.child", settings]
        job = Job(name, ["env", *variables, *command], (START_TIMES + turns) * self.timeout_s)
        part = run_job(job, ROOT, job.box_s)
        kept = {key: part[key] for key in ("status", "reason", "log") if part[key]}
        return {"reason": "", **kept, "turns": part["rows"]}
