"""The page: whole, self-contained, the same for the same results, and quiet in a browser."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest
from browser import CHROMIUM, SCHEMES, Seen, accessibility, scroll_width
from html_page import HtmlPage, words
from invented_results import CASES, complete, history, joules, results, sample

from fastmlp.compare.bars import components
from fastmlp.compare.cells import columns
from fastmlp.compare.config import Config
from fastmlp.compare.machine import machine_card
from fastmlp.compare.report import render, write_report
from fastmlp.compare.results import Results, Run, Status
from fastmlp.compare.verdict import verdict
from fastmlp.energy import LABELS

ROOT = Path(__file__).parents[1]
REPORT = pytest.mark.skipif(
    not (find_spec("jinja2") and find_spec("matplotlib")),
    reason="jinja2 or matplotlib is not installed: pip install 'fastmlp[report]'",
)
cases = pytest.mark.parametrize("name", CASES)


@functools.cache
def page_of(name: str) -> str:
    return render(CASES[name]())


def test_page_parser_refuses_unbalanced_tags() -> None:
    with pytest.raises(AssertionError, match="never closed"):
        HtmlPage("<p><b>x</b>")
    with pytest.raises(AssertionError):
        HtmlPage("<p><b>x</p></b>")


@REPORT
@cases
def test_page_is_well_formed_and_needs_nothing_else(name: str) -> None:
    html = page_of(name)
    page = HtmlPage(html)
    assert "://" not in html
    assert "@import" not in html
    references = {"src", "srcset", "action", "data", "background", "poster", "ping"}
    assert references.isdisjoint(name for name, _ in page.attributes)
    assert {"script", "link", "img", "iframe", "object", "base", "a"}.isdisjoint(page.tags)
    targets = re.findall(r"url\(#([^)]*)\)", html)
    targets += [value[1:] for name, value in page.attributes if name in {"href", "xlink:href"}]
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)), "an id stands twice"
    assert set(targets) <= set(ids), "a reference leads out of the page"
    assert html.count("url(") == len(re.findall(r"url\(#", html))


@REPORT
@cases
def test_page_holds_every_cell_reason_and_hint(name: str) -> None:
    found = CASES[name]()
    page = HtmlPage(page_of(name))
    if any(run.epoch_s for run in found.runs):
        shown = columns(found)
        start = len(shown)  # the head comes first
        rows = list(zip(*(column.cells for column in shown), strict=True))
        assert page.cells[start : start + len(rows) * len(shown)] == [c for r in rows for c in r]
    for run in found.runs:
        assert words(run.reason) in page.text()
        assert run.status in page.text() or run.status == "ok"
        assert words(run.hint) in page.text()
    for _, sentence in verdict(found):
        assert sentence in page.text()
    for value in ("Invented CPU", "23.3 GiB", "UCI", "2.4.6", found.created, "learning rate"):
        assert value in page.text()


@REPORT
def test_an_idle_gpu_is_no_part_of_a_bar() -> None:
    run = complete("numpy", 0.1, 0.02, **joules(280.0))
    run.energy["window"] |= {"gpu_j": 300.0, "device": "cuda:0"}
    assert components(run)["gpu_j"] > 0
    run.energy["window"]["device"] = "cpu"
    assert components(run) == pytest.approx({"cpu_j": 80.0, "ram_j": 200.0})


@REPORT
def test_page_shows_curves_bars_and_their_numbers() -> None:
    page = HtmlPage(page_of("sample"))
    labels = {value for name, value in page.attributes if name == "aria-label"}
    for title in ("Training loss", "Test loss", "Training accuracy", "Test accuracy"):
        assert f"{title} per epoch" in labels
        assert f"{title} in numbers" in page.text()
    assert {"Time per epoch", "First call", "Energy and CO2e of the whole training"} <= labels
    last = 2.3 * math.exp(-0.25 * 19) + 0.02
    assert page.cells.count(f"{last:.5f}") == 3, "one cell per contender in the last epoch"
    assert "No difference between contenders in any epoch." in page.text()
    # of 1.1 J, 8/28 belong to the CPU by the proportions of the window
    assert "0.314" in page.cells
    assert page.tags.count("svg") == 4 + 2 + 1 + 3, "panels, times, energy, legend"


@REPORT
def test_distance_of_the_curves_is_told() -> None:
    jax = complete("jax", 0.4, 0.001, history=history(20, shift=0.0125))
    text = HtmlPage(render(results(complete("numpy", 0.1, 0.002), jax))).text()
    assert "Largest distance between two contenders: 0.013." in text


@REPORT
def test_page_escapes_what_it_is_given() -> None:
    evil = "<script>alert(1)</script>"
    runs = (
        Run(evil, status="failed", reason=evil, hint=evil),
        complete("<b>$\\numpy$", 0.1, 0.01, device=evil, version=evil, **joules(1.0, "<i>x")),
    )
    html = render(results(*runs, dataset=evil, source=evil))
    assert "<script" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    page = HtmlPage(html)
    assert "script" not in page.tags
    assert evil in page.text()


@REPORT
def test_charts_take_their_colours_from_the_page() -> None:
    html = page_of("gpus")
    drawn = html[html.index("<body") :]
    assert re.findall(r"(?:fill|stroke): ?#[0-9a-f]{6}", drawn) == []
    assert "currentColor" in drawn
    for index in range(6):
        assert f"var(--series-{index})" in drawn
    assert set(re.findall(r"var\((--[\w-]+)\)", html)) <= set(re.findall(r"(--[\w-]+):", html))


@REPORT
def test_colour_belongs_to_the_place_and_not_to_the_others() -> None:
    alone = results(Run("numpy", reason="x"), complete("jax", 0.4, 0.001))
    for found in (sample(), alone):
        line = re.search(r'id="line-\d-figure_1".*?</svg>\s*jax', render(found), re.DOTALL)
        assert line
        assert "--series-1" in line.group().rpartition("<svg")[2]


@REPORT
def test_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    write_report(sample(), tmp_path / "new" / "report.html")
    again = (
        "import sys; sys.path[:0] = sys.argv[2:]; from pathlib import Path; "
        "from fastmlp.compare import Results; from fastmlp.compare.report import write_report; "
        "folder = Path(sys.argv[1]); "
        "write_report(Results.read(folder / 'results.json'), folder / 'report.html')"
    )
    sample().write(tmp_path / "results.json")
    subprocess.run([sys.executable, "-c", again, str(tmp_path), str(ROOT)], check=True, timeout=120)
    first, second = tmp_path / "new" / "report.html", tmp_path / "report.html"
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["report.html"]


@REPORT
def test_the_users_matplotlib_style_is_neither_used_nor_changed() -> None:
    import matplotlib as mpl

    plain = render(sample())
    with mpl.rc_context({"xtick.major.size": 20.0, "font.size": 30.0}):
        assert render(sample()) == plain
        assert mpl.rcParams["font.size"] == 30.0


@REPORT
@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
def test_missing_library_is_named_with_the_way_out(
    library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"{library}.*pip install 'fastmlp\[report\]'"):
        write_report(sample(), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_import_takes_no_optional_library() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import fastmlp.compare.table, "
        "fastmlp.compare.report; print(sorted({'rich', 'jinja2', 'matplotlib'} & {*sys.modules}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, timeout=60
    )
    assert answer.stdout.strip() == "[]", answer.stderr


# ---------------------------------------------------------------- the page in a browser


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
def test_browser_test_sees_console_errors_and_requests(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<script>console.error('boom')</script><img src='http://example.invalid/x.png'>",
        encoding="utf-8",
    )
    seen = Seen(page, "light", tmp_path)
    assert "boom" in "".join(seen.console)
    assert seen.requests == {"http://example.invalid/x.png"}


@REPORT
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_page_renders_in_chromium_without_errors_or_requests(scheme: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_report(sample(), page)
    seen = Seen(page, scheme, tmp_path)
    assert seen.console == []
    assert seen.requests == set()
    assert seen.dom.count("<svg") == 10
    assert "schema version 1" in seen.dom

    from matplotlib.image import imread

    pixels = imread(seen.picture)[..., :3]
    ground, farthest = pixels[0, 0].mean(), abs(pixels - pixels[0, 0]).max()
    assert (ground < 0.2) if scheme == "dark" else (ground > 0.9)
    assert farthest > 0.6, "the text does not stand out"


@REPORT
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious(scheme: str, tmp_path: Path) -> None:
    found = accessibility(page_of("sample"), scheme, tmp_path)
    assert [one for one in found if one["impact"] in ("serious", "critical")] == []


@REPORT
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
def test_page_is_as_wide_as_a_phone(tmp_path: Path) -> None:
    assert scroll_width(page_of("sample"), 360, tmp_path) <= 360


# ---------------------------------------------------------------- the documented format


def documented(heading: str) -> list[str]:
    """Names in the first column of the first table below a heading, in its order."""
    text = (ROOT / "docs" / "results-format.md").read_text(encoding="utf-8")
    section = re.split(
        r"^#+ ", text.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE
    )[0]
    names = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in names for name in re.findall(r"`([^`]+)`", cell)]


def fields(record: type) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]


def test_documented_fields_are_those_of_the_records() -> None:
    assert documented("The file") == fields(Results)
    assert documented("A run") == fields(Run)
    assert documented("`status`") == list(get_args(Status))
    assert documented("`energy_source`") == list(LABELS)
    assert documented("`history`") == list(history(1))
    assert documented("`machine`") == list(machine_card({}))
    described = {"source", "optimizer", "n_train", "n_test", "n_features", "n_classes"}
    assert set(documented("`config`")) == {*fields(Config), *described}
