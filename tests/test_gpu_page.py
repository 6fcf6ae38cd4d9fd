"""The page of GPU results claims what the files say, and nothing without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.gpu import page
from bench.gpu.problems import PROBLEMS


def part(name: str, *rows: dict[str, Any], status: str = "ok") -> dict[str, Any]:
    reason = "" if status == "ok" else "broken cable"
    return {"name": name, "status": status, "reason": reason, "rows": list(rows)}


def timed(backend: str, problem: str, us: float, precision: str = "float32") -> dict[str, Any]:
    return {
        "backend": backend,
        "precision": precision,
        "problem": problem,
        "step_us": {"q1": us, "median": us, "q3": us},
        "ok": True,
    }


def report(*parts: dict[str, Any], gpu: bool = True) -> dict[str, Any]:
    return {
        "started": "2030-01-01T00:00:00+00:00",
        "quick": False,
        "card": {
            "gpu_found": gpu,
            "statement": "GPU: Toy 1" if gpu else "no GPU found",
            "versions": {"cupy": "14.2.0", "torch": None},
        },
        "parts": list(parts),
    }


def test_without_a_result_nothing_is_claimed() -> None:
    for reports in ({}, {"laptop": report(part("speed", timed("numpy", "s", 500.0)), gpu=False)}):
        text = page.page(reports)
        assert "nothing is claimed" in text
        assert "|" not in text, "no table"
        assert "laptop" not in text


def test_ratios_are_to_the_graph_of_the_whole_step() -> None:
    text = page.page(
        {
            "toy": report(
                part("speed:cupy", timed("cupy", "s", 20.0), timed("cupy", "s", 10.0, "tf32")),
                part("speed:jax", timed("jax", "s", 80.0)),
                part("torch_peers:torch", timed("torch:graph", "s", 40.0)),
                part("energy:cupy", status="failed"),
            )
        }
    )
    assert "GPU: Toy 1. cupy 14.2.0. Taken 2030-01-01" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| s |") and "40" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["s", "20", "80", "-", "40", "-", "-", "-", "-", "2.00", "0.50"]
    assert "products in tf32" in text
    assert "- energy:cupy: failed, broken cable" in text


def test_the_floor_is_that_of_bytes_or_of_operations() -> None:
    def ceilings(bandwidth: float, rate: float) -> dict[str, Any]:
        return report(
            part(
                "copies:torch",
                {"what": "within the device", "precision": "float32", "bytes_per_s": bandwidth},
                {"what": "product", "precision": "float32", "flop_per_s": rate},
            )
        )

    s = PROBLEMS[0]
    flop = 2 * 128 * (3 * (784 * 128 + 1280) - 784 * 128)
    assert page.floor(ceilings(1e18, 1e12), s, "float32") == pytest.approx(flop / 1e6)
    moved = 128 * 784 + 4 * (5 * (784 * 128 + 1280) + 4 * 128 * 138)
    assert page.floor(ceilings(1e12, 1e18), s, "float32") == pytest.approx(moved / 1e6)
    assert page.floor(ceilings(1e12, 1e18), s, "tf32") is None
    assert page.floor(report(), s, "float32") is None


def test_all_sections_are_written() -> None:
    agree = {
        "backend": "cupy",
        "dtype": "float32",
        "precision": "float32",
        "errors": {"loss": 1e-7, "logits": None},
        "limit": 1e-5,
        "ok": False,
    }
    rung = {
        "backend": "cupy",
        "optimizer": "adam",
        "dtype": "float32",
        "asked": "captured",
        "rung": "fused",
        "error": None,
        "rung_reason": "captured failed",
    }
    launch = {"backend": "cupy", "asked": "captured", "launches": 14, "launch_us": 1.8}
    energy = {
        "backend": "jax",
        "problem": "s",
        "gross_j_per_epoch": 1.5,
        "net_j_per_epoch": 0.5,
        "mean_w": 150.0,
        "idle_w": 100.0,
    }
    accuracy = {"backend": "jax", "data": "mnist", "test_accuracy": 0.975}
    text = page.page(
        {
            "toy": report(
                part("agree:cupy", agree),
                part("capture:cupy", rung),
                part("launches:cupy", launch),
                part("energy:jax", energy),
                part("train:jax", accuracy, accuracy),
            )
        }
    )
    assert "| cupy | float32 | float32 | nan | 1e-05 | NO |" in text
    assert "| cupy | adam | float32 | captured | fused | - | captured failed |" in text
    assert "cupy captured: 14 launches a step, 1.8 us each" in text
    assert "| jax | s | 1.5 | 0.5 | 150 | 100 |" in text
    assert "| jax | mnist | 2 | 0.9750 |" in text


def test_the_command_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    assert page.main(["--check"], tmp_path) == 1
    assert page.main([], tmp_path) == 0
    assert page.main(["--check"], tmp_path) == 0
    folder = tmp_path / "bench" / "results" / "toy"
    folder.mkdir(parents=True)
    file = folder / "gpu.json"
    file.write_text(json.dumps(report(part("speed:jax", timed("jax", "s", 80.0)))))
    assert page.main(["--check"], tmp_path) == 1
    assert "docs/gpu-results.md is not what the results say" in capsys.readouterr().err


def test_the_committed_page_is_up_to_date() -> None:
    assert page.main(["--check"]) == 0
