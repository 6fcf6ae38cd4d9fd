"""The JSON of the suites: what is added to pytest-benchmark's, and how parts are joined."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import fastmlp
from bench.suites.contenders import find
from bench.suites.problems import BATCH_SIZE, LAYER_SIZES, LEARNING_RATES, TARGET
from bench.suites.profiles import Profile
from fastmlp.bench.document import KEY, SCHEMA_VERSION
from fastmlp.compare.config import cores
from fastmlp.compare.machine import machine_card

Json = dict[str, Any]
PER_ROUND = ("work", "probe_s", "energy", "block")


def header(profile: Profile, names: Sequence[str]) -> Json:
    """Describe machine and protocol of a run with these contenders."""
    chosen = [find(name) for name in names]
    data = "mnist" if os.environ.get("FASTMLP_DATA") else "generated"
    return {
        "schema_version": SCHEMA_VERSION,
        "fastmlp_version": fastmlp.__version__,
        "machine": machine_card({one.name: one.version for one in chosen if one.available}),
        "protocol": {
            "profile": profile.name,
            "settings": profile._asdict(),
            "layer_sizes": list(LAYER_SIZES),
            "batch_size": BATCH_SIZE,
            "learning_rate": LEARNING_RATES[data],
            "target": TARGET,
            "dtype": "float32",
            "data": data,
            "threads": cores(),
        },
        "contenders": [
            {"name": one.name, "kind": one.kind, "description": one.description} for one in chosen
        ],
        "absent": [
            {"contender": one.name, "reason": one.reason} for one in chosen if not one.available
        ],
    }


def join(parts: Iterable[tuple[int, Json]]) -> Json:
    """Join files of several processes: rounds of the same figure stand one after the other.

    Each file comes with its block, which is noted beside its rounds.
    """
    whole: Json = {}
    figures: dict[tuple[str, str], Json] = {}
    for block, part in parts:
        for one in part["benchmarks"]:
            key = one["group"], one["extra_info"]["contender"]
            one["extra_info"]["block"] = [block] * len(one["stats"]["data"])
            if key in figures:
                _append(figures[key], one)
            else:
                figures[key] = one
        whole = whole or part
        _add_header(whole[KEY], part[KEY])
    whole["benchmarks"] = list(figures.values())
    return whole


def _append(figure: Json, other: Json) -> None:
    """Add the rounds of another process."""
    mine, its = figure["extra_info"], other["extra_info"]
    figure["stats"]["data"] += other["stats"]["data"]
    for name in PER_ROUND:
        if name in mine:
            mine[name] += its[name]
    stats: Any = import_module("pytest_benchmark.stats").Stats()
    for time_s in figure["stats"]["data"]:
        stats.update(time_s)
    figure["stats"] |= stats.as_dict()


def _add_header(whole: Json, part: Json) -> None:
    whole["machine"]["versions"] |= part["machine"]["versions"]
    for name in ("contenders", "absent"):
        whole[name] += [one for one in part[name] if one not in whole[name]]
