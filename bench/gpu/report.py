"""A result file, checked before anything is made of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from bench.gpu.result_file import SCHEMA_VERSION
from bench.gpu.table import one_line

Report = dict[str, Any]
Row = dict[str, Any]
CPU = "numpy"  # its rows are those of the CPU beside the GPU
BESIDE_CPU = ("agree", "speed", "train")
AGAIN = "Write it again by python -m bench.gpu, or take it away"


class ReportError(ValueError):
    """A file is no result of this protocol; the message names it and says why."""


class Kind:
    """What a field has to be."""

    def __init__(self, words: str, holds: Callable[[Any], bool]) -> None:
        self.words, self.holds = words, holds

    def or_null(self) -> Kind:
        """Return what may be left unknown."""
        return Kind(f"{self.words} or null", lambda value: value is None or self.holds(value))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


TEXT = Kind("text", lambda value: isinstance(value, str))
NUMBER = Kind("a number", _is_number)
ABOVE_0 = Kind("a number above 0", lambda value: _is_number(value) and value > 0)
COUNT = Kind("a whole number above 0", lambda value: type(value) is int and value > 0)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
LIST = Kind("a list", lambda value: isinstance(value, list))
TEXTS = Kind(
    "a list of texts", lambda value: isinstance(value, list) and all(map(TEXT.holds, value))
)
VERSIONS = Kind(
    "an object of texts",
    lambda value: isinstance(value, dict) and all(map(TEXT.or_null().holds, value.values())),
)
ERRORS = Kind(
    "an object of numbers",
    lambda value: (
        isinstance(value, dict)
        and len(value) > 0
        and all(map(NUMBER.or_null().holds, value.values()))
    ),
)
QUARTILES = Kind(
    "an object with a median above 0",
    lambda value: isinstance(value, dict) and ABOVE_0.holds(value.get("median")),
)

FILE = {
    "started": TEXT,
    "quick": FLAG,
    "card": OBJECT,
    "parts": LIST,
}
CARD = {"statement": TEXT, "gpu_found": FLAG.or_null()}
STATUSES = ("ok", "failed", "timeout", "skipped")
STATUS = Kind(f"one of {', '.join(STATUSES)}", lambda value: value in STATUSES)
PART = {"name": TEXT, "status": STATUS, "reason": TEXT, "rows": LIST}
PLACE = {"backend": TEXT, "device": TEXT}
TIMED = {**PLACE, "precision": TEXT, "problem": TEXT, "step_us": QUARTILES, "ok": FLAG}
JOULES = ("gross_j_per_epoch", "net_j_per_epoch", "mean_w", "idle_w")
ROWS = {
    "agree": {
        **PLACE,
        "dtype": TEXT,
        "precision": TEXT,
        "errors": ERRORS,
        "limit": NUMBER,
        "ok": FLAG,
    },
    "capture": {
        **PLACE,
        "optimizer": TEXT,
        "dtype": TEXT,
        "asked": TEXT,
        "rung": TEXT.or_null(),
        "rung_reason": TEXT,
        "error": NUMBER.or_null(),
        "ok": FLAG,
    },
    "speed": TIMED,
    "torch_peers": TIMED,
    "launches": {
        **PLACE,
        "asked": TEXT.or_null(),
        "launches": COUNT.or_null(),
        "launch_us": NUMBER.or_null(),
        "ok": FLAG,
    },
    "copies": {"device": TEXT, "precision": TEXT, "what": TEXT},
    "train": {
        **PLACE,
        "data": TEXT,
        "rows": COUNT,
        "history": LIST,
        "test_accuracy": NUMBER,
        "ok": FLAG,
    },
    "energy": {**PLACE, "problem": TEXT, **dict.fromkeys(JOULES, NUMBER)},
}
FAILED = {"backend": TEXT, "failed": TEXT}  # a row of what could not be measured


def read(path: Path) -> Report:
    """Return the report of a file.

    Raises
    ------
    ReportError
        It cannot be read, is damaged, or is of another version of the format.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:100]
        raise ReportError(f"{path} is no JSON, or was cut: {said}. {AGAIN}") from error
    for complaint in complaints(report):
        raise ReportError(f"{path}: {complaint}. {AGAIN}")
    return dict(report)


