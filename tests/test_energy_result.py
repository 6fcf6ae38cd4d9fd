"""The record of a window: sums, labels, JSON, the sentence."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastmlp import energy
from fastmlp.energy import (
    COMPONENTS,
    FLAGS,
    LABELS,
    EnergyResult,
    GridZone,
)

ROOF = GridZone("roof", 41.0, 2024, "its data sheet")


def record(
    cpu_j: float | None = None,
    gpu_j: float | None = None,
    ram_j: float | None = None,
    about: dict[str, Any] | None = None,
    **labels: str,
) -> EnergyResult:
    return EnergyResult(
        wall_s=2.0,
        cpu_j=cpu_j,
        gpu_j=gpu_j,
        ram_j=ram_j,
        source=dict.fromkeys(COMPONENTS, "absent") | labels,
        method=dict.fromkeys(COMPONENTS, "test"),
        **{"device": "cuda:0" if gpu_j else "cpu", **(about or {})},
    )


def full() -> EnergyResult:
    """Every field has a value of its own."""
    return EnergyResult(
        wall_s=8.0,
        cpu_j=32.0,
        gpu_j=400.0,
        ram_j=80.0,
        source={"cpu": "estimated", "gpu": "measured", "ram": "estimated"},
        method={"cpu": "4 W/thread x CPU time", "gpu": "NVML", "ram": "5 W/DIMM guess"},
        label="train",
        backend="torch",
        device="cuda:0",
        work=4.0,
        unit="epoch",
        cpu_s=7.5,
        rss_peak_bytes=123,
        codecarbon_total_j=512.0,
        idle_w={"gpu": 20.0},
        model_j={"cpu_time": 430.0, "green_algorithms": 440.0},
        foreign_cpu_share=0.06,
        engine="nvml+codecarbon",
        scope="process",
        grid=ROOF,
        flags=("contention",),
        versions={"fastmlp": "0.1.0", "python": "3.11.7"},
    )


# ---------------------------------------------------------------- sums and labels


def test_total_is_the_sum_of_what_is_charged_with_the_weakest_label() -> None:
    result = record(8.0, 100.0, 20.0, cpu="measured", gpu="sampled", ram="estimated")
    assert (result.compute_j, result.total_j) == (108.0, 128.0)
    assert result.total_source == "estimated"
    assert result.measured_share == 8.0 / 128.0
    assert record(8.0, cpu="measured").total_source == "measured"
    for weak in range(1, len(LABELS) - 1):
        pair = record(1.0, 1.0, cpu=LABELS[weak - 1], gpu=LABELS[weak])
        assert pair.total_source == LABELS[weak]


@pytest.mark.parametrize("seed", range(50))
def test_all_that_is_measured_is_a_share_of_one(seed: int) -> None:
    cpu_j, gpu_j, ram_j = np.random.default_rng(seed).uniform(0.1, 100.0, 3).tolist()
    result = record(cpu_j, gpu_j, ram_j, cpu="measured", gpu="measured", ram="measured")
    assert result.measured_share == 1.0


@pytest.mark.parametrize("device", ["cpu", "cpu:0", ""])
def test_a_gpu_is_charged_only_to_work_that_ran_on_it(device: str) -> None:
    about = {"device": device}
    result = record(8.0, 100.0, None, about, cpu="measured", gpu="assumed")
    assert (result.compute_j, result.total_j, result.gpu_j) == (8.0, 8.0, 100.0)
    assert (result.total_source, result.measured_share) == ("measured", 1.0)


@pytest.mark.parametrize(
    "result",
    [
        record(),
        record(None, None, 20.0, ram="estimated"),
        record(8.0, None, 20.0, {"device": "cuda:0"}, cpu="measured", ram="estimated"),
        record(None, 100.0, 20.0, gpu="measured", ram="estimated"),
    ],
)
def test_a_part_that_is_missing_means_no_total_and_not_zero(result: EnergyResult) -> None:
    assert result.compute_j is result.total_j is result.measured_share is None
    assert result.co2e_mg("WORLD") is None
    assert result.total_source == "absent"
    assert result.explain().startswith("No energy value for 2 s: CPU ")


def test_per_unit_divides_times_and_joules_and_nothing_else() -> None:
    whole, one = full(), full().per_unit()
    assert (one.work, one.unit, one.wall_s, one.cpu_s) == (1.0, "epoch", 2.0, 1.875)
    assert (one.cpu_j, one.gpu_j, one.ram_j) == (8.0, 100.0, 20.0)
    assert (one.codecarbon_total_j, one.model_band_j) == (128.0, (107.5, 110.0))
    for name in ("rss_peak_bytes", "idle_w", "flags", "source", "foreign_cpu_share", "grid"):
        assert getattr(one, name) == getattr(whole, name)


def test_carbon_is_computed_for_any_grid_from_the_same_joules() -> None:
    assert full().co2e_mg() == pytest.approx(512.0 / 3.6e6 * 41e3)
    assert full().co2e_mg("WORLD") == pytest.approx(512.0 / 3.6e6 * 475e3)
    assert full().co2e_mg(GridZone("mine", 100.0, 2025, "")) == pytest.approx(512.0 / 3.6e6 * 1e5)
    assert full().co2e_mg(of="compute") == pytest.approx(432.0 / 3.6e6 * 41e3)
    with pytest.raises(ValueError, match="of='net': expected 'total' or 'compute'"):
        full().co2e_mg(of="net")
    with pytest.raises(ValueError, match="zone=None: the result names no grid"):
        record(8.0, cpu="measured").co2e_mg()
    with pytest.raises(ValueError, match="expected g_per_kwh above 0, which hides no emission"):
        full().co2e_mg(ROOF._replace(g_per_kwh=0.0))


# ---------------------------------------------------------------- the sentence


def test_explain_is_one_sentence_that_names_method_label_and_flags() -> None:
    assert full().explain() == (
        "432 J of computing in 8 s for 4 x epoch (estimated; 512 J with memory): "
        "CPU 32 J estimated (4 W/thread x CPU time); "
        "GPU 400 J measured (NVML); RAM 80 J estimated (5 W/DIMM guess); "
        "78 % of all of it measured; "
        "power models range from 430 to 440 J; "
        "5.83 mg CO2e of all of it on the grid roof at 41 g/kWh; "
        f"contention: {FLAGS['contention']}."
    )
    modelled = record(8.0, None, 20.0, cpu="estimated", ram="assumed")
    assert "a model, so it tells little that time does not" in modelled.explain()
    idle_gpu = record(8.0, 100.0, None, {"device": "cpu"}, cpu="estimated", gpu="measured")
    assert "a model, so it tells little that time does not" in idle_gpu.explain()
    measured = record(8.0, cpu="measured").explain()
    assert measured.startswith("8 J of computing in 2 s (measured): CPU 8 J")
    assert "a model" not in measured
    assert (
        record(8.0, None, 20.0, cpu="measured", ram="assumed")
        .explain()
        .startswith("8 J of computing in 2 s (measured; 28 J with memory): CPU 8 J")
    )


def test_every_flag_has_a_sentence() -> None:
    for flag, sentence in FLAGS.items():
        assert sentence not in full().explain() or flag == "contention"
        assert sentence in replace(full(), flags=(flag,)).explain()


# ---------------------------------------------------------------- JSON


def test_a_result_survives_json() -> None:
    document = json.loads(json.dumps(full().to_dict(), allow_nan=False))
    assert EnergyResult.from_dict(document) == full()
    assert document["schema_version"] == 1
    assert document["compute_j"] == 432.0
    assert document["total_j"] == 512.0
    assert document["net_j"] is None
    assert document["model_band_j"] == [430.0, 440.0]
    assert document["total_source"] == "estimated"
    assert document["pue"] == 1.0
    assert document["grid"] == ROOF._asdict()
    empty = record()
    assert EnergyResult.from_dict(json.loads(json.dumps(empty.to_dict()))) == empty


def test_fields_of_later_make_and_derived_ones_are_not_read() -> None:
    document = {**full().to_dict(), "mood": "good", "total_j": 1.0}
    assert EnergyResult.from_dict(document) == full()


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_schema_is_refused(version: object) -> None:
    document = {**full().to_dict(), "schema_version": version}
    match = r"schema_version=.*: expected 1; written by fastmlp 0.1.0, read it with that one"
    with pytest.raises(ValueError, match=match):
        EnergyResult.from_dict(document)
    with pytest.raises(ValueError, match="an unknown version"):
        EnergyResult.from_dict({})


@pytest.mark.parametrize(
    "change", [{"cpu_j": "8 J"}, {"grid": 3}, {"flags": 7}, {"source": None}, {"wall_s": None}]
)
def test_a_document_that_is_no_result_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="document: not an EnergyResult"):
        EnergyResult.from_dict({**full().to_dict(), **change})
    document = full().to_dict()
    del document["cpu_j"]
    with pytest.raises(ValueError, match="cpu_j"):
        EnergyResult.from_dict(document)


# ---------------------------------------------------------------- contradictions


@pytest.mark.parametrize("joules", [0.0, -1.0, math.nan, math.inf])
def test_a_result_refuses_joules_that_are_no_energy(joules: float) -> None:
    with pytest.raises(ValueError, match="expected joules above 0, or None when absent"):
        record(joules, cpu="measured")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"cpu_j": None}, "None contradicts the label 'estimated'"),
        ({"source": dict.fromkeys(COMPONENTS, "absent")}, "contradicts the label 'absent'"),
        ({"source": {**full().source, "cpu": "exact"}}, r"source\['cpu'\]='exact': expected one"),
        ({"method": {}}, "'cpu' is missing"),
        ({"flags": ("odd",)}, r"flags=\['odd'\]"),
        ({"work": 0.0}, "work=0.0: expected a finite number above 0"),
        ({"wall_s": -1.0}, "wall_s=-1.0: expected finite seconds"),
        ({"wall_s": math.nan}, "wall_s=nan"),
    ],
)
def test_a_result_refuses_contradictions(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        replace(full(), **changes)


# ---------------------------------------------------------------- the package


def test_public_names() -> None:
    assert sorted(energy.__all__) == sorted(set(energy.__all__))
    assert all(hasattr(energy, name) for name in energy.__all__)
    assert {f"{component}_not_positive" for component in COMPONENTS} <= FLAGS.keys()


@pytest.mark.parametrize("name", ["device", "work", "flags", "gpu_j"])
def test_a_document_without_a_field_is_refused(name: str) -> None:
    document = full().to_dict()
    del document[name]
    with pytest.raises(ValueError, match=f"not an EnergyResult, without {name}"):
        EnergyResult.from_dict(document)
