"""The page of the suites: right words for known figures, and readable by everyone."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, SCHEMES, Seen, accessibility, scroll_width
from html_page import HtmlPage
from invented_suites import benchmark, content, energy, whole, write

from fastmlp.bench import Document, read
from fastmlp.bench.cells import columns, spans
from fastmlp.bench.charts import epoch_charts, way_charts
from fastmlp.bench.ranking import LESS, MORE, NO_DIFFERENCE, NOT_RANKED, joules, order
from fastmlp.bench.report import markdown, render, write_report
from fastmlp.bench.summary import Summary, summary
from fastmlp.bench.training import break_even_epochs, cost, way
from fastmlp.bench.verdict import verdict
from fastmlp.bench.zones import find_zone
from fastmlp.energy import FLAGS
from fastmlp.page.svg import drawing
from fastmlp.page.text import ABSENT, significant

REPORT = pytest.mark.skipif(
    not (find_spec("jinja2") and find_spec("matplotlib")),
    reason="jinja2 or matplotlib is not installed: pip install 'fastmlp[report]'",
)
TIMES_S = {"numpy": 1.0, "jax": 0.5, "keras": 1.2}
JOULES = {"numpy": 4.0, "jax": 4.0, "keras": 9.0}


def document(tmp_path: Path, raw: dict[str, Any] | None = None) -> Document:
    return read(write(tmp_path / "bench.json", raw or whole(TIMES_S, JOULES)))


def sentences(found: Summary) -> dict[str, str]:
    return dict(verdict(found))


# --- derived figures ---


def test_the_way_to_the_target_is_a_first_epoch_and_steady_ones(tmp_path: Path) -> None:
    found = document(tmp_path)
    assert way(found, "numpy").n == 4
    numpy = cost(found, "numpy")
    assert numpy.target_j
    assert numpy.target_j.value == pytest.approx(3 * 4.0 + 3 * 4.0, rel=0.1)
    assert numpy.target_j.low < numpy.target_j.value < numpy.target_j.high
    assert numpy.target_s
    assert numpy.target_s.value == pytest.approx(3.0 + 3 * 1.0, rel=0.1)


def test_a_seed_that_missed_the_target_leaves_no_number(tmp_path: Path) -> None:
    raw = whole(TIMES_S, JOULES)
    for one in raw["benchmarks"]:
        if one["group"] == "train-to-97" and one["extra_info"]["contender"] == "jax":
            one["extra_info"]["values"]["ways"][2]["epochs"] = None
    found = document(tmp_path, raw)
    assert (way(found, "jax").n, cost(found, "jax").target_j) == (None, None)
    assert "jax did not reach 97 % from every seed" in sentences(summary(found))["Accuracy"]
    assert "| - |" in markdown(found)


def test_break_even() -> None:
    # 11 + 9 = 20 = 2 + 9 * 2
    assert break_even_epochs(11.0, 1.0, 2.0, 2.0) == 10.0
    assert break_even_epochs(11.0, 2.0, 2.0, 2.0) == float("inf")
    assert break_even_epochs(1.0, 1.0, 2.0, 2.0) == 1.0


# --- who uses less ---


def figures(tmp_path: Path, a: dict[str, Any], b: dict[str, Any]) -> tuple[Any, Any]:
    found = document(tmp_path, content(a, b))
    return found.figures[0], found.figures[1]


def metered(name: str, joules: float, **settings: Any) -> dict[str, Any]:
    rng = np.random.default_rng(len(name))
    return benchmark(rng, "train-energy", name, joules=joules, **settings)


def test_less_needs_intervals_that_lie_apart(tmp_path: Path) -> None:
    a, b = map(joules, figures(tmp_path, metered("a", 4.0), metered("bb", 6.0)))
    assert (order(a, b).verdict, order(b, a).verdict) == (LESS, MORE)
    a, b = map(joules, figures(tmp_path, metered("a", 4.0), metered("bb", 4.02)))
    assert order(a, b).verdict == NO_DIFFERENCE


def test_models_that_disagree_show_no_difference(tmp_path: Path) -> None:
    one, all_ = metered("one", 30.0), metered("all", 40.0)
    for figure, line in ((one, 45.0), (all_, 40.0)):
        for energy_ in figure["extra_info"]["energy"]:
            energy_["model_j"]["linear_machine"] = 2 * line
    found = order(*map(joules, figures(tmp_path, one, all_)))
    assert found.verdict == NO_DIFFERENCE
    assert found.reason == "power models do not all say so: linear_machine"


def test_a_model_that_is_missing_says_nothing(tmp_path: Path) -> None:
    one, other = metered("a", 4.0), metered("bb", 6.0)
    for energy_ in one["extra_info"]["energy"]:
        energy_["model_j"] = {}
    found = order(*map(joules, figures(tmp_path, one, other)))
    assert found.verdict == NO_DIFFERENCE
    for figure in (one, other):  # joules that were counted need no model
        for energy_ in figure["extra_info"]["energy"]:
            energy_ |= {"source": energy_["source"] | {"cpu": "measured"}}
    assert order(*map(joules, figures(tmp_path, one, other))).verdict == LESS


def test_equal_contenders_of_unequal_processes_are_seldom_told_apart(tmp_path: Path) -> None:
    told = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        pair = [
            benchmark(rng, "train-energy", name, joules=4.0, noise=0.01, apart=0.1)
            for name in ("a", "b")
        ]
        told += order(*map(joules, figures(tmp_path, *pair))).verdict in (LESS, MORE)
    assert told <= 3


@pytest.mark.parametrize("flag", ["short_window", "under_5_s", "contention", "source_failed"])
def test_flagged_rounds_are_shown_and_not_ranked(tmp_path: Path, flag: str) -> None:
    one, other = metered("a", 4.0), metered("bb", 6.0)
    for energy_ in one["extra_info"]["energy"][8:]:
        energy_["flags"] = [flag]
    a, b = figures(tmp_path, one, other)
    found = order(joules(a), joules(b))
    assert found.verdict == NOT_RANKED
    assert f"a has rounds that count from 4 processes, fewer than 5 ({flag} in 4)" in found.reason
    raw = content(one, other)
    row = next(line for line in markdown(document(tmp_path, raw)).splitlines() if "| a |" in line)
    assert " * |" in row
    assert f"* Not to be ranked: {FLAGS[flag]}" in markdown(document(tmp_path, raw))


def test_rounds_that_are_kept_out_change_nothing(tmp_path: Path) -> None:
    one = metered("a", 4.0)
    for energy_ in one["extra_info"]["energy"][::2][:5]:
        energy_ |= {"cpu_j": 100.0, "flags": ["contention"]}
    found = summary(document(tmp_path, content(one))).line("a")
    assert found
    assert found.cost.epoch
    assert (found.cost.epoch.rounds, found.cost.epoch.left_out) == (7, {"contention": 5})
    assert found.cost.epoch_j
    assert found.cost.epoch_j.high < 5.0


def test_other_ways_of_counting_are_not_ranked(tmp_path: Path) -> None:
    one, other = metered("a", 4.0), metered("bb", 6.0)
    for energy_ in one["extra_info"]["energy"]:
        energy_ |= {"source": energy_["source"] | {"cpu": "measured"}}
    assert order(*map(joules, figures(tmp_path, one, other))).verdict == NOT_RANKED


def test_rounds_without_joules_are_no_zero(tmp_path: Path) -> None:
    one, other = metered("a", 4.0), metered("bb", 6.0)
    one["extra_info"]["energy"] = [energy(None)] * 12
    a, b = figures(tmp_path, one, other)
    assert order(joules(a), joules(b)).verdict == NOT_RANKED
    line = summary(document(tmp_path, content(one, other))).line("a")
    assert line
    assert line.cost.epoch_j is None


def test_speed_is_that_of_the_reference_over_ones_own(tmp_path: Path) -> None:
    found = summary(document(tmp_path))
    jax, keras = found.line("jax"), found.line("keras")
    assert jax
    assert jax.speed
    assert jax.speed.value == pytest.approx(1.2 / 0.5, rel=0.1)
    assert keras
    assert keras.speed == (1.0, 1.0, 1.0)


# --- words ---


def test_the_verdict_says_what_the_figures_say(tmp_path: Path) -> None:
    said = sentences(summary(document(tmp_path)))
    assert said["Time per epoch"].startswith("jax is the fastest, 0.5")
    assert "of the reference, keras" in said["Time per epoch"]
    assert said["Accuracy"].startswith("97.40 % of the test images")
    assert "no more than the 0.31 points of chance apart" in said["Accuracy"]
    assert "97 % are reached after 4 epochs" in said["Accuracy"]
    assert "less than keras" in said["Energy per epoch"]
    assert "no difference shown" in said["Energy per epoch"]
    assert "every power model" in said["Energy per epoch"]
    assert "Not measured" not in said


def test_equal_times_are_too_close_to_call(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0, "jax": 1.01}, {"numpy": 4.0, "jax": 4.0})
    assert "too close to call" in sentences(summary(document(tmp_path, raw)))["Time per epoch"]


def test_joules_that_repeat_the_seconds_are_called_so(tmp_path: Path) -> None:
    raw = whole({"numpy": 2.0, "jax": 1.0}, {"numpy": 8.0, "jax": 4.0})
    said = sentences(summary(document(tmp_path, raw)))
    assert said["What energy adds"].startswith("No two contenders are shown to stand otherwise")
    turned = whole({"numpy": 2.0, "jax": 1.0}, {"numpy": 4.0, "jax": 8.0})
    said = sentences(summary(document(tmp_path, turned)))
    assert said["What energy adds"] == "jax is faster than numpy and uses more energy."


def test_equal_contenders_have_no_order_to_tell(tmp_path: Path) -> None:
    names = ("numpy", "jax", "keras")
    for seed in range(10):
        raw = whole(dict.fromkeys(names, 1.0), dict.fromkeys(names, 4.0), seed=seed)
        said = sentences(summary(document(tmp_path, raw)))
        assert "uses more energy" not in said["What energy adds"]
        assert "First epoch" not in said


def test_a_single_round_ranks_nobody(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one = [benchmark(rng, "train-epoch", name, rounds=1, blocks=1) for name in ("numpy", "jax")]
    said = sentences(summary(document(tmp_path, content(*one))))
    text = "Not ranked: rounds of numpy and jax are from fewer than 5 processes."
    assert said["Time per epoch"] == text


def test_an_epoch_is_the_same_figure_for_all(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0, "jax": 0.8}, {"numpy": 4.0, "jax": 4.0})
    without = {("train-energy", "jax"), ("first-epoch", "jax")}
    for one in raw["benchmarks"]:
        if one["group"] == "train-energy":
            one["stats"]["data"] = [0.1 * time_s for time_s in one["stats"]["data"]]
    found = summary(document(tmp_path, raw))
    assert found.lines[0].cost.epoch_s
    assert found.lines[0].cost.epoch_s.value == pytest.approx(0.1, rel=0.1)
    raw["benchmarks"] = [
        one
        for one in raw["benchmarks"]
        if (one["group"], one["extra_info"]["contender"]) not in without
    ]
    found = summary(document(tmp_path, raw))
    assert [round(line.cost.epoch_s.value, 1) for line in found.lines if line.cost.epoch_s] == [
        1.0,
        0.8,
    ]


def test_a_contender_without_epochs_takes_them_from_nobody(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0, "jax": 0.8}, {"numpy": 4.0, "jax": 4.0})
    raw["benchmarks"] = [
        one
        for one in raw["benchmarks"]
        if (one["extra_info"]["suite"] == "speed" and one["extra_info"]["contender"] == "numpy")
        or one["extra_info"]["suite"] == "accuracy"
    ]
    numpy, jax = summary(document(tmp_path, raw)).lines
    assert numpy.cost.epoch_s
    assert numpy.cost.epoch_s.value == pytest.approx(1.0, rel=0.1)
    assert jax.cost.epoch_s is None


def test_the_least_is_sought_among_joules_that_count(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0, "jax": 1.0, "keras": 1.0}, {"numpy": 1.0, "jax": 2.0, "keras": 3.0})
    for one in raw["benchmarks"]:
        if one["group"] == "train-energy" and one["extra_info"]["contender"] == "numpy":
            for energy_ in one["extra_info"]["energy"]:
                energy_["flags"] = ["contention"]
    said = sentences(summary(document(tmp_path, raw)))["Energy per epoch"]
    assert said.startswith("jax uses the least")
    assert "less than keras" in said
    assert "Against numpy: not ranked" in said


def test_the_way_is_of_rounds_under_the_meter_wherever_epochs_come_from(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0}, {"numpy": 4.0})
    for one in raw["benchmarks"]:
        if one["group"] == "train-energy":
            one["stats"]["data"] = [0.5 * time_s for time_s in one["stats"]["data"]]
            one["extra_info"]["block"] = [0] * 12
    numpy = cost(document(tmp_path, raw), "numpy")
    assert numpy.epoch_s
    assert numpy.epoch_s.value == pytest.approx(1.0, rel=0.1)
    assert numpy.target_s
    assert numpy.target_s.value == pytest.approx(3.0 + 3 * 0.5, rel=0.1)


def first_epochs(flags: list[str]) -> dict[str, Any]:
    """Return a run whose first rounds of the first epoch took 34 J, of two units each."""
    raw = whole({"numpy": 1.0}, {"numpy": 4.0})
    first = next(one for one in raw["benchmarks"] if one["group"] == "first-epoch")
    for energy_, flag in zip(first["extra_info"]["energy"], flags, strict=True):
        energy_["flags"] = [flag]
        energy_["cpu_j"] = 34.0 if flag == "short_window" else 100.0
    return raw


def test_a_disturbed_first_epoch_is_left_out(tmp_path: Path) -> None:
    numpy = cost(document(tmp_path, first_epochs(["short_window"] * 5 + ["contention"])), "numpy")
    assert numpy.first_j == pytest.approx(17.0)
    assert numpy.is_way_ranked
    assert numpy.target
    assert numpy.target.is_ranked


def test_if_first_epochs_are_disturbed_the_way_is_not_ranked(tmp_path: Path) -> None:
    found = summary(document(tmp_path, first_epochs(["short_window"] * 2 + ["contention"] * 4)))
    (numpy,) = found.lines
    assert numpy.cost.first_j == pytest.approx(50.0)  # of all
    assert numpy.is_ranked
    assert numpy.cost.target
    assert not numpy.cost.target.is_ranked
    cells = {f"{one.name} {one.unit}": one.cells[0] for one in columns(found, find_zone(None))}
    marked = {name for name, cell in cells.items() if cell.endswith("*")}
    assert marked == {"to 97 % J", "to 97 % mg CO2e"}
    assert "No energy can be ranked" in sentences(found)["Way to 97 %"]


def test_power_models_add_up_along_the_way(tmp_path: Path) -> None:
    numpy = cost(document(tmp_path), "numpy")
    assert numpy.first
    assert numpy.epoch
    assert numpy.target
    for name, joules_ in numpy.target.models.items():
        assert joules_ == pytest.approx(
            numpy.first.models[name] + 3 * numpy.epoch.models[name]  # 97 % after four epochs
        )


def test_a_way_owes_to_a_model_what_its_first_epoch_owes(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0}, {"numpy": 4.0})
    for one in raw["benchmarks"]:
        if one["group"] == "train-energy":
            for round_ in one["extra_info"]["energy"]:
                round_ |= {"source": round_["source"] | {"cpu": "measured"}}
    numpy = cost(document(tmp_path, raw), "numpy")
    assert numpy.epoch
    assert numpy.target
    assert (numpy.epoch.source, numpy.target.source) == ("measured", "estimated")
    assert len(numpy.target.ways["cpu"]) == 2


@REPORT
def test_a_first_epoch_that_is_cheaper_than_others_counts_once(tmp_path: Path) -> None:
    raw = first_epochs(["short_window"] * 6)
    for one in raw["benchmarks"]:
        if one["group"] == "first-epoch":
            for round_ in one["extra_info"]["energy"]:
                round_["cpu_j"] = 2.0  # of two units, where others take 4 J each
    found = summary(document(tmp_path, raw))
    (numpy,) = found.lines
    assert numpy.cost.target_j
    assert numpy.predictions
    assert numpy.predictions.value
    all_j = numpy.cost.target_j.value + numpy.predictions.value.value
    with drawing():
        chart = next(one for one in way_charts(found) if one.title.startswith("Compute energy"))
    assert chart.rows[0][1] == "0"
    assert chart.rows[0][-1] == significant(all_j)


@REPORT
def test_a_long_interval_takes_no_value_out_of_its_chart(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0}, {"numpy": 4.0})
    for one in raw["benchmarks"]:
        slow = [i for i, block in enumerate(one["extra_info"]["block"]) if block % 3 == 0]
        for i in slow:
            one["stats"]["data"][i] *= 20
            for round_ in one["extra_info"].get("energy", [])[i : i + 1]:
                round_["cpu_j"] *= 20
    found = summary(document(tmp_path, raw))
    with drawing():
        for chart in epoch_charts(found):
            value, span = chart.rows[0][1:]
            assert float(span.split()[2]) > 5 * float(value.split()[0])
            assert value in chart.svg.partition("</desc>")[2]  # drawn, and not only told


@REPORT
def test_a_single_round_has_no_interval(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def rounds(n: int, name: str) -> list[dict[str, Any]]:
        both = ("train-epoch", None), ("train-energy", 4.0)
        return [
            benchmark(rng, group, name, rounds=n, blocks=n, joules=joules_)
            for group, joules_ in both
        ]

    alone = document(tmp_path, content(*rounds(1, "numpy")))
    found = summary(alone)
    assert spans(found, find_zone(None)) == (["backend"], [["numpy"]])
    with drawing():
        for chart in epoch_charts(found):
            assert len(chart.rows[0]) == 2
            assert "interval" not in chart.note
    shown = HtmlPage(render(alone))
    assert not any(" to " in cell and cell[0].isdigit() for cell in shown.cells)
    assert "The same with" not in shown.text()
    found = summary(document(tmp_path, content(*rounds(1, "numpy"), *rounds(6, "jax"))))
    with drawing():
        for chart in epoch_charts(found):
            assert [row[2] == ABSENT for row in chart.rows] == [True, False]
            assert "Thin line: the 95 % interval." in chart.note


@REPORT
def test_who_has_no_first_epoch_that_counts_is_not_on_the_front(tmp_path: Path) -> None:
    for disturbed, on_front in ((0, True), (4, False)):
        flags = ["short_window"] * (6 - disturbed) + ["contention"] * disturbed
        with drawing():
            charts = way_charts(summary(document(tmp_path, first_epochs(flags))))
        chart = next(one for one in charts if one.title == "Accuracy for compute energy")
        assert (chart.rows[0][-1] != ABSENT) is on_front
        note = "Too few rounds of the first epoch count to rank this of numpy."
        assert (note in chart.note) is not on_front


def test_ways_of_unequal_length_or_few_processes_are_not_ranked(tmp_path: Path) -> None:
    raw = whole(TIMES_S, JOULES)
    for one in raw["benchmarks"]:
        if one["group"] == "first-epoch":
            one["extra_info"]["block"] = [min(block, 3) for block in one["extra_info"]["block"]]
    said = sentences(summary(document(tmp_path, raw)))["Way to 97 %"]
    assert said.startswith("Time: Not ranked: ")
    raw = whole(TIMES_S, JOULES)
    trained = next(one for one in raw["benchmarks"] if one["group"] == "train-to-97")
    for one in trained["extra_info"]["values"]["ways"]:
        one["epochs"] = 2
    assert "Way to 97 %" not in sentences(summary(document(tmp_path, raw)))


def test_the_way_to_the_target_is_ranked_like_an_epoch(tmp_path: Path) -> None:
    said = sentences(summary(document(tmp_path, whole(TIMES_S, JOULES))))["Way to 97 %"]
    time, _, energy_ = said.partition(" Energy: ")
    fastest, least = min(TIMES_S, key=TIMES_S.__getitem__), min(JOULES, key=JOULES.__getitem__)
    assert time.startswith("Time: ")
    assert fastest in time
    assert energy_.startswith(f"{least} uses the least, ")
    raw = whole(TIMES_S, JOULES)
    for one in raw["benchmarks"]:
        if one["group"] == "first-epoch":
            for round_ in one["extra_info"]["energy"]:
                round_["model_j"] = dict.fromkeys(round_["model_j"], 1e6)  # the same for all
                if one["extra_info"]["contender"] == least:
                    round_["model_j"]["linear_machine"] = 2e6
    said = sentences(summary(document(tmp_path, raw)))["Way to 97 %"]
    assert "power models do not all say so: linear_machine" in said


def test_names_stay_within_their_cells(tmp_path: Path) -> None:
    raw = content(benchmark(np.random.default_rng(0), contender="a|b\n<script>"))
    row = next(line for line in markdown(document(tmp_path, raw)).splitlines() if "script" in line)
    assert row.startswith("| a\\|b &lt;script> | ")


@REPORT
def test_names_are_no_patterns(tmp_path: Path) -> None:
    raw = whole({r"a\qb": 1.0, r"a\1": 2.0}, {r"a\qb": 1.0, r"a\1": 2.0})
    labels = [
        v
        for name, v in HtmlPage(render(document(tmp_path, raw))).attributes
        if name == "aria-label"
    ]
    assert any(r"a\qb" in label for label in labels)
    assert any(r"a\1" in label for label in labels)


def test_who_is_missing_is_said(tmp_path: Path) -> None:
    absent = [{"contender": "cupy", "reason": "not installed. pip install it"}]
    raw = whole(TIMES_S, JOULES, absent=absent, failed=["speed of jax, turn 1: it died"])
    raw["fastmlp"]["failed"].append("interrupted in turn 7 of 9: speed of jax, turn 2")
    found = document(tmp_path, raw)
    said = sentences(summary(found))["Not measured"]
    assert said == (
        "cupy; the reasons stand below. The run was interrupted in turn 7 of 9; the rest is "
        "missing. 1 of the processes failed."
    )


# --- the page ---


@REPORT
def test_the_page_holds_the_table_and_its_meanings(tmp_path: Path) -> None:
    found = document(tmp_path)
    html = render(found)
    page = HtmlPage(html)
    shown = columns(summary(found), find_zone(None))
    rows = list(zip(*(column.cells for column in shown), strict=True))
    start = len(shown)
    assert page.cells[start : start + len(rows) * start] == [cell for row in rows for cell in row]
    for column in shown:
        assert column.meaning in page.text()
    titles = [value for name, value in page.attributes if name == "title"]
    assert any(title.startswith("95 %: ") for title in titles)
    head, spelled = spans(summary(found), find_zone(None))
    assert all(cell in page.cells for row in (head, *spelled) for cell in row)
    assert any(re.fullmatch(r"[\d.]+ \([\d.]+ to [\d.]+\)", cell) for cell in spelled[0])
    assert "://" not in html
    assert {"script", "link", "img", "iframe", "a"}.isdisjoint(page.tags)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


@REPORT
def test_grids_are_the_same_joules(tmp_path: Path) -> None:
    page = HtmlPage(render(document(tmp_path)))
    if find_spec("codecarbon"):
        for zone in ("FRA", "DEU", "POL", "WORLD"):
            assert f"{zone}, mg" in page.cells
    numpy = cost(document(tmp_path), "numpy").target_j
    assert numpy
    world = numpy.value / 3.6e6 * 475.0 * 1000
    assert any(re.fullmatch(f"{world:.2f}"[:4] + r"\d*", cell) for cell in page.cells)


@REPORT
def test_accuracy_is_drawn_over_the_energy_spent_until_then(tmp_path: Path) -> None:
    page, numpy = HtmlPage(render(document(tmp_path))), cost(document(tmp_path), "numpy")
    assert numpy.first_j
    assert numpy.epoch_j
    for value_j in (numpy.first_j, numpy.first_j + 4 * numpy.epoch_j.value):
        assert page.cells.count(significant(value_j)) >= 1


def test_a_contender_without_accuracy_is_left_out_of_its_verdict(tmp_path: Path) -> None:
    raw = whole(TIMES_S, JOULES)
    raw["benchmarks"] = [
        one
        for one in raw["benchmarks"]
        if (one["group"], one["extra_info"]["contender"]) != ("train-to-97", "jax")
    ]
    said = sentences(summary(document(tmp_path, raw)))["Accuracy"]
    assert said.startswith("97.40 % of the test images")


@REPORT
def test_a_look_is_marked(tmp_path: Path) -> None:
    raw = whole(TIMES_S, JOULES, protocol={"profile": "smoke"})
    found = document(tmp_path, raw)
    assert "Not for publication" in HtmlPage(render(found)).text()
    assert markdown(found).startswith("Not for publication")
    assert "Not for publication" not in render(document(tmp_path))


@REPORT
def test_what_it_is_given_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    raw = whole(TIMES_S, JOULES, absent=[{"contender": evil, "reason": evil}])
    raw["fastmlp"]["machine"]["cpu"] = evil
    html = render(document(tmp_path, raw))
    assert "<script" not in html
    assert evil in HtmlPage(html).text()


@REPORT
def test_one_suite_alone_makes_a_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for group in ("step", "train-energy", "train-to-97"):
        one = benchmark(rng, group, joules=4.0 if group == "train-energy" else None)
        if group == "train-to-97":
            one["extra_info"]["values"] = {"ways": [], "n_test": 10}
        assert "numpy" in HtmlPage(render(document(tmp_path, content(one)))).text()


@REPORT
def test_an_unknown_grid_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("codecarbon")
    with pytest.raises(ValueError, match=r"zone='FRANCE'.*did you mean FRA"):
        render(document(tmp_path), "FRANCE")


# --- for everyone ---


@REPORT
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_renders_without_errors_or_requests(scheme: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(document(tmp_path), path)
    seen = Seen(path, scheme, tmp_path)
    assert seen.console == []
    assert seen.requests == set()
    assert "What came out" in seen.dom


@REPORT
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious(scheme: str, tmp_path: Path) -> None:
    html = render(document(tmp_path))
    found = accessibility(html, scheme, tmp_path)
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert serious == [], json.dumps(serious, indent=1)


@REPORT
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
def test_axe_would_find_something(tmp_path: Path) -> None:
    html = render(document(tmp_path)).replace("--ink: #1c2126", "--ink: #eeeeee")
    found = accessibility(html.replace('lang="en"', ""), "light", tmp_path)
    assert {"color-contrast", "html-has-lang"} <= {one["id"] for one in found}


@REPORT
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
def test_it_is_as_wide_as_a_phone(tmp_path: Path) -> None:
    assert scroll_width(render(document(tmp_path)), 360, tmp_path) <= 360


@REPORT
def test_joules_that_are_not_to_be_ranked_carry_their_star_to_the_grids(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0}, {"numpy": 1.0})
    for one in raw["benchmarks"]:
        for energy_ in one["extra_info"].get("energy", ()):
            energy_["flags"] = ["short_window"]
    cells = HtmlPage(render(document(tmp_path, raw))).cells
    joules, *grids = cells[cells.index("to 97 %") + 1 :][:3]
    assert joules.endswith(" *")
    assert all(cell.endswith(" *") for cell in grids)


@REPORT
def test_the_front_is_that_of_joules_that_count(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0, "jax": 1.0, "keras": 1.0}, {"numpy": 1.0, "jax": 2.0, "keras": 3.0})

    def fronts() -> dict[str, str]:
        cells = HtmlPage(render(document(tmp_path, raw))).cells
        place = cells.index("epochs on the front") + 1
        rows = [cells[start : start + 6] for start in range(place, place + 18, 6)]
        return {row[0]: row[-1] for row in rows}

    assert fronts() == {"numpy": "1, 2, 3, 4, 5", "jax": "-", "keras": "-"}
    for one in raw["benchmarks"]:
        if one["group"] == "train-energy" and one["extra_info"]["contender"] == "numpy":
            for energy_ in one["extra_info"]["energy"]:
                energy_["flags"] = ["contention"]
    assert fronts() == {"numpy *": "-", "jax": "1, 2, 3, 4, 5", "keras": "-"}


@REPORT
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
def test_nothing_is_cut_off_in_print(tmp_path: Path) -> None:
    times_s = dict.fromkeys(("numpy", "jax", "torch", "keras", "scikit-learn", "pytorch"), 1.0)
    printed = render(document(tmp_path, whole(times_s, times_s)))
    printed = printed.replace("@media print", "@media all")
    a4 = 700  # CSS pixels, without margins
    assert scroll_width(printed, a4, tmp_path) <= a4


@REPORT
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
def test_six_contenders_fit_beside_each_other_on_a_screen(tmp_path: Path) -> None:
    times_s = dict.fromkeys(("numpy", "jax", "torch", "keras", "scikit-learn", "pytorch"), 1.0)
    page = render(document(tmp_path, whole(times_s, times_s)))
    assert "overflow-x: auto" in page  # where a table is too wide, it scrolls within itself
    unhidden = page.replace("overflow-x: auto", "overflow-x: visible")
    assert scroll_width(unhidden, 1100, tmp_path) <= 1100


@REPORT
def test_times_stand_in_the_order_of_the_contenders(tmp_path: Path) -> None:
    raw = whole(TIMES_S, JOULES)
    raw["benchmarks"].reverse()
    page = HtmlPage(render(document(tmp_path, raw)))
    place = page.cells.index("figure")
    assert page.cells[place : place + 4] == ["figure", "numpy", "jax", "keras"]
