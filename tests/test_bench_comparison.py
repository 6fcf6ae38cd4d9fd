"""Files of the suites: read, refused, compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from invented_suites import benchmark, content, energy, whole, write

from fastmlp.bench import Comparison, compare, read
from fastmlp.bench.comparison import smaller_is_better
from fastmlp.bench.comparison_table import print_comparison
from fastmlp.bench.document import INTERRUPTED
from fastmlp.bench.statistics import Interval, Probed, Sample, combined, median, quiet_ratio, ratio


def pair(tmp_path: Path, seed: int, slower: float = 1.0, **settings: Any) -> Comparison:
    rng = np.random.default_rng(seed)
    old = content(benchmark(rng, **settings))
    new = content(benchmark(rng, time_s=slower, **settings))
    return compared(tmp_path, old, new)


def compared(tmp_path: Path, old: Any, new: Any, **limits: float) -> Comparison:
    before, after = write(tmp_path / "old.json", old), write(tmp_path / "new.json", new)
    return compare(read(before), read(after), **limits)


# --- intervals ---


def test_an_interval_of_equal_values_is_a_point() -> None:
    assert median([2.0, 2.0, 2.0]) == Interval(2.0, 2.0, 2.0)
    assert ratio([3.0, 3.0], [2.0, 2.0, 2.0]) == Interval(1.5, 1.5, 1.5)


def test_intervals_hold_the_true_median_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        found = median(list(rng.lognormal(0, 0.3, 30)))
        hits += found.low <= 1.0 <= found.high
    assert 0.92 <= hits / 400 <= 0.98  # 95 %, within three standard errors


def test_two_samples_know_nothing_of_each_other() -> None:
    values = list(np.random.default_rng(0).lognormal(0, 0.3, 20))
    found = ratio(values, values)
    assert found.low < 0.95
    assert found.high > 1.05


def test_rounds_of_few_processes_say_less_than_those_of_many() -> None:
    rng = np.random.default_rng(0)
    of_processes = np.repeat(rng.lognormal(0, 0.1, 4), 10) * rng.lognormal(0, 0.001, 40)
    values, blocks = list(of_processes), list(np.repeat(range(4), 10))

    def width(found: Interval) -> float:
        return found.high - found.low

    assert width(median(values, blocks)) > 2 * width(median(values))


def test_blocks_may_differ_in_their_rounds() -> None:
    found = median([1.0, 1.0, 1.0, 2.0], [0, 0, 0, 1])
    assert (found.low, found.high) == (1.0, 2.0)


def test_a_sum_of_medians_has_the_interval_of_its_parts() -> None:
    found = combined(lambda a, b: a + 10 * b, Sample([1.0, 2.0, 3.0]), Sample([1.0]))
    assert found == Interval(12.0, 11.0, 13.0)


def test_a_disturbed_probe_moves_no_quiet_ratio() -> None:
    quiet, disturbed = [0.05] * 12, [0.10] * 4 + [0.05] * 8
    found = quiet_ratio(Probed([1.0] * 12, disturbed), Probed([1.0] * 12, quiet))
    assert found == Interval(1.0, 1.0, 1.0)


def test_times_are_over_the_probe_of_their_run() -> None:
    found = quiet_ratio(Probed([3.0] * 5, [0.1] * 5), Probed([1.0] * 5, [0.05] * 5))
    assert found.value == pytest.approx(1.5)


def test_no_values_have_no_median() -> None:
    with pytest.raises(ValueError, match=r"values=\[\]: a median needs at least one"):
        median([])


# --- decisions ---


def test_a_slowdown_is_found_and_equal_runs_are_left_alone(tmp_path: Path) -> None:
    seeds = range(20)
    assert sum(bool(pair(tmp_path, seed, 1.3).regressions) for seed in seeds) >= 18
    assert sum(bool(pair(tmp_path, seed, 1.0).regressions) for seed in seeds) == 0
    assert {pair(tmp_path, seed, 1 / 1.4).changes[0].verdict for seed in seeds} == {"better"}


def test_what_slows_the_machine_down_is_no_change(tmp_path: Path) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        quiet, busy = benchmark(rng), benchmark(rng, drift=2.0)
        comparison = compared(tmp_path, content(quiet), content(busy))
        assert comparison.changes[0].verdict == "no difference shown"
        busy["extra_info"]["probe_s"] = quiet["extra_info"]["probe_s"]  # without the probe it is
        assert compared(tmp_path, content(quiet), content(busy)).regressions


def test_processes_that_had_half_the_machine_are_no_change(tmp_path: Path) -> None:
    seeds, settings = range(40), {"rounds": 16, "blocks": 8, "halved": 0.2}
    assert sum(bool(pair(tmp_path, seed, 1.3, **settings).regressions) for seed in seeds) >= 36
    assert sum(bool(pair(tmp_path, seed, 1.0, **settings).regressions) for seed in seeds) <= 2


def test_noise_as_large_as_the_change_leaves_it_unclear(tmp_path: Path) -> None:
    def verdicts(slower: float) -> list[str]:
        return [pair(tmp_path, seed, slower, noise=0.5).changes[0].verdict for seed in range(20)]

    assert verdicts(1.3).count("unclear") >= 5
    assert verdicts(1.0).count("worse") <= 1


@pytest.mark.parametrize(("limit", "worse"), [(0.1, True), (0.5, False)])
def test_the_limit_is_the_users(tmp_path: Path, limit: float, worse: bool) -> None:
    rng = np.random.default_rng(0)
    old, new = content(benchmark(rng)), content(benchmark(rng, time_s=1.3))
    assert bool(compared(tmp_path, old, new, fail_speed=limit).regressions) is worse


def test_energy_is_compared_per_unit_of_work(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old = content(benchmark(rng, joules=10.0, work=2))
    new = content(benchmark(rng, joules=13.0, work=5))
    speed, energy_ = compared(tmp_path, old, new).changes
    assert (speed.quantity, speed.verdict) == ("time", "no difference shown")
    assert (energy_.quantity, energy_.verdict) == ("energy", "worse")
    assert energy_.ratio.value == pytest.approx(1.3, rel=0.06)


def test_few_processes_prove_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old = content(benchmark(rng, rounds=12, blocks=4))
    new = content(benchmark(rng, rounds=12, blocks=4, time_s=5.0))
    (change,) = compared(tmp_path, old, new).changes
    assert (change.verdict, change.doubt) == ("unclear", "fewer than 5 processes")


def test_joules_of_flagged_rounds_prove_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old, new = benchmark(rng, joules=10.0), benchmark(rng, joules=20.0)
    for one in new["extra_info"]["energy"]:
        one["flags"] = ["contention"]
    _, change = compared(tmp_path, content(old), content(new)).changes
    assert change.verdict == "unclear"
    assert "count from 0 processes, fewer than 5 (contention in 12)" in change.doubt


def test_more_joules_under_one_model_alone_prove_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old, new = benchmark(rng, joules=10.0), benchmark(rng, joules=20.0)
    for one in new["extra_info"]["energy"]:
        one["model_j"]["cpu_time"] /= 4
    _, change = compared(tmp_path, content(old), content(new)).changes
    assert change.verdict == "unclear"
    assert change.doubt == "power models do not all say so: cpu_time"


def test_equal_joules_are_no_matter_for_models(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old, new = benchmark(rng, joules=10.0), benchmark(rng, joules=10.0)
    for one in new["extra_info"]["energy"]:
        one["model_j"] = {name: 0.9 * joules for name, joules in one["model_j"].items()}
    _, change = compared(tmp_path, content(old), content(new)).changes
    assert (change.verdict, change.doubt) == ("no difference shown", "")


def test_a_round_that_failed_is_left_out_and_stops_no_comparison(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old, new = benchmark(rng, joules=10.0), benchmark(rng, joules=10.0)
    absent = {"source": {"cpu": "absent"}, "method": {"cpu": "the clocks differ"}}
    failed = energy(None, flags=["duration_mismatch"])
    new["extra_info"]["energy"][3] = failed | {
        name: failed[name] | changed for name, changed in absent.items()
    }
    _, change = compared(tmp_path, content(old), content(new)).changes
    assert change.verdict == "no difference shown"


def test_a_process_that_failed_loses_its_contender(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    step = benchmark(rng, "step", contender="jax")
    old = content(benchmark(rng), benchmark(rng, contender="jax"), step)
    words = ["speed of jax, turn 1: Segmentation fault"]
    for figures in ([benchmark(rng)], [benchmark(rng), benchmark(rng, contender="jax")]):
        assert compared(tmp_path, old, content(*figures, failed=words)).lost == ("jax",)
        assert compared(tmp_path, old, content(*figures)).lost == ()


def test_a_turn_that_failed_beside_others_is_a_failure(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    both = [benchmark(rng), benchmark(rng, contender="jax")]
    failed = content(*both, failed=["speed of jax, turn 3: exit code -11"])
    assert compared(tmp_path, content(*both), failed).lost == ("jax",)


def test_an_interrupted_run_loses_nobody(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old = content(benchmark(rng), benchmark(rng, contender="jax"))
    words = [f"{INTERRUPTED}2 of 3: speed of jax, turn 1"]
    comparison = compared(tmp_path, old, content(benchmark(rng), failed=words))
    assert comparison.lost == ()
    assert comparison.missing == ("train-epoch jax",)


def test_one_round_of_each_has_no_interval_to_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    old, new = (content(benchmark(rng, rounds=1, blocks=1)) for _ in range(2))
    print_comparison(compared(tmp_path, old, new))
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "train-epoch" in line][:1]
    assert [cell.strip() for cell in row.split("│")[5:7]] == ["-", "unclear"]


def test_seeds_are_not_compared(tmp_path: Path) -> None:
    old, new = (whole({"numpy": time_s}, {"numpy": 1.0}) for time_s in (1.0, 1.0))
    for one in new["benchmarks"]:
        if one["group"] == "train-to-97":
            one["stats"]["data"] = [9.0 * time_s for time_s in one["stats"]["data"]]
    names = [change.name for change in compared(tmp_path, old, new).changes]
    assert "train-epoch" in names
    assert "train-to-97" not in names


def test_a_new_driver_and_a_megabyte_make_no_other_machine(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old, new = (
        content(benchmark(rng), machine={"gpu": [f"NVIDIA A100, {driver}"], "memory_bytes": memory})
        for driver, memory in (("550.1", 8 * 2**30), ("560.2", 8 * 2**30 - 2**20))
    )
    comparison = compared(tmp_path, old, new)
    assert comparison.versions == ("gpu NVIDIA A100, 550.1 -> NVIDIA A100, 560.2",)


def test_a_contender_that_could_not_run_any_more_is_lost(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old = content(benchmark(rng), benchmark(rng, contender="jax"))
    absent = [{"contender": "jax", "reason": "broken"}]
    assert compared(tmp_path, old, content(benchmark(rng), absent=absent)).lost == ("jax",)
    assert compared(tmp_path, old, content(benchmark(rng))).lost == ()


def test_lost_figures_and_lost_energy_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kept = benchmark(rng, joules=1.0)
    old = content(kept, benchmark(rng, contender="jax"))
    without = {**kept, "extra_info": {**kept["extra_info"], "energy": []}}
    comparison = compared(tmp_path, old, content(without))
    assert comparison.missing == ("train-epoch jax", "train-epoch numpy: energy")


def printed(tmp_path: Path, capsys: pytest.CaptureFixture[str], old: Any, new: Any) -> list[str]:
    print_comparison(compared(tmp_path, old, new))
    return capsys.readouterr().out.splitlines()


def test_what_is_printed_says_how_to_read_it_and_what_comes_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    old = content(benchmark(rng, "step"), benchmark(rng, "forward"))
    lines = printed(tmp_path, capsys, old, old)
    assert lines[-1] == "No regressions."
    assert "Limits: time 10 %." in lines
    assert any(line.startswith("Above 1 the new run takes more. ") for line in lines)
    slow = content(benchmark(rng, "step", time_s=2.0), benchmark(rng, "forward"))
    assert printed(tmp_path, capsys, old, slow)[-1] == "1 regression."


def test_what_is_unclear_is_counted_and_has_its_reason_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    few = [benchmark(rng, name) for name in ("step", "forward")]
    for one in few:
        one["extra_info"]["block"] = [0] * len(one["extra_info"]["block"])
    lines = printed(tmp_path, capsys, content(*few), content(*few))
    assert lines[-1] == "Nothing can be said: all 2 are unclear."
    assert [line for line in lines if "fewer than 5" in line] == [
        "Unclear (fewer than 5 processes): forward numpy time, step numpy time."
    ]
    lines = printed(
        tmp_path,
        capsys,
        content(*few, benchmark(rng, "predict-1")),
        content(*few, benchmark(rng, "predict-1")),
    )
    assert lines[-1] == "No regressions; 2 of 3 are unclear."


def test_names_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    one = content(benchmark(rng, contender="[/red]"), benchmark(rng, contender="[red]x[/red]"))
    lines = printed(tmp_path, capsys, one, one)
    assert any("[/red]" in line for line in lines)
    assert any("[red]x[/red]" in line for line in lines)


def test_machines_of_unknown_memory_can_be_compared(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one = content(benchmark(rng), machine={"memory_bytes": None})
    assert not compared(tmp_path, one, one).regressions


def test_a_contender_whose_seeds_failed_is_lost_and_its_words_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = (whole({"numpy": 1.0}, {"numpy": 4.0}) for _ in range(2))
    new["benchmarks"] = [one for one in new["benchmarks"] if "train-to" not in one["group"]]
    new["fastmlp"]["failed"] = ["accuracy of numpy, turn 1: it died"]
    lines = printed(tmp_path, capsys, old, new)
    assert lines[-1] == "Lost: numpy could not run, or failed."
    assert "Failed in the new run: accuracy of numpy, turn 1: it died." in lines


def test_first_epochs_are_compared_though_they_are_short(tmp_path: Path) -> None:
    raw = whole({"numpy": 1.0}, {"numpy": 4.0})
    for one in raw["benchmarks"]:
        if one["group"] == "first-epoch":
            for round_ in one["extra_info"]["energy"]:
                round_["flags"] = ["short_window"]
    changes = {one.label: one for one in compared(tmp_path, raw, raw).changes}
    assert changes["first-epoch numpy energy"].verdict == "no difference shown"


def test_energies_that_no_power_model_tells_apart_are_no_regression(tmp_path: Path) -> None:
    old, new = (whole({"numpy": 1.0}, {"numpy": 4.0}) for _ in range(2))
    for one in new["benchmarks"]:
        for round_ in one["extra_info"].get("energy", ()):
            round_["cpu_j"] *= 2
    for a, b in ((old, new), (new, old)):
        changes = {one.label: one for one in compared(tmp_path, a, b).changes}
        change = changes["train-energy numpy energy"]
        assert change.verdict == "unclear"
        assert "linear_machine" in change.doubt


def test_trainings_of_seeds_are_neither_compared_nor_exported(tmp_path: Path) -> None:
    found = read(write(tmp_path / "bench.json", whole({"numpy": 1.0}, {"numpy": 4.0})))
    names = [entry["name"] for entry in smaller_is_better(found)]
    assert names
    assert not any("train-to" in name for name in names)


def test_other_versions_are_compared_and_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    versions = {"versions": {"fastmlp": "0.1", "jax": "0.10.2", "torch": "2.13"}}
    comparison = compared(
        tmp_path, content(benchmark(rng)), content(benchmark(rng), machine=versions)
    )
    assert comparison.versions == ("jax 0.10.1 -> 0.10.2",)  # torch was not asked for


# --- refusals ---


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"machine": {"cpu": "Other"}}, r"old file has cpu='Invented CPU', the new one 'Other'"),
        ({"machine": {"gpu": ["A100"]}}, r"figures of another machine cannot be compared"),
        ({"protocol": {"settings": {"rows": 9}}}, r"rows=None, the new one 9"),
        ({"protocol": {"profile": "smoke"}}, r"profile='publish', the new one 'smoke'"),
        ({"protocol": {"batch_size": 32}}, r"batch_size=128, the new one 32"),
        ({"protocol": {"threads": 1}}, r"figures of another protocol cannot be compared"),
    ],
)
def test_what_differs_is_not_compared(tmp_path: Path, changed: Any, message: str) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=message):
        compared(tmp_path, content(benchmark(rng)), content(benchmark(rng), **changed))


def test_joules_of_other_sources_are_not_compared(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old, new = (benchmark(rng, joules=1.0) for _ in range(2))
    source, method = {"cpu": "measured"}, {"cpu": "RAPL package-0"}
    for one in new["extra_info"]["energy"]:
        one |= {"source": one["source"] | source, "method": one["method"] | method}
    with pytest.raises(ValueError, match=r"estimated \(4 W/thread x CPU time\).*measured \(RAPL"):
        compared(tmp_path, content(old), content(new))


def test_files_without_a_common_figure_are_not_compared(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no figure in common"):
        compared(tmp_path, content(benchmark(rng)), content(benchmark(rng, contender="jax")))


@pytest.mark.parametrize("limit", [-0.1, float("nan"), float("inf")])
def test_limits_are_parts(tmp_path: Path, limit: float) -> None:
    rng = np.random.default_rng(0)
    documents = content(benchmark(rng)), content(benchmark(rng))
    with pytest.raises(ValueError, match=r"fail_energy=.*expected a part from 0 on"):
        compared(tmp_path, *documents, fail_energy=limit)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda one: one.clear(), "does not come from the suites of fastmlp"),
        (lambda one: one["fastmlp"].update(schema_version=2), "schema_version 2, expected 1"),
        (lambda one: one["fastmlp"].pop("machine"), "is damaged .KeyError: 'machine'"),
        (lambda one: one["fastmlp"].update(machine=None), "machine=None"),
        (lambda one: one["fastmlp"]["protocol"].update(target="high"), "target='high'"),
        (lambda one: one["fastmlp"].update(contenders=[1]), "contender=1"),
        (lambda one: one["fastmlp"].update(contenders=[]), "numpy is not among the contenders"),
        (
            lambda one: one["benchmarks"].append(one["benchmarks"][0]),
            "stands twice",
        ),
        (lambda one: one["benchmarks"].clear(), "holds no figure"),
        (lambda one: one["benchmarks"].append(None), "is damaged .TypeError"),
        (
            lambda one: one["benchmarks"][0]["extra_info"].update(
                suite="accuracy", values={"ways": [{"accuracy": [1.5], "epochs": 1}], "n_test": 10}
            ),
            r"accuracy=\[1.5\]",
        ),
        (
            lambda one: one["benchmarks"][0]["extra_info"].update(
                suite="accuracy", values={"ways": [{"accuracy": [0.5], "epochs": "1"}]}
            ),
            "epochs='1' of 1",
        ),
        (lambda one: one["benchmarks"][0]["extra_info"].update(suite="accuracy"), "'ways'"),
        (lambda one: one["fastmlp"].update(schema_version=True), "schema_version True, expected 1"),
        (lambda one: one["fastmlp"]["machine"].update(gpu=None), "machine: gpu=None"),
        (lambda one: one["fastmlp"]["machine"].update(gpu=[None]), r"machine: gpu=\[None\]"),
        (lambda one: one["fastmlp"]["machine"].update(memory_bytes=10**400), "memory_bytes=1000"),
        (lambda one: one["fastmlp"]["protocol"].update(target=10**400), "target=1000"),
        (lambda one: one["fastmlp"]["machine"].update(versions=3), "versions=3"),
        (lambda one: one["fastmlp"]["machine"].update(memory_bytes=np.nan), "memory_bytes=nan"),
        (lambda one: one["fastmlp"]["protocol"].update(settings="x"), "settings='x'"),
        (lambda one: one["fastmlp"]["protocol"].update(target=np.inf), "target=inf"),
        (lambda one: one["fastmlp"]["protocol"].update(batch_size=0), "batch_size=0"),
        (lambda one: one["fastmlp"]["protocol"].update(threads=True), "threads=True"),
        (
            lambda one: one["fastmlp"]["contenders"].append(one["fastmlp"]["contenders"][0]),
            "numpy, numpy stands twice",
        ),
        (lambda one: one["benchmarks"][0]["stats"]["data"].pop(), r"has \[11, 12\] values"),
        (lambda one: one["benchmarks"][0]["stats"].update(data=[]), "time of a round is not above"),
        (lambda one: one["benchmarks"][0]["extra_info"].update(work=[0]), "work of a round is not"),
        (
            lambda one: one["benchmarks"][0]["extra_info"].update(probe_s=[5e-324]),
            "probe of a round",
        ),
        (
            lambda one: one["benchmarks"][0]["stats"].pop("data"),
            "no rounds: .*--benchmark-save-data",
        ),
        (
            lambda one: one["benchmarks"][0]["extra_info"].update(energy=[energy(1.0)]),
            r"has \[1, 12\] values",
        ),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, damage: Any, message: str) -> None:
    document = content(benchmark(np.random.default_rng(0)))
    damage(document)
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path / "bench.json", document))


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bench.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bench.json is no JSON"):
        read(tmp_path / "bench.json")


# --- for github-action-benchmark ---


def test_entries_of_github_action_benchmark(tmp_path: Path) -> None:
    document = content(benchmark(np.random.default_rng(0), joules=3.0))
    time, joules = smaller_is_better(read(write(tmp_path / "bench.json", document)))
    assert time["name"] == "train-epoch numpy: time"
    assert time["value"] == pytest.approx(20, rel=0.1)
    assert joules["unit"] == "J per epoch"
    low, _, high = joules["range"].partition(" to ")
    assert float(low) < joules["value"] < float(high)


def test_joules_that_are_not_to_be_ranked_raise_no_alarm_there(tmp_path: Path) -> None:
    document = content(benchmark(np.random.default_rng(0), joules=3.0))
    for one in document["benchmarks"][0]["extra_info"]["energy"]:
        one["flags"] = ["contention"]
    (entry,) = smaller_is_better(read(write(tmp_path / "bench.json", document)))
    assert entry["name"] == "train-epoch numpy: time"


def test_other_units_are_not_compared(tmp_path: Path) -> None:
    old, new = (content(benchmark(np.random.default_rng(0))) for _ in range(2))
    new["benchmarks"][0]["extra_info"]["unit"] = "fit"
    with pytest.raises(ValueError, match=r"its unit was 'epoch' in the old file and is 'fit'"):
        compared(tmp_path, old, new)
