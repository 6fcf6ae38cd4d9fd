"""bench.json: pytest-benchmark's own form, with what our suites add to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastmlp.energy import EnergyResult

SCHEMA_VERSION = 1
ACCURACY = "accuracy"  # the suite whose rounds are seeds: different work, and the same in each run
INTERRUPTED = "interrupted in turn "  # begins what `failed` says of a run that was stopped
KEY = "fastmlp"  # of what is ours, beside pytest-benchmark's own keys
MOST = 1e15  # of anything, units of work and bytes included: quotients stay finite
REMEDY = "measure again with: fastmlp bench run"


class Figure(NamedTuple):
    """One quantity of one contender, round by round."""

    name: str  # "train-epoch"
    suite: str  # "speed", "accuracy" or "emissions"
    contender: str
    unit: str  # what one unit of work is: "epoch"
    work: tuple[float, ...]  # units of each round
    unit_s: tuple[float, ...]  # seconds per unit, of each round
    probe_s: tuple[float, ...]  # of a fixed matrix product, beside each round
    block: tuple[int, ...]  # the process that each round ran in
    energy: tuple[Mapping[str, Any], ...]  # of each round; () where none was asked for
    values: Mapping[str, Any]  # what else is known: accuracy, loss, ...

    @property
    def label(self) -> str:
        """Name and contender, which no other figure of a document shares."""
        return f"{self.name} {self.contender}"

    @property
    def probed(self) -> tuple[float, ...]:
        """Time of a unit of work over that of the probe, of each round."""
        return tuple(a / b for a, b in zip(self.unit_s, self.probe_s, strict=True))


class Document(NamedTuple):
    """All figures of one run of the suites."""

    machine: Mapping[str, Any]  # CPU, cores, memory, GPUs, system, versions
    protocol: Mapping[str, Any]  # profile, seed, threads, grid, blocks, ...
    figures: tuple[Figure, ...]
    contenders: tuple[Mapping[str, str], ...]  # name, kind, description
    absent: tuple[Mapping[str, str], ...]  # contenders that did not run: contender, reason
    failed: tuple[str, ...]  # processes that did not come to their end
    written: str  # ISO 8601
    fastmlp_version: str

    def figure(self, name: str, contender: str) -> Figure | None:
        """Look one up."""
        found = (one for one in self.figures if (one.name, one.contender) == (name, contender))
        return next(found, None)


def read(path: str | Path) -> Document:
    """Read a bench.json.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Document

    Raises
    ------
    ValueError
        The file is no JSON, not of our suites, of another schema version, or damaged.
    OSError
        It cannot be read.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON ({error}): {REMEDY}") from None
    ours = content.get(KEY) if isinstance(content, dict) else None
    if not isinstance(ours, dict) or "benchmarks" not in content:
        raise ValueError(f"{path} does not come from the suites of fastmlp: {REMEDY}")
    version = ours.get("schema_version")
    if isinstance(version, bool) or version != SCHEMA_VERSION:
        raise ValueError(
            f"{path} has schema_version {version!r}, expected {SCHEMA_VERSION}: read it with the "
            f"fastmlp that wrote it ({ours.get('fastmlp_version', 'unknown')}), or {REMEDY}"
        )
    try:
        document = Document(
            machine=_machine(ours["machine"]),
            protocol=_protocol(ours["protocol"]),
            figures=tuple(_figure(one) for one in content["benchmarks"]),
            contenders=tuple(_texts(one, "name", "description") for one in ours["contenders"]),
            absent=tuple(_texts(one, "contender", "reason") for one in ours["absent"]),
            failed=tuple(str(one) for one in ours.get("failed", ())),
            written=str(content["datetime"]),
            fastmlp_version=str(ours["fastmlp_version"]),
        )
        _check_names(document)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__}: {error}): {REMEDY}") from None
    if not document.figures:
        raise ValueError(f"{path} holds no figure: {REMEDY}")
    return document


