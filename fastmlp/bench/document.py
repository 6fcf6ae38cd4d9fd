"""bench.json: pytest-benchmark's own form, with what our suites add to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA_VERSION = 1
KEY = "fastmlp"  # of what is ours, beside pytest-benchmark's own keys
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
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): {REMEDY}") from None
    ours = content.get(KEY) if isinstance(content, dict) else None
    if not isinstance(ours, dict) or "benchmarks" not in content:
        raise ValueError(f"{path} does not come from the suites of fastmlp: {REMEDY}")
    version = ours.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"{path} has schema_version {version}, expected {SCHEMA_VERSION}: read it with the "
            f"fastmlp that wrote it ({ours.get('fastmlp_version', 'unknown')}), or {REMEDY}"
        )
    try:
        return Document(
            machine=ours["machine"],
            protocol=ours["protocol"],
            figures=tuple(_figure(one) for one in content["benchmarks"]),
            contenders=tuple(ours["contenders"]),
            absent=tuple(ours["absent"]),
            failed=tuple(ours.get("failed", ())),
            written=content["datetime"],
            fastmlp_version=ours["fastmlp_version"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}): {REMEDY}"
        ) from error


def _figure(benchmark: Mapping[str, Any]) -> Figure:
    extra, data = benchmark["extra_info"], benchmark["stats"]["data"]
    figure = Figure(
        name=benchmark["group"],
        suite=extra["suite"],
        contender=extra["contender"],
        unit=extra["unit"],
        work=_positive("work", extra["work"]),
        unit_s=_positive("time", data),
        probe_s=_positive("probe", extra["probe_s"]),
        block=tuple(int(block) for block in extra.get("block", [0] * len(data))),
        energy=tuple(extra.get("energy", ())),
        values=extra.get("values", {}),
    )
    per_round = figure.work, figure.unit_s, figure.probe_s, figure.block
    lengths = {len(values) for values in (*per_round, figure.energy or figure.work)}
    if len(lengths) != 1:
        raise ValueError(f"{figure.label} has {sorted(lengths)} values for its rounds")
    return figure


def _positive(what: str, values: Sequence[Any]) -> tuple[float, ...]:
    found = tuple(float(value) for value in values)
    if not found or not all(0 < value < float("inf") for value in found):
        raise ValueError(f"the {what} of a round is not above 0")
    return found
