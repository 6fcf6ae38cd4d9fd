"""The inside of a child process: one part on one backend, a JSON line per row once it is known.

``python -m bench.gpu.child SETTINGS``; the parent reads the lines, see `runner`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from bench.gpu.settings import Row, Settings
from fastmlp.backends import BackendUnavailableError


def main(argument: str) -> int:
    """Run the part that the settings name; the last line says how it ended."""
    settings = Settings(**json.loads(argument))
    if settings.backend == "jax":  # beside others on the card, so none of them takes it all
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    say = line_writer()
    try:
        run: Callable[[Settings], Iterator[Row]] = import_module(f"bench.gpu.{settings.part}").run
        for row in run(settings):
            say({"row": row})
    except BackendUnavailableError as error:
        # a library that is there, beside a GPU that it cannot use, is a finding
        broken = settings.gpu and error.reason != "not installed"
        say({"end": {"status": "failed" if broken else "skipped", "reason": error.reason}})
    except Exception as error:
        traceback.print_exc()
        first_line = (str(error).splitlines() or [""])[0]
        reason = f"{type(error).__name__}: {first_line}"
        say({"end": {"status": "failed", "reason": reason}})
    else:
        say({"end": {"status": "ok", "reason": ""}})
    return 0


def line_writer() -> Callable[[dict[str, Any]], None]:
    """Keep standard output for the rows; what a library prints goes to standard error."""
    rows = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(line: dict[str, Any]) -> None:
        rows.write(json.dumps(line, allow_nan=False) + "\n")
        rows.flush()

    return say


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