def rows(report: Report, part: str) -> list[Row]:
    """Return what a part measured on a GPU; of some also NumPy's rows, the CPU's beside it."""
    return [
        row
        for one in report["parts"]
        if one["name"].partition(":")[0] == part
        for row in one["rows"]
        if "failed" not in row
        and (on_gpu(row) or (part in BESIDE_CPU and row.get("backend") == CPU))
    ]


def on_gpu(row: Row) -> bool:
    """Tell whether a row itself was computed on a GPU, whatever its file says of the machine.

    Examples
    --------
    >>> [on_gpu(row) for row in ({"device": "cuda:0"}, {"device": "gpu:1"}, {"device": "cpu"}, {})]
    [True, True, False, False]
    """
    return str(row.get("device", "")).partition(":")[0] in ("cuda", "gpu")


def label(backend: str) -> str:
    """Return the name of a backend for a table: NumPy is never the GPU."""
    return f"{CPU} (CPU)" if backend == CPU else plain(backend)


def plain(text: str, most: int = 200) -> str:
    r"""Return a text as one line that Markdown does not read as anything else.

    Examples
    --------
    >>> plain("# a\n\n| b <c>")
    '\\# a \\| b &lt;c>'
    """
    words = one_line(text, most).replace("|", "\\|").replace("<", "&lt;")
    return f"\\{words}" if words.startswith(("#", "-", "*", "+", ">")) else words


def complaints(report: Any) -> Iterator[str]:
    """Yield what keeps a value from being a report, the worst first."""
    if not isinstance(report, dict):
        yield f"it holds {_shown(report)}, expected an object"
        return
    version = report.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        yield (
            f"schema_version is {_shown(version)}, expected {SCHEMA_VERSION}, the only one that "
            "this fastmlp knows"
        )
        return
    yield from _missing(report, FILE, "")
    optional = {"complete": FLAG, "planned": TEXTS}
    yield from _missing(report, {name: optional[name] for name in optional if name in report}, "")
    card = report.get("card")
    if isinstance(card, dict):
        yield from _missing(card, CARD, "card.")
        yield from _missing({"versions": {}} | card, {"versions": VERSIONS}, "card.")
    parts = report.get("parts")
    for number, part in enumerate(parts if isinstance(parts, list) else ()):
        yield from _of_part(part, f"parts[{number}]")


def _of_part(part: Any, place: str) -> Iterator[str]:
    if not isinstance(part, dict):
        yield f"{place} is {_shown(part)}, expected an object"
        return
    yield from _missing(part, PART, f"{place}.")
    name, rows = part.get("name"), part.get("rows")
    if not isinstance(name, str) or not isinstance(rows, list):
        return
    for number, row in enumerate(rows):
        where = f"{place} ({name}), row {number}"
        if not isinstance(row, dict):
            yield f"{where} is {_shown(row)}, expected an object"
            continue
        fields = ROWS.get(name.partition(":")[0], {})
        yield from _missing(row, FAILED if "failed" in row else fields, f"{where}: ")
        if fields is ROWS["copies"]:
            rates = [row[unit] for unit in ("bytes_per_s", "flop_per_s") if unit in row]
            if len(rates) != 1 or not ABOVE_0.holds(rates[0]):
                yield f"{where}: expected bytes_per_s or flop_per_s, above 0"


def _missing(found: dict[str, Any], fields: dict[str, Kind], place: str) -> Iterator[str]:
    for name, kind in fields.items():
        if name not in found:
            yield f"{place}{name} is missing, expected {kind.words}"
        elif not kind.holds(found[name]):
            yield f"{place}{name} is {_shown(found[name])}, expected {kind.words}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
