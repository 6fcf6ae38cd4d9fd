"""Damaged records and senseless arguments: a `ValueError` names the field."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from energy_fakes import FakeHost
from fake_nvml import FakeNvml
from test_energy_result import full

from fastmlp.energy import EnergyMeter, EnergyResult, GridZone

NAN, INF = math.nan, math.inf
GRID = {"zone": "FRA", "g_per_kwh": 56.0, "year": 2023, "source": "a table"}
DAMAGED: dict[str, list[Any]] = {
    "wall_s": ["1.0", None, True, -1, NAN],
    "cpu_s": [-5, NAN, "5", True],
    "cpu_j": ["3", True, 0, -1, INF],
    "ram_j": [-1, [80]],
    "source": [None, ["a"], "measured", {"cpu": "measured"}],
    "method": [None, "cpu gpu ram", {"cpu": None, "gpu": "NVML", "ram": "a guess"}],
    "label": [5, None],
    "backend": [5, None],
    "unit": [None, "", 5],
    "device": [None, 5, "nowhere"],
    "work": ["10", 0, True],
    "rss_peak_bytes": ["x", -1, NAN],
    "codecarbon_total_j": [-4, "x", 0, NAN],
    "idle_w": [None, [1], {"cpu": "5"}, {"cpu": -1e9}, {"cpu": NAN}, {"disk": 3.0}],
    "model_j": [None, [1, 2], {"cpu_time": "1"}, {"cpu_time": -5}, {"cpu_time": NAN}],
    "foreign_cpu_share": ["x", 9, -0.1, NAN],
    "engine": [3, None],
    "scope": [None, "node", 5],
    "grid": [
        *("FRA", ["FRA", 1, 2, 3], {"zone": "FRA"}, {**GRID, "more": 1}, 3),
        *({**GRID, "g_per_kwh": value} for value in (-56, 0, "56", NAN)),
        *({**GRID, "zone": None}, {**GRID, "source": 7}, {**GRID, "year": "2023"}),
    ],
    "flags": [None, "drift", ["nope"], [1], [["drift"]], 7],
    "versions": [None, [1, 2], {"fastmlp": 1}],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in DAMAGED.items() for value in values]
)
def test_a_damaged_document_is_refused_by_the_name_of_the_field(name: str, value: Any) -> None:
    document = json.loads(json.dumps(full().to_dict()))
    named = "grid|GridZone" if name == "grid" else name
    with pytest.raises(ValueError, match=rf"document: not an EnergyResult, .*({named})"):
        EnergyResult.from_dict({**document, name: value})


@pytest.mark.parametrize("document", [None, [], "abc", 5])
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match=r"document=.*: expected a mapping, as to_dict"):
        EnergyResult.from_dict(document)


@pytest.mark.parametrize("versions", [5, ["a"], None])
def test_another_schema_is_refused_even_if_it_is_damaged(versions: Any) -> None:
    for version in (2, True):
        with pytest.raises(ValueError, match=r"schema_version=.*: expected 1"):
            EnergyResult.from_dict({"schema_version": version, "versions": versions})


@pytest.mark.parametrize("name", ["source", "method", "idle_w", "model_j", "versions"])
@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.__setitem__("cpu", "measured"),
        lambda kept: kept.update(cpu="measured"),
        lambda kept: kept.pop("gpu"),
        lambda kept: kept.clear(),
    ],
)
def test_what_was_measured_cannot_be_changed(name: str, change: Callable[[Any], None]) -> None:
    with pytest.raises(TypeError, match="read-only"):
        change(getattr(full(), name))


def test_a_result_keeps_its_own_copy() -> None:
    labels = dict(full().source)
    result = replace(full(), source=labels)
    labels["cpu"] = "measured"
    assert result.source["cpu"] == "estimated"


def test_a_result_can_be_copied_pickled_and_printed() -> None:
    result = full()
    assert copy.copy(result) == copy.deepcopy(result) == result
    assert pickle.loads(pickle.dumps(result)) == result
    assert asdict(result)["source"] == result.source
    assert json.loads(json.dumps(result.to_dict()))["source"] == result.source


def test_numbers_of_numpy_are_numbers() -> None:
    numbers: dict[str, Any] = {"work": np.int64(4), "cpu_s": np.float32(7.5)}
    changed = replace(full(), **numbers, rss_peak_bytes=int(np.int32(123)))
    assert changed == full()
    assert json.dumps(changed.to_dict()) == json.dumps(full().to_dict())


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    "about",
    [
        *({"work": value} for value in ("10", None, True, 10**400, 10**5000, 1 + 2j, np.ones(1))),
        *({"unit": value} for value in (None, "", 5)),
        *({"label": None}, {"backend": np}, {"sync": 5}),
    ],
    ids=lambda about: next(iter(about)),
)
def test_a_window_names_the_argument_that_it_refuses(
    fake_host: FakeHost, about: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(about))}=.*expected"):
        EnergyMeter(engine="model").window(**about)


def zone(*about: Any) -> GridZone:
    return GridZone(*about)


@pytest.mark.parametrize(
    "arguments",
    [
        *({"tdp_w": value} for value in ("65", True, NAN, 10**400)),
        *({"gpu": value, "engine": "counters"} for value in (1.0, True)),
        *({"grid": zone("a", value, 2024, "")} for value in ("56", None, NAN, -1.0)),
        *({"grid": zone(None, 56.0, 2024, "")}, {"grid": zone("a", 56.0, None, "")}),
        *({"engine": ["model"]}, {"scope": None}),
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_a_meter_names_the_argument_that_it_refuses(
    fake_host: FakeHost, arguments: dict[str, Any]
) -> None:
    fake_host.plug_in(FakeNvml())
    with pytest.raises(ValueError, match=f"^{next(iter(arguments))}=.*expected"):
        EnergyMeter(**{"engine": "model", **arguments})


@pytest.mark.parametrize("named", [["FRA"], ("a", 56, 2020, "x"), 56])
def test_a_zone_that_is_no_name_is_refused(fake_host: FakeHost, named: Any) -> None:
    pytest.importorskip("codecarbon")
    with pytest.raises(ValueError, match="zone="):
        EnergyMeter(grid=named, engine="model")
    with pytest.raises(ValueError, match="zone="):
        full().co2e_mg(named)


@pytest.mark.parametrize("seconds", ["10", None, True, 0, NAN])
def test_idle_time_is_a_number(fake_host: FakeHost, seconds: Any) -> None:
    with pytest.raises(ValueError, match=r"^duration_s=.*expected seconds above 0"):
        EnergyMeter(engine="model").measure_idle(seconds)
