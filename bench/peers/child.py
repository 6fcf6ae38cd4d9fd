"""The inside of a contender's process: JSON lines in, JSON lines out.

``python -m bench.peers.child SETTINGS`` says ``{"ready": ...}`` once its results are verified,
answers each ``{"epochs": n}`` with ``{"turn": ...}``, and an end of its input with
``{"end": ...}``. Between turns it waits for a line, and its threads for work.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from bench.gpu.child import line_writer
from bench.peers.configs import Config, check_problem, make_problem
from bench.peers.prediction import Calls, check_labels
from bench.peers.problem import Contender, Form, Optimization, Problem, Unsupported
from bench.peers.verify import WrongResultsError, weight_error
from fastmlp.backends import BackendUnavailableError
from fastmlp.training import epoch_order

PRIORITY = -15  # where the system allows it: other work then disturbs less
STATUSES: dict[type[Exception], str] = {
    Unsupported: "skipped",
    WrongResultsError: "wrong results",
    BackendUnavailableError: "not installed",
    ImportError: "not installed",
}


class Settings(NamedTuple):
    """What one process is asked to do."""

    form: str
    forms: str  # module that lists it
    config: list[Any]
    data_dir: str | None
    threads: int


def find_form(name: str, module: str, task: str) -> Form:
    """Return the form of that name for that task."""
    forms: tuple[Form, ...] = import_module(module).FORMS
    return next(form for form in forms if (form.name, form.task) == (name, task))


def main(argument: str) -> int:
    """Run the contender; the last line says how it ended."""
    say = line_writer()
    settings = Settings(**json.loads(argument))
    sizes, batch_size, n_rows, optimization, task = settings.config
    config = Config(tuple(sizes), batch_size, n_rows, Optimization(*optimization), task)
    try:
        form = find_form(settings.form, settings.forms, task)
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        problem = make_problem(config, settings.data_dir, settings.threads)
        ready = {"version": _version(form.package), "weight_error": _verify(form, problem)}
        for answer in _turns(form, problem, ready):
            say(answer)
        end: dict[str, Any] = {"status": "ok", "reason": "", "peak_rss_bytes": peak_rss_bytes()}
    except Exception as error:
        traceback.print_exc()
        end = _end(error)
    say({"end": end})
    return 0


def _verify(form: Form, problem: Problem) -> float | None:
    """Let a contender show that it computes what it should; of training, say how nearly."""
    if form.task == "predict":
        check_labels(form.make(problem), problem)
    elif form.kind != "floor":
        check = check_problem(problem)
        return weight_error(form.make(check), check)
    return None


def _turns(form: Form, problem: Problem, ready: dict[str, Any]) -> Iterator[dict[str, Any]]:
    made = form.make(problem)
    contender: Contender = Calls(made, problem) if form.task == "predict" else made
    yield {"ready": ready}
    n, epoch = problem.X.shape[0], 0
    for line in sys.stdin:
        epochs = range(epoch + 1, epoch + 1 + json.loads(line)["epochs"])
        epoch += len(epochs)
        orders = [epoch_order(n, 0, number) for number in epochs]
        before = busy_s(), time.process_time(), time.perf_counter()
        contender.run(orders)
        after = busy_s(), time.process_time(), time.perf_counter()
        machine_s, own_s, turn_s = (b - a for a, b in zip(before, after, strict=True))
        other_s = max(0.0, machine_s - own_s)
        yield {"turn": {"epochs": len(epochs), "turn_s": turn_s, "other_s": other_s}}


def busy_s() -> float:
    """CPU time that went to work, or to another machine, since the start; NaN: it is not told."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return float("nan")
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def peak_rss_bytes() -> int:
    """Most memory that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would tell what the parent held, if that is more
        lines = status.read_text(encoding="utf-8").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _end(error: Exception) -> dict[str, Any]:
    """Say how an exception ends a contender, in the words of its own message."""
    message = (str(error).splitlines() or [""])[0]
    for kind, status in STATUSES.items():
        if isinstance(error, kind):
            return {"status": status, "reason": message}
    return {"status": "failed", "reason": f"{type(error).__name__}: {message}"}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
