"""RAPL on a fake powercap folder: exact joules, wraps, mirrors, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from energy_fakes import (
    RANGE_UJ,
    FakeHost,
    FakeRapl,
    FakeTracker,
    measure,
    server,
)
from fake_nvml import FakeNvml

from fastmlp.energy import EnergyMeter
from fastmlp.energy.rapl import RaplError, find_domains

# ---------------------------------------------------------------- RAPL


def test_packages_and_memory_are_counted_exactly_over_a_wrap(fake_host: FakeHost) -> None:
    tree = server(fake_host.folder)

    def work() -> None:
        # package 0 wraps; cores are inside of packages and packages inside of the board
        tree.take(
            _0=420.0, _0_0=300.0, _0_1=20.0, _0_2=30.0, _1=80.5, _1_0=11.25, _2=900.0, _2_0=5.0
        )
        fake_host.clocks.go(6.0)

    meter = EnergyMeter(engine="auto")
    result = measure(meter, work)
    assert (meter.engine, result.scope) == ("rapl", "machine")
    assert result.cpu_j == pytest.approx(500.5, rel=1e-12)
    assert result.ram_j == pytest.approx(41.25, rel=1e-12)
    assert result.source == {"cpu": "measured", "gpu": "absent", "ram": "measured"}
    assert result.method["cpu"] == "RAPL package-0 + package-1 (whole machine)"
    assert result.method["ram"] == "RAPL dram + dram (whole machine)"
    assert result.method["gpu"] == "no NVIDIA driver here"
    assert (result.compute_j, result.total_j) == (500.5, 541.75)
    assert (result.total_source, result.measured_share) == ("measured", 1.0)
    assert result.model_j == {}
    assert result.flags == ()


def test_memory_without_a_counter_is_absent(fake_host: FakeHost) -> None:
    tree = FakeRapl(fake_host.folder)
    tree.add("intel-rapl:0", "package-0")

    def work() -> None:
        tree.take(_0=60.0)
        fake_host.clocks.go(6.0)

    result = measure(EnergyMeter(), work)
    assert (result.cpu_j, result.ram_j, result.total_j) == (60.0, None, 60.0)
    assert result.method["ram"] == "RAPL has no dram here"


@pytest.mark.parametrize(("second_j", "expected_j"), [(100.0, 100.0), (60.0, 160.0)])
def test_a_die_that_mirrors_another_counts_once(
    fake_host: FakeHost, second_j: float, expected_j: float
) -> None:
    tree = FakeRapl(fake_host.folder)
    tree.add("intel-rapl:0", "package-0-die-0", 5_000_000_000)
    tree.add("intel-rapl:1", "package-0-die-1", 5_000_000_500)

    def work() -> None:
        tree.take(_0=100.0, _1=second_j)
        fake_host.clocks.go(6.0)

    assert measure(EnergyMeter(), work).cpu_j == pytest.approx(expected_j)


def test_two_packages_alike_are_no_mirrors(fake_host: FakeHost) -> None:
    tree = FakeRapl(fake_host.folder)
    tree.add("intel-rapl:0", "package-0", 5_000_000_000)
    tree.add("intel-rapl:1", "package-1", 5_000_000_000)

    def work() -> None:
        tree.take(_0=100.0, _1=100.0)
        fake_host.clocks.go(6.0)

    assert measure(EnergyMeter(), work).cpu_j == pytest.approx(200.0)


@pytest.mark.parametrize(("wall_s", "known"), [(2621.0, True), (2622.0, False)])
def test_a_window_in_which_a_counter_may_turn_twice_has_no_number(
    fake_host: FakeHost, wall_s: float, known: bool
) -> None:
    tree = FakeRapl(fake_host.folder)
    tree.add("intel-rapl:0", "package-0", limit_w=100.0)  # 262,143 J at 100 W are 2621.4 s

    def work() -> None:
        tree.take(_0=1000.0)
        fake_host.clocks.go(wall_s)

    result = measure(EnergyMeter(), work)
    assert (result.cpu_j == 1000.0) is known
    assert ("counter_wrapped" in result.flags) is not known
    assert result.total_j is None or known


def test_power_above_the_limit_is_flagged_and_dropped(fake_host: FakeHost) -> None:
    tree = server(fake_host.folder)

    def work(joules: float) -> Callable[[], None]:
        def take() -> None:
            tree.take(_0=joules, _1=1.0, _0_2=1.0, _1_0=1.0)
            fake_host.clocks.go(6.0)

        return take

    assert measure(EnergyMeter(), work(660.0)).flags == ()
    dropped = measure(EnergyMeter(), work(680.0))  # of 100 W in 6 s
    assert (dropped.cpu_j, dropped.flags) == (None, ("power_above_limit",))
    assert dropped.ram_j == 2.0


def test_a_counter_that_stands_still_is_no_zero(fake_host: FakeHost) -> None:
    server(fake_host.folder)
    result = measure(EnergyMeter(), lambda: fake_host.clocks.go(6.0))
    assert (result.cpu_j, result.total_j) == (None, None)
    assert set(result.flags) == {"cpu_not_positive", "ram_not_positive"}


def unreadable(folder: Path) -> None:
    """Make of the counter what no user can read, root included: a folder."""
    (folder / "intel-rapl:0" / "energy_uj").unlink()
    (folder / "intel-rapl:0" / "energy_uj").mkdir()


def test_counters_that_may_not_be_read_are_estimated_with_a_hint(fake_host: FakeHost) -> None:
    server(fake_host.folder)
    unreadable(fake_host.folder)
    with pytest.raises(RaplError, match="RAPL cannot be read"):
        find_domains(fake_host.folder)
    fake_host.install(FakeTracker())
    for engine, name in (("counters", "model"), ("auto", "codecarbon")):
        result = measure(EnergyMeter(engine=engine), lambda: fake_host.clocks.go(6.0))
        assert result.engine == name
        assert result.source["cpu"] == "estimated"
        assert result.cpu_j == pytest.approx(24.0)
        assert result.flags == ("rapl_unreadable",)
        assert "give this user read access" in result.explain()


def test_a_counter_that_fails_later_costs_only_its_own_value(fake_host: FakeHost) -> None:
    server(fake_host.folder)
    fake_host.plug_in(FakeNvml(n_devices=1))

    def work() -> None:
        unreadable(fake_host.folder)
        fake_host.clocks.go(6.0)

    result = measure(EnergyMeter(), work)
    assert result.cpu_j is None
    assert "source_failed" in result.flags
    assert "IsADirectoryError at the stop" in result.method["cpu"]


@pytest.mark.parametrize("limit_w", [None, 125.0])
@pytest.mark.parametrize("wall_s", [0.001, 1.1, 60.0])
def test_a_counter_that_is_reset_in_the_window_has_no_number(
    fake_host: FakeHost, limit_w: float | None, wall_s: float
) -> None:
    tree = FakeRapl(fake_host.folder)
    tree.add("intel-rapl:0", "package-0", 100_000_000_000, limit_w)

    def work() -> None:
        (fake_host.folder / "intel-rapl:0" / "energy_uj").write_text("10")
        fake_host.clocks.go(wall_s)

    result = measure(EnergyMeter(), work)
    assert (result.cpu_j, result.total_j) == (None, None)
    assert "power_above_limit" in result.flags
    assert "was it reset?" in result.method["cpu"]


@pytest.mark.parametrize("shown", ["-5", "9" * 40, "9" * 400, "abc", "", f"{RANGE_UJ + 1}"])
def test_a_count_that_is_none_has_no_number(fake_host: FakeHost, shown: str) -> None:
    server(fake_host.folder)

    def work() -> None:
        (fake_host.folder / "intel-rapl:0" / "energy_uj").write_text(shown)
        fake_host.clocks.go(6.0)

    result = measure(EnergyMeter(), work)
    assert result.cpu_j is None
    assert "source_failed" in result.flags
    assert result.method["cpu"].startswith("package-0: ValueError at the stop: ")


def test_memory_whose_counter_vanishes_costs_the_processor_nothing(fake_host: FakeHost) -> None:
    tree = server(fake_host.folder)

    def work() -> None:
        tree.take(_0=60.0, _1=60.0)
        (fake_host.folder / "intel-rapl:0:2" / "energy_uj").unlink()
        fake_host.clocks.go(6.0)

    result = measure(EnergyMeter(), work)
    assert (result.cpu_j, result.ram_j, result.flags) == (120.0, None, ("source_failed",))
    assert result.method["ram"].startswith("dram: FileNotFoundError at the stop")


def test_one_package_of_two_that_stands_still_is_no_zero(fake_host: FakeHost) -> None:
    tree = server(fake_host.folder)

    def work() -> None:
        tree.take(_0=60.0, _0_2=1.0, _1_0=1.0)
        fake_host.clocks.go(6.0)

    result = measure(EnergyMeter(), work)
    assert (result.cpu_j, result.ram_j, result.flags) == (None, 2.0, ("cpu_not_positive",))
    assert "package-1 stood still" in result.method["cpu"]


@pytest.mark.parametrize("range_uj", ["0", "-5"])
def test_a_counter_without_a_range_is_not_read(fake_host: FakeHost, range_uj: str) -> None:
    server(fake_host.folder)
    (fake_host.folder / "intel-rapl:0" / "max_energy_range_uj").write_text(range_uj)
    with pytest.raises(RaplError, match=f"intel-rapl:0: max_energy_range_uj is {range_uj}"):
        find_domains(fake_host.folder)


@pytest.mark.parametrize("engine", ["counters", "auto"])
def test_a_gpu_that_fails_in_the_window_says_so(fake_host: FakeHost, engine: str) -> None:
    library = FakeNvml(n_devices=1)
    fake_host.plug_in(library)
    fake_host.install(FakeTracker())

    def work() -> None:
        library.codes["nvmlDeviceGetTotalEnergyConsumption"] = 15
        fake_host.clocks.go(6.0)

    result = measure(EnergyMeter(engine=engine), work, device="cuda:0")
    assert result.cpu_j == pytest.approx(24.0)
    assert set(result.flags) == {"source_failed", "gpu_unread"}
    assert "the GPU has fallen off the bus" in result.method["gpu"]


def test_where_there_is_no_counter_there_is_no_hint(fake_host: FakeHost) -> None:
    result = measure(EnergyMeter(engine="counters"), lambda: fake_host.clocks.go(6.0))
    assert (result.engine, result.flags, result.scope) == ("model", (), "process")
