"""Scaling: what is derived from times, the step taken apart, and the command on tiny sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.peers import turns
from bench.peers.adapters import FORMS
from bench.peers.adapters.fastmlp_ import Epochs
from bench.peers.configs import CONFIGS, make_problem
from bench.peers.problem import Optimization, Unsupported
from bench.scaling import __main__ as command
from bench.scaling import child
from bench.scaling.findings import (
    Cell,
    breakdowns,
    cells,
    disturbed,
    exponent,
    growths,
    upper_half,
    where_faster,
)
from bench.scaling.parts import KINDS, Parts
from bench.scaling.sizes import FULL, QUICK, Sizes, crossover, growth, one_hidden
from fastmlp.backends import get_backend
from fastmlp.backends.numpy_trace import Node
from fastmlp.training import epoch_order

ROOT = Path(__file__).parents[1]
TINY = Sizes((8,), (4, 8), 16, one_hidden(4, 8, 16), (1, 2), (1,), {"tiny": 64})


# ---------------------------------------------------------------------------- findings


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_exponent_of_a_power_is_found(power: float) -> None:
    points = [(size, 7.0 * size**power) for size in (1.0, 2.0, 4.0, 8.0, 16.0)]
    assert exponent(points) == pytest.approx(power)


def test_overhead_counts_less_in_the_upper_half() -> None:
    points = [(size, 10.0 + size) for size in (1.0, 2.0, 4.0, 8.0, 16.0)]
    over_all, upper = exponent(points), exponent(upper_half(points))
    assert over_all is not None
    assert upper is not None
    assert over_all < upper < 1.0
    assert upper_half(points) == points[2:]
    assert upper_half(points[:4]) == points[2:4]


def test_one_size_has_no_exponent() -> None:
    assert exponent([(1.0, 3.0)]) is None


def cell(width: int, numpy_us: float, jax_us: float, compile_s: float = 0.5) -> Cell:
    return Cell(16, width, {"numpy": numpy_us, "jax": jax_us}, compile_s)


@pytest.mark.parametrize(
    ("jax_us", "said"),
    [
        ((20.0, 20.0, 20.0), "at no width"),
        ((5.0, 5.0, 5.0), "at every width"),
        ((20.0, 10.0, 5.0), "from 256 on"),  # equal is not faster
        ((20.0, 5.0, 5.0), "from 64 on"),
        ((5.0, 5.0, 20.0), "up to 64"),
        ((5.0, 20.0, 20.0), "at 16"),
        ((5.0, 20.0, 5.0), "at 16, 256"),
    ],
)
def test_where_compiled_steps_are_faster(jax_us: tuple[float, ...], said: str) -> None:
    row = [cell(width, 10.0, us) for width, us in zip((16, 64, 256), jax_us, strict=True)]
    assert where_faster(row) == said


def test_compiling_pays_after_as_many_steps_as_win_its_time_back() -> None:
    assert cell(16, 30.0, 20.0, 0.5).break_even_steps == 50_000
    assert cell(16, 20.0, 30.0, 0.5).break_even_steps is None
    assert cell(16, 20.0, 20.0, 0.5).break_even_steps is None
    lonely = Cell(16, 16, {"jax": 5.0}, 0.5)
    assert lonely.is_faster is None
    assert lonely.break_even_steps is None
    assert where_faster([lonely]) is None


def row(name: str, *epoch_s: float, kind: str = "fastmlp", **more: Any) -> dict[str, Any]:
    times = {"first_turn_s": 2.0, "epoch_s": list(epoch_s), "other_share": [0.0] * len(epoch_s)}
    figures = {**times, "status": "ok", "reason": ""}
    return {"name": name, "kind": kind, **figures, **more}


def test_cells_are_read_from_the_median_turn() -> None:
    rows = [row("fastmlp:numpy", 1.0, 3.0, 2.0), row("fastmlp:jax", 0.5, 0.5)]
    absent = row("fastmlp:torch", status="not installed")
    entry = {"layer_sizes": [784, 64, 10], "batch_size": 10, "n_rows": 1000}
    (found,) = cells({"crossover": [{**entry, "rows": [*rows, absent]}]})
    assert found == Cell(10, 64, {"numpy": 20_000.0, "jax": 5_000.0}, 1.5)
    assert found.break_even_steps == 100


def test_growth_is_read_along_each_axis() -> None:
    def entry(axis: str, width: int, n_rows: int, *epoch_s: float) -> dict[str, Any]:
        rows = [row("fastmlp:numpy", *epoch_s)]
        return {"axis": axis, "layer_sizes": [784, width, 10], "n_rows": n_rows, "rows": rows}

    samples, width = growths(
        {
            "growth": [
                entry("samples", 64, 100, 1.0),
                entry("samples", 64, 200, 2.0),
                entry("width", 64, 100, 1.0),
                entry("width", 128, 100, 4.0),
            ]
        }
    )
    assert samples.exponent == pytest.approx(1.0)
    assert width.exponent == pytest.approx(2.0)
    assert width.points == [(64.0, 1.0), (128.0, 4.0)]


def test_dispatch_is_what_no_part_accounts_for() -> None:
    turn = {"step_us": 100.0, "floor_us": 40.0, "parts_us": dict.fromkeys(KINDS, 15.0)}
    rows = [row("fastmlp:jax", 2.0), row("floor:blas", 1.0, kind="floor")]
    apart = {"status": "ok", "reason": "", "turns": [turn]}
    (found,) = breakdowns({"breakdown": [{"config": "s", "rows": rows, "numpy": apart}]})
    assert found.parts_us["dispatch"] == pytest.approx(25.0)
    assert found.jax_to_floor == 0.5
    broken = {"status": "failed", "reason": "no", "turns": [turn]}
    (found,) = breakdowns({"breakdown": [{"config": "s", "rows": [], "numpy": broken}]})
    assert (found.step_us, found.parts_us, found.jax_to_floor) == (None, {}, None)


def test_disturbed_sizes_are_counted() -> None:
    calm, busy = row("fastmlp:numpy", 1.0), row("fastmlp:numpy", 1.0, other_share=[0.5])
    untold = row("fastmlp:numpy", 1.0, other_share=[None])
    turns = [{"other_share": 0.2}] * 3
    document = {
        "crossover": [{"rows": [calm]}, {"rows": [busy]}, {"rows": [untold]}],
        "growth": [{"rows": [calm]}],
        "breakdown": [{"rows": [], "numpy": {"turns": turns}}, {"rows": [calm], "numpy": None}],
    }
    assert disturbed(document) == ["1 of 3 sizes of crossover", "1 of 2 sizes of breakdown"]


# ---------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("sizes", [FULL, QUICK])
def test_every_epoch_is_of_whole_batches(sizes: Sizes) -> None:
    configs = [*crossover(sizes), *(config for _, _, config in growth(sizes))]
    assert all(config.n_rows % config.batch_size == 0 for config in configs)
    for name, n_rows in sizes.breakdown.items():
        assert n_rows % CONFIGS[name].batch_size == 0


# ---------------------------------------------------------------------------- a step taken apart


def test_the_parts_are_the_steps_of_the_backend() -> None:
    problem = make_problem(CONFIGS["tiny"]._replace(n_rows=96), None, threads=1)
    whole, parts = Epochs(get_backend("numpy"), problem), Parts(problem)
    for contender in (whole, parts):
        contender.run([epoch_order(96, 0, 1)])
    for got, wanted in zip(parts.weights(), whole.weights(), strict=True):
        np.testing.assert_array_equal(got[0], wanted[0])
    assert set(parts.spent_s) == set(KINDS)
    assert all(spent_s > 0.0 for spent_s in parts.spent_s.values())


@pytest.mark.parametrize(
    ("kinds", "wanted"),
    [
        (["take", "take", "astype", "multiply"], ["gather"] * 2 + ["cast and scale"] * 2),
        (["take", "matmul", "multiply"], ["gather", "products", "elementwise"]),
        (["matmul", "sum", "multiply", "subtract"], ["products", "elementwise"] + ["update"] * 2),
    ],
)
def test_calls_are_booked_by_what_they_are_for(kinds: list[str], wanted: list[str]) -> None:
    problem = make_problem(CONFIGS["tiny"]._replace(n_rows=96), None, threads=1)
    parts = Parts(problem)
    shape = (64, 32) if "update" in wanted else (32, 64)
    nodes = [Node(kind, shape, np.dtype("float32")) for kind in kinds]
    assert [parts._kind(node) for node in nodes] == wanted


def test_parts_are_refused_for_other_optimizers() -> None:
    config = CONFIGS["tiny"]._replace(n_rows=32, optimization=Optimization("adam", 0.001))
    with pytest.raises(Unsupported, match="SGD only"):
        Parts(make_problem(config, None, threads=1))


def test_turns_tell_the_step_the_floor_and_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "TURN_S", 1e-9)
    problem = make_problem(CONFIGS["tiny"]._replace(n_rows=64), None, threads=1)
    rows = list(child.turns(problem, 2))
    assert len(rows) == 2
    for found in rows:
        assert set(found["parts_us"]) == set(KINDS)
        assert all(np.isfinite([found["step_us"], found["floor_us"], *found["parts_us"].values()]))
        assert found["floor_us"] > 0.0
        assert found["other_share"] is None or found["other_share"] >= 0.0


# ---------------------------------------------------------------------------- the command


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WARM_UP_S", 0.0)  # and turns of one epoch
    monkeypatch.setattr(turns, "PAUSE_S", 0.0)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))


@pytest.mark.usefixtures("short")
def test_who_is_absent_is_named_once_and_the_others_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scaling.json"
    options = ["--turns", "1", "--json", str(path)]
    code = command.main(options, module="fake_scaling", sizes=TINY)
    document = json.loads(path.read_text(encoding="utf-8"))
    said = capsys.readouterr().out
    assert code == 1
    assert document["complete"]
    assert said.count("fastmlp:jax: not installed: No module named 'jax'") == 1
    assert [set(cell.step_us) for cell in cells(document)] == [{"numpy"}, {"numpy"}]
    assert [(one.axis, len(one.points)) for one in growths(document)] == [
        ("samples", 2),
        ("width", 1),
    ]
    (apart,) = breakdowns(document)
    assert apart.step_us is not None
    assert apart.jax_to_floor is None


def test_the_backends_are_those_that_train_on_a_cpu() -> None:
    assert list(command.backends_of(FORMS)) == ["numpy", "jax", "torch"]


@pytest.mark.usefixtures("short")
def test_only_the_backends_asked_for_are_timed(tmp_path: Path) -> None:
    path = tmp_path / "scaling.json"
    options = ["--turns", "1", "--backends", "numpy", "--json", str(path)]
    sizes = TINY._replace(widths=(4,), sample_factors=(1,), width_factors=(), breakdown={})
    assert command.main(options, module="fake_scaling", sizes=sizes) == 0
    document = json.loads(path.read_text(encoding="utf-8"))
    names = {row["name"] for entry in document["crossover"] for row in entry["rows"]}
    assert names == {"fastmlp:numpy"}


@pytest.mark.usefixtures("short")
def test_the_file_is_whole_when_a_run_is_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Sizes) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.scaling.measure.growth", interrupt)
    path = tmp_path / "scaling.json"
    options = ["--turns", "1", "--backends", "numpy", "--json", str(path)]
    with pytest.raises(KeyboardInterrupt):
        command.main(options, module="fake_scaling", sizes=TINY._replace(widths=(4,)))
    document = json.loads(path.read_text(encoding="utf-8"))
    assert not document["complete"]
    assert len(document["crossover"]) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--backends", "numpy,caffe"), "'caffe' is no backend with a CPU, expected some of numpy"),
        (("--backends", "cupy"), "'cupy' is no backend with a CPU"),
        (("--turns", "0"), "'0' is no whole number from 1 on"),
        (("--json", "/nowhere/scaling.json"), "is no file in a folder that can be written to"),
    ],
)
def test_impossible_arguments_are_refused(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(options)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
