"""The page on performance: what it says follows from the files, and from nothing else."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import invented_bench
import pytest

from bench.page import __main__ as command
from bench.page import svg, verdict, words
from bench.page.compose import charts, page
from bench.page.read import Results, find_folder, read, starts
from bench.page.verdict import compared
from bench.peers.ratios import Mean
from bench.scaling import findings
from bench.scaling.sizes import FULL

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
SIZES = FULL._replace(batch_sizes=(16, 64), widths=(16, 1024))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with the results of one machine."""
    pytest.importorskip("matplotlib")
    (tmp_path / "docs" / "images").mkdir(parents=True)
    folder = tmp_path / "bench" / "results" / "invented"
    folder.mkdir(parents=True)
    documents = {
        "peers": invented_bench.peers(),
        "scaling": invented_bench.scaling(SIZES),
        "cold": invented_bench.cold(),
    }
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    return tmp_path


def written(root: Path) -> str:
    assert command.main([], root) == 0
    return (root / "docs" / "performance.md").read_text(encoding="utf-8")


def change(root: Path, name: str, changed: dict[str, Any]) -> None:
    path = root / "bench" / "results" / "invented" / f"{name}.json"
    path.write_text(json.dumps(changed), encoding="utf-8")


# ---------------------------------------------------------------------------- what it says


@pytest.mark.parametrize("module", [words, verdict, svg, findings], ids=lambda one: one.__name__)
def test_examples_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (Mean(1.2, 1.1, 1.3), "faster"),
        (Mean(1.1, 0.99, 1.3), "level"),  # the runs do not agree
        (Mean(1.02, 1.02, 1.02), "level"),
        (Mean(0.9, 0.8, 1.0), "level"),
        (Mean(0.9, 0.85, 0.95), "slower"),
    ],
)
def test_a_difference_is_one_that_all_runs_show(figure: Mean, said: str) -> None:
    assert compared(figure) == said


def test_the_verdict_comes_first_and_follows_from_the_files(root: Path) -> None:
    text = written(root)
    sentences = text[: text.index("## Training")]
    assert "trains faster than the best tuned peer: s 1.38 (1.25-1.50)." in sentences
    assert "trains slower than the best tuned peer: m 0.75." in sentences
    assert "predicts as fast as the best tuned peer: predict-1 1.01." in sentences
    assert "fastmlp on NumPy trains 2.0 times as fast as scikit-learn." in sentences
    assert "reaches 27 % to 73 % of the speed of the matrix products" in sentences
    assert "Other work disturbed m:" in sentences
    assert "faster than a step on NumPy in 3 of 4 sizes" in sentences
    assert "numpy:plain being 1: fastmlp:numpy 1.2." in sentences


def test_tables_name_everybody(root: Path) -> None:
    text = written(root)
    assert "| **fastmlp:jax** | 1.38 (1.25-1.50) | 0.73 (0.67-0.80) | 4.6 |" in text
    assert "- caffe: failed: broken cable" in text
    assert "| m: 784-128-10, batches of 128, sgd DISTURBED |" in text
    assert "| **fastmlp:numpy** | 1.20 | 0.60 s | 100.0 MB |" in text
    assert "with fastmlp:numpy takes 5.5 MB beside imports and data." in text
    assert "- keras: not installed: no keras" in text
    assert "| dispatch | 20 % |" in text
    assert "Invented 9000, 4 cores, 16 GiB" in text
    assert "optax 1.2.3" in text
    assert "None" not in text
    assert "nan" not in text.lower().split()


def test_no_absolute_speed_stands_on_the_page(root: Path) -> None:
    before = written(root)
    peers = invented_bench.peers()
    for run in peers["runs"]:
        for row in run["rows"]:
            row["epoch_s"] = [2.0 * time_s for time_s in row["epoch_s"]]
            row["first_turn_s"] *= 2.0
    change(root, "peers", peers)
    assert written(root) == before


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("peers", "## Training"),
        ("scaling", "## Which backend for which size"),
        ("cold", "## Cold start and memory"),
    ],
)
def test_what_is_not_measured_is_said_to_be_missing(root: Path, name: str, heading: str) -> None:
    (root / "bench" / "results" / "invented" / f"{name}.json").unlink()
    assert f"{heading}\n\nNot measured yet.\n" in written(root)


