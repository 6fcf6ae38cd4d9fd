"""One fixture, `backend`: whatever a test says of it must hold on every array library."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from energy_fakes import FakeHost
from strict_backend import read_only_numpy, strict_device

from fastmlp.backends import Backend, backend_status, get_backend, registry

# The same examples in every run, and no limit of time on a busy machine.
hypothesis.settings.register_profile(
    "fastmlp", deadline=None, derandomize=True, database=None, max_examples=100
)
hypothesis.settings.load_profile("fastmlp")

BACKENDS = ("numpy", "numpy-readonly", "strict", "strict-static", "jax", "torch", "cupy")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    name: str = request.param
    if name == "numpy-readonly":
        yield read_only_numpy()
    elif name.startswith("strict"):
        with strict_device(static_shapes=name == "strict-static") as strict:
            yield strict
    else:
        status = backend_status(name)
        if not status.available:
            pytest.skip(f"{name}: {status.reason}. {status.hint}")
        yield get_backend(name)


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No record of an earlier test is found again, and none of this one later."""
    monkeypatch.delenv("FASTMLP_BACKEND", raising=False)
    caches = [value for value in vars(registry).values() if hasattr(value, "cache_clear")]
    for found in caches:
        found.cache_clear()
    yield
    for found in caches:
        found.cache_clear()


@pytest.fixture
def fake_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHost:
    """A machine whose clocks and counters stand still until the test moves them."""
    return FakeHost(monkeypatch, tmp_path / "powercap")


@pytest.fixture
def signals_as_in_a_terminal() -> Iterator[None]:
    """Heed what nohup, or a shell's background, lets every child ignore."""
    defaults: dict[int, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, default) for number, default in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
