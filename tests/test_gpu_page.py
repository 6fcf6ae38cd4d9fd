"""The page of GPU results claims what the files say, and nothing without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.gpu import page, sections
from bench.gpu.problems import PROBLEMS


def part(name: str, *rows: dict[str, Any], status: str = "ok") -> dict[str, Any]:
    reason = "" if status == "ok" else "broken cable"
    return {"name": name, "status": status, "reason": reason, "rows": list(rows)}


def timed(backend: str, problem: str, us: float, precision: str = "float32") -> dict[str, Any]:
    return {
        "backend": backend,
        "device": "cpu" if backend == "numpy" else "cuda:0",
        "precision": precision,
        "problem": problem,
        "step_us": {"q1": us, "median": us, "q3": us},
        "ok": True,
    }


def report(*parts: dict[str, Any], gpu: bool = True) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "complete": True,
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
                {
                    "device": "cuda:0",
                    "what": "within the device",
                    "precision": "float32",
                    "bytes_per_s": bandwidth,
                },
                {"device": "cuda:0", "what": "product", "precision": "float32", "flop_per_s": rate},
            )
        )

    s = PROBLEMS[0]
    flop = 2 * 128 * (3 * (784 * 128 + 1280) - 784 * 128)
    assert sections.floor(ceilings(1e18, 1e12), s, "float32") == pytest.approx(flop / 1e6)
    moved = 128 * 784 + 4 * (5 * (784 * 128 + 1280) + 4 * 128 * 138)
    assert sections.floor(ceilings(1e12, 1e18), s, "float32") == pytest.approx(moved / 1e6)
    assert sections.floor(ceilings(1e12, 1e18), s, "tf32") is None
    assert sections.floor(report(), s, "float32") is None


def where(backend: str, **row: Any) -> dict[str, Any]:
    return {"backend": backend, "device": "cuda:0", "ok": True} | row


AGREE = where(
    "cupy",
    dtype="float32",
    precision="float32",
    errors={"loss": 1e-7, "logits": None},
    limit=1e-5,
    ok=False,
)
RUNG = where(
    "cupy",
    optimizer="adam",
    dtype="float32",
    asked="captured",
    rung="fused",
    error=None,
    rung_reason="captured failed\n# badly | so",
    ok=False,
)
LAUNCH = where("cupy", asked="captured", launches=14, launch_us=1.8)
ENERGY = where(
    "jax",
    problem="s",
    gross_j_per_epoch=1.5,
    net_j_per_epoch=0.5,
    mean_w=150.0,
    idle_w=100.0,
)
TRAIN = where("jax", data="mnist", rows=12_000, history=[{}, {}, {}], test_accuracy=0.975)
COPY = {"device": "cuda:0", "precision": "float32", "what": "within the device", "bytes_per_s": 1e9}


def every_part() -> list[dict[str, Any]]:
    return [
        part("agree:cupy", AGREE, status="failed"),
        part("capture:cupy", RUNG, status="failed"),
        part("speed:jax", timed("jax", "s", 80.0)),
        part("torch_peers:torch", {"backend": "torch:graph", "problem": "s", "failed": "no\nluck"}),
        part("train:jax", TRAIN, TRAIN),
        part("launches:cupy", LAUNCH),
        part("copies:torch", COPY),
        part("energy:jax", ENERGY),
    ]


def test_all_sections_are_written() -> None:
    text = page.page({"toy": report(*every_part())})
    assert "| cupy | float32 | float32 | nan | 1e-05 | NO |" in text
    assert "| cupy | adam | float32 | captured | fused | nan | NO | captured failed # " in text
    assert "cupy captured: 14 launches a step, 1.8 us each." in text
    assert "| jax | s | 1.5 | 0.5 | 150 | 100 |" in text
    assert "- torch_peers:torch, torch:graph, s: failed, no luck" in text
    assert "did not come to its end" not in text


def test_epochs_are_those_of_the_file() -> None:
    """A quick look trains three."""
    text = page.page({"toy": report(part("train:jax", TRAIN, TRAIN))})
    assert "### Test accuracy\n" in text
    assert "| backend | data | rows | epochs | seeds | accuracy | learnt |" in text
    assert "| jax | mnist | 12,000 | 3 | 2 | 0.9750 | yes |" in text


def test_what_is_not_ok_is_marked() -> None:
    text = page.page(
        {
            "toy": report(
                part("speed:jax", timed("jax", "s", 80.0) | {"ok": False}),
                part("train:jax", TRAIN, TRAIN | {"ok": False}),
                part("launches:cupy", LAUNCH | {"ok": False}),
            )
        }
    )
    assert "| s | - | not ok | - |" in text
    assert "| 0.9750 | NO |" in text
    assert "1.8 us each (NOT ok)" in text


@pytest.mark.parametrize("found", [None, "no", "yes", 1, {}])
def test_only_true_is_a_gpu(found: Any) -> None:
    toy = report(*every_part())
    toy["card"]["gpu_found"] = found
    assert "nothing is claimed" in page.page({"toy": toy})


def test_rows_of_a_cpu_are_no_figures_of_a_gpu() -> None:
    on_cpu = [
        one | {"rows": [row | {"device": "cpu"} for row in one["rows"]]} for one in every_part()
    ]
    numpy = part("speed:numpy", timed("numpy", "s", 500.0))
    text = page.page({"toy": report(*on_cpu, numpy)})
    assert "No row of this file was computed on a GPU, so it shows no figure." in text
    assert "|" not in text, "no table"
    assert "- train:jax: 2 rows are of a CPU, and are not shown" in text

    text = page.page({"toy": report(*on_cpu, numpy, part("speed:cupy", timed("cupy", "s", 20.0)))})
    assert "| s | 20 | - | - | - | - | - | 500 | - | - | - |" in text
    assert "numpy (CPU)" in text
    assert "### Test accuracy" not in text
    assert "### Joules" not in text


def test_a_run_that_was_interrupted_says_what_never_ran() -> None:
    toy = report(part("speed:jax", timed("jax", "s", 80.0)))
    toy |= {"complete": False, "planned": ["card", "speed:jax", "train:jax"]}
    said = "**This run did not come to its end.** Never ran: "
    assert f"{said}card, train:jax." in page.page({"toy": toy})
    assert f"{said}card, train:jax." in page.page({"toy": toy | {"complete": True}})
    del toy["planned"], toy["complete"]
    assert f"{said}not known." in page.page({"toy": toy})


def test_a_reason_is_no_markdown() -> None:
    toy = report(part("speed:jax", status="failed") | {"reason": "boom\n\n# GPU wins\n| a | <b>"})
    toy["card"]["statement"] = "# GPU\n\n## wins"
    text = page.page({"toy": toy})
    assert "- speed:jax: failed, boom # GPU wins \\| a \\| &lt;b>\n" in text
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# Results on a GPU", "## toy", "### What did not run, or failed"]


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