def test_half_a_file_makes_a_page(root: Path) -> None:
    """A run that was broken off has fewer rows, and some without figures."""
    scaling = invented_bench.scaling(SIZES)
    scaling["growth"], scaling["complete"] = [], False
    scaling["crossover"] = scaling["crossover"][:3]
    del scaling["crossover"][2]["rows"][1:]
    for entry in scaling["breakdown"]:
        entry["numpy"] = {"status": "failed", "reason": "broken cable", "turns": []}
    change(root, "scaling", scaling)
    text = written(root)
    assert "- a NumPy step taken apart: failed: broken cable" in text
    assert "| scaling.json | 2030-01-02T03:04:05+00:00 | 1 | 3 | 4 | no |" in text
    assert sorted(path.name for path in (root / "docs" / "images").iterdir()) == [
        "performance-crossover.svg"
    ]


def test_cold_starts_are_read_round_by_round() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "numpy:plain", "wall_s": [1.0, 4.0, 2.0], "peak_rss_bytes": [10, None, 30]},
        {"name": "jax", "wall_s": [2.0, 4.0, 8.0], "status": "running", "unheard_of": 1},
        {"name": "broken", "status": "failed", "reason": "x", "wall_s": [1.0]},
    ]
    tasks = [{"task": "start", "rows": rows}, {"task": "memory", "rows": rows[1:2]}]
    plain, jax, broken, alone = starts({"tasks": tasks})
    assert (plain.wall_s, plain.to_yardstick, plain.peak_rss_bytes) == (2.0, 1.0, 20.0)
    assert (jax.wall_s, jax.to_yardstick, jax.peak_rss_bytes) == (4.0, 2.0, None)
    assert (broken.wall_s, broken.to_yardstick, broken.status) == (None, None, "failed")
    assert (alone.wall_s, alone.to_yardstick) == (4.0, None)


# ---------------------------------------------------------------------------- the charts


def test_charts_are_the_same_each_time_and_say_their_figures() -> None:
    pytest.importorskip("matplotlib")
    results = Results("invented", None, invented_bench.scaling(SIZES), None)
    drawn = charts(results)
    assert [chart.file for chart in drawn] == [
        "performance-crossover.svg",
        "performance-breakdown.svg",
        "performance-growth.svg",
    ]
    assert charts(results) == drawn
    for chart in drawn:
        assert "<dc:date>" not in chart.svg
        assert f"images/{chart.file}" in page(results, drawn)
    assert "batch 16, width 16: numpy 65.1, jax 15.9, torch 305" in drawn[0].svg
    assert "s: products 50 %" in drawn[1].svg
    assert "exponent 1.00" in drawn[2].svg


# ---------------------------------------------------------------------------- the command


def test_check_tells_what_is_stale(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--check"], root) == 1
    written(root)
    assert command.main(["--check"], root) == 0
    scaling = invented_bench.scaling(SIZES)
    for row in scaling["growth"][0]["rows"]:
        row["epoch_s"] = [3.0 * time_s for time_s in row["epoch_s"]]
    change(root, "scaling", scaling)
    capsys.readouterr()
    assert command.main(["--check"], root) == 1
    said = capsys.readouterr().err
    assert "docs/images/performance-growth.svg is not what the results say" in said
    assert "performance-crossover.svg" not in said
    page_file = root / "docs" / "performance.md"
    written(root)
    page_file.write_text(page_file.read_text(encoding="utf-8").replace("20 %", "21 %"))
    assert command.main(["--check"], root) == 1


def test_another_matplotlib_may_draw_other_strokes(root: Path) -> None:
    written(root)
    chart = root / "docs" / "images" / "performance-crossover.svg"
    chart.write_text(chart.read_text(encoding="utf-8").replace("<path", "<path data-new=''"))
    assert command.main(["--check"], root) == 0


def test_folders_without_results_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["--results", str(tmp_path)]):
        with pytest.raises(SystemExit) as ended:
            command.main(arguments, tmp_path)
        assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "has results of none, expected those of one machine" in said
    assert "holds none of peers.json, scaling.json, cold.json" in said


def test_of_two_machines_one_must_be_named(tmp_path: Path) -> None:
    for machine in ("a", "b"):
        (tmp_path / machine).mkdir()
        (tmp_path / machine / "cold.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="has results of a, b, expected those of one machine"):
        find_folder(tmp_path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "peers.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"peers.json is no JSON"):
        read(tmp_path)


@pytest.mark.skipif(not RESULTS.exists(), reason="no results are committed yet")
def test_the_committed_page_is_what_the_results_say() -> None:
    pytest.importorskip("matplotlib")
    assert command.main(["--check"]) == 0