def _figure(benchmark: Mapping[str, Any]) -> Figure:
    extra, stats = benchmark["extra_info"], benchmark["stats"]
    if "data" not in stats:
        raise ValueError("no rounds: pytest-benchmark saves them with --benchmark-save-data")
    data = stats["data"]
    figure = Figure(
        name=str(benchmark["group"]),
        suite=str(extra["suite"]),
        contender=str(extra["contender"]),
        unit=str(extra["unit"]),
        work=_positive("work", extra["work"]),
        unit_s=_positive("time", data),
        probe_s=_positive("probe", extra["probe_s"]),
        block=tuple(int(block) for block in extra.get("block", [0] * len(data))),
        energy=tuple(EnergyResult.from_dict(one).to_dict() for one in extra.get("energy", ())),
        values=_values(str(extra["suite"]), _mapping("values", extra.get("values", {}))),
    )
    per_round = figure.work, figure.unit_s, figure.probe_s, figure.block
    lengths = {len(values) for values in (*per_round, figure.energy or figure.work)}
    if len(lengths) != 1:
        raise ValueError(f"{figure.label} has {sorted(lengths)} values for its rounds")
    return figure


def _machine(card: Any) -> Mapping[str, Any]:
    """Check what comparisons and the page read of a machine."""
    found = _mapping("machine", card)
    _mapping("versions", found.get("versions", {}))
    gpus = found.get("gpu", [])
    if not isinstance(gpus, list) or not all(isinstance(one, str) for one in gpus):
        raise ValueError(f"machine: gpu={gpus!r:.60}")
    if (memory := found.get("memory_bytes")) is not None and not _is_above_0(memory):
        raise ValueError(f"machine: memory_bytes={memory!r:.60}")
    return found


def _protocol(protocol: Any) -> Mapping[str, Any]:
    """Check what the page reads of a protocol."""
    found = _mapping("protocol", protocol)
    settings = _mapping("settings", found.get("settings", {}))
    texts, numbers = ("profile", "data", "dtype"), ("batch_size", "target", "learning_rate")
    right = {name: isinstance(found[name], str) for name in texts}
    right |= {name: _is_above_0(found[name]) for name in (*numbers, "threads")}
    sizes = found["layer_sizes"]
    right["layer_sizes"] = isinstance(sizes, list) and all(map(_is_above_0, sizes))
    for name, is_right in right.items():
        if not is_right:
            raise ValueError(f"protocol: {name}={found[name]!r:.60}")
    if "rows" in settings and not isinstance(settings["rows"], int):
        raise ValueError(f"settings: rows={settings['rows']!r:.60}")
    return found


def _values(suite: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check what the suite of accuracy found."""
    if suite != ACCURACY:
        return values
    for way in values["ways"]:
        accuracies, epochs = way["accuracy"], way["epochs"]
        if not accuracies or not all(_is_number(x) and 0 <= x <= 1 for x in accuracies):
            raise ValueError(f"accuracy={accuracies!r:.60}")
        reached = epochs is None or (_is_number(epochs) and 1 <= epochs <= len(accuracies))
        if not reached:
            raise ValueError(f"epochs={epochs!r:.60} of {len(accuracies)}")
    if not _is_above_0(values["n_test"]):
        raise ValueError(f"n_test={values['n_test']!r:.60}")
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_above_0(value: Any) -> bool:
    return _is_number(value) and 0 < value < MOST


def _check_names(document: Document) -> None:
    labels = [figure.label for figure in document.figures]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} stands twice")
    names = [one["name"] for one in document.contenders]
    if len(set(names)) < len(names):
        raise ValueError(f"one of the contenders {', '.join(names)} stands twice")
    unknown = sorted({figure.contender for figure in document.figures} - set(names))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not among the contenders")


def _mapping(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what}={value!r:.60}")
    return value


def _texts(value: Any, *names: str) -> Mapping[str, str]:
    return {name: str(_mapping("contender", value)[name]) for name in names}


def _positive(what: str, values: Sequence[Any]) -> tuple[float, ...]:
    found = tuple(float(value) for value in values)
    if not found or not all(1 / MOST < value < MOST for value in found):
        raise ValueError(f"the {what} of a round is not above 0")
    return found
