"""Options, fixtures and hooks of the suites."""

from __future__ import annotations

import os
from typing import Any

import pytest

from bench.gpu.problems import Images, images_of
from bench.peers.options import keep_to, threads
from bench.peers.problem import Problem
from bench.suites.contenders import Entry, find, names
from bench.suites.document import header
from bench.suites.probe import Probe
from bench.suites.problems import make_problem
from bench.suites.profiles import PROFILES, Profile
from bench.suites.rounds import Suite
from fastmlp.bench.document import KEY
from fastmlp.compare.config import cores
from fastmlp.energy import EnergyMeter

collect_ignore = ["cold"]  # its scripts are programs of their own


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what ``fastmlp bench run`` chooses."""
    group = parser.getgroup("fastmlp's suites")
    group.addoption(
        "--bench-profile",
        choices=tuple(PROFILES),
        default="smoke",
        help="how much is measured: a look, or figures to publish (default: %(default)s)",
    )
    group.addoption(
        "--bench-backends",
        default=",".join(names()),
        metavar="NAME,NAME,...",
        help="who is measured (default: %(default)s)",
    )
    group.addoption(
        "--bench-threads",
        type=threads,
        default=cores(),
        metavar="N",
        help="cores that may be used (default: %(default)s)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Keep to some cores; libraries that go by variables are told by ``fastmlp bench run``."""
    keep_to(config.getoption("--bench-threads"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of the suites for each contender."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", _chosen(metafunc.config), scope="session")


def _chosen(config: pytest.Config) -> list[str]:
    """Return the contenders that were asked for, each once."""
    chosen = list(dict.fromkeys(config.getoption("--bench-backends").split(",")))
    for name in chosen:
        if name not in names():
            raise pytest.UsageError(
                f"--bench-backends: {name!r} is unknown, expected some of {','.join(names())}"
            )
    return chosen


@pytest.fixture(scope="session")
def profile(request: pytest.FixtureRequest) -> Profile:
    """How much is measured."""
    return PROFILES[request.config.getoption("--bench-profile")]


@pytest.fixture(scope="session")
def probe() -> Probe:
    """What tells how fast the machine is at the moment."""
    return Probe()


@pytest.fixture(scope="session")
def images() -> Images:
    """MNIST where FASTMLP_DATA names its folder, else a generated set of its shape."""
    return images_of(os.environ.get("FASTMLP_DATA"))


@pytest.fixture(scope="session")
def entry(backend: str) -> Entry:
    """Return a contender that can run here; skip with the reason if it cannot."""
    found = find(backend)
    if not found.available:
        pytest.skip(f"{backend}: {found.reason}")
    return found


@pytest.fixture(scope="session")
def problem(images: Images, profile: Profile) -> Problem:
    """Return the network of the suites with its data, and the weights of seed 0."""
    return make_problem(images, profile.rows, seed=0, threads=cores())


@pytest.fixture
def suite(
    request: pytest.FixtureRequest, backend: str, profile: Profile, probe: Probe, benchmark: Any
) -> Suite:
    """Return what a figure of this test needs to be taken."""
    name = request.path.stem.removeprefix("test_")
    meter = request.getfixturevalue("meter") if name == "emissions" else None
    return Suite(benchmark, name, backend, profile, probe, meter, find(backend).device)


@pytest.fixture(scope="session")
def meter() -> EnergyMeter:
    """Return what counts joules: without CodeCarbon, counters, and a model of what has none."""
    try:
        return EnergyMeter()
    except ImportError:
        return EnergyMeter(engine="counters")


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(
    config: pytest.Config, benchmarks: list[Any], output_json: dict[str, Any]
) -> None:
    """Say of which machine and protocol the figures are."""
    output_json[KEY] = header(PROFILES[config.getoption("--bench-profile")], _chosen(config))


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    """Let pytest-benchmark's own comparison notice another number of threads."""
    machine_info["threads"] = cores()
