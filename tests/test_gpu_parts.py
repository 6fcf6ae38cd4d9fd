"""The protocol's parts that need a GPU, on what can stand in for one."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import fake_cupy
import numpy as np
import pytest
from fake_nvml import FakeNvml
from problems import make_problem, make_recipe, make_trainer, orders

from bench.gpu import capture, copies, energy, launches, speed, sweep, torch_peers
from bench.gpu.problems import PROBLEMS
from bench.gpu.settings import Settings, precisions
from fastmlp.backends import BackendUnavailableError, cupy_loop, get_backend
from fastmlp.energy.nvml import Nvml, NvmlError
from fastmlp.training import Trainer

SMALL = PROBLEMS[0]._replace(layer_sizes=(784, 6, 10), batch_size=16, gpu_rows=64, cpu_rows=64)


def settings(part: str, backend: str, *, gpu: bool = True, quick: bool = True) -> Settings:
    return Settings(part, backend, gpu, quick, data_dir=None)


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch, fresh_registry: None) -> Any:
    if not fake_cupy.HAS_COMPILER:
        pytest.skip("g++ compiles the kernels")
    fake: Any = fake_cupy.FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cupy_loop, "loaded_library", lambda _: fake.cublas)
    fake.get_default_memory_pool = lambda: type("Pool", (), {"total_bytes": lambda self: 0})()
    return fake


def test_rungs_are_compared_with_each_other(cupy: Any) -> None:
    rows = list(capture.run(settings("capture", "cupy", quick=False)))
    assert [(row["optimizer"], row["dtype"], row["rung"]) for row in rows] == [
        (optimizer, dtype, rung)
        for optimizer in ("gradient_descent", "adam")
        for dtype in ("float64", "float32")
        for rung in ("captured", "fused")
    ]
    assert all(row["ok"] for row in rows)
    assert [row["same_as_rung_above"] for row in rows] == [None, True] * 4


def test_a_capture_that_is_refused_is_told(cupy: Any) -> None:
    cupy.refuses["capture"] = RuntimeError("cudaErrorStreamCaptureInvalidated")
    rows = list(capture.run(settings("capture", "cupy")))
    asked = [row for row in rows if row["asked"] == "captured"]
    assert asked
    for row in asked:
        assert not row["ok"]
        assert row["rung"] == "fused"
        assert "CaptureInvalidated" in row["rung_reason"]


def test_launches_are_counted_per_rung(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launches, "PROBLEMS", (SMALL,))
    rows = {row["asked"]: row for row in launches.run(settings("launches", "cupy"))}
    assert list(rows) == ["captured", "fused", "plain"]
    assert rows["captured"]["launches"] == rows["fused"]["launches"] == 12
    assert rows["plain"]["launches"] is rows["plain"]["launch_us"] is None
    for rung, row in rows.items():
        assert row["rung"] == rung
        assert row["ok"]


def test_kernels_of_a_compiled_loop_are_counted() -> None:
    jax = pytest.importorskip("jax")

    def f(x: Any) -> Any:
        return jax.lax.scan(lambda c, _: (jax.numpy.tanh(c @ c) + 1.0, c.sum()), x, None, length=3)

    text = jax.jit(f).lower(np.ones((64, 64), dtype="float32")).compile().as_text()
    found = launches.kernels_of_loop(text)
    assert found is not None
    assert 2 <= found <= 6
    assert launches.kernels_of_loop("HloModule without_loops") is None


def test_switches_of_jax_are_tried_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    from bench.gpu import jax_options

    monkeypatch.setattr(jax_options, "PROBLEMS", (SMALL,))
    monkeypatch.setattr(jax_options, "SHARE_S", 0.0)
    cpu = replace(get_backend("jax", "cpu"), device="gpu:0")
    monkeypatch.setattr(jax_options, "open_backend", lambda settings: cpu)
    monkeypatch.setattr(speed, "_memory_bytes", lambda backend: {})
    rows = {row["option"]: row for row in jax_options.run(settings("jax_options", "jax"))}
    assert list(rows) == list(jax_options.VARIANTS)
    assert all(rows[name]["ok"] for name in ("defaults", "unroll 4", "donate"))
    monkeypatch.setattr(
        jax_options,
        "VARIANTS",
        {"unknown": jax_options.compiled(compiler_options={"xla_of_another_year": 1})},
    )
    (row,) = jax_options.run(settings("jax_options", "jax"))
    assert "xla_of_another_year" in row["failed"]


@pytest.mark.parametrize("part", [capture, launches, copies, energy])
def test_parts_of_a_gpu_are_skipped_on_a_cpu(part: Any) -> None:
    pytest.importorskip("torch")
    with pytest.raises(BackendUnavailableError):
        list(part.run(settings("any", "torch", gpu=False)))


def test_the_sweep_goes_as_far_as_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "PROBLEMS", (SMALL,))
    monkeypatch.setattr(sweep, "CPU_ROWS", 600)
    rows = list(sweep.run(settings("sweep", "numpy", gpu=False)))
    assert [(row["batch_size"], row["steps_per_epoch"]) for row in rows] == [
        (32, 8),
        (128, 4),
        (512, 1),
    ]


@pytest.mark.parametrize(
    ("backend", "gpu", "wanted"),
    [
        ("numpy", True, 1),
        ("jax", True, 3),
        ("cupy", True, 3),
        ("torch", True, 3),
        ("torch", False, 2),
        ("jax", False, 1),
    ],
)
def test_every_precision_is_asked_of_a_gpu(backend: str, gpu: bool, wanted: int) -> None:
    assert len(precisions(settings("agree", backend, gpu=gpu))) == wanted


def test_the_peer_computes_what_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    row = torch_peers.measure(SMALL, "eager", "cpu", 0.0)
    assert row["ok"]
    assert row["loss_error"] < 1e-5
    monkeypatch.setattr(torch_peers.Network, "_plain", lambda self: None)
    assert not torch_peers.measure(SMALL, "eager", "cpu", 0.0)["ok"]


def test_a_form_that_fails_keeps_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")

    def measure(problem: Any, form: str, device: str, share_s: float) -> dict[str, Any]:
        if problem.name == "s":
            raise RuntimeError("CUDA error\nand more")
        return {"problem": problem.name}

    monkeypatch.setattr(torch_peers, "measure", measure)
    rows = list(torch_peers.run(settings("torch_peers", "torch", gpu=False)))
    assert rows[0]["failed"] == "RuntimeError: CUDA error"
    assert [row["problem"] for row in rows] == ["s", "gd"]


# ---------------------------------------------------------------------------- energy


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNvml]:
    library = FakeNvml()

    def sleep(seconds: float) -> None:
        library.now_s += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "perf_counter", lambda: library.now_s)
    return library


def test_the_counter_is_read_in_joules() -> None:
    library = FakeNvml()
    nvml = Nvml(library)
    handle = nvml.device("GPU-1")
    library.now_s = 2.5
    assert nvml.energy_j(handle) == pytest.approx(125.0)
    assert nvml.power_w(handle) == pytest.approx(50.0)
    assert nvml.count() == 2
    assert isinstance(nvml.device_at(0), ctypes.c_void_p)
    nvml.device("00000000:1B:00.0")
    assert "nvmlDeviceGetHandleByPciBusId_v2" in library.asked


def test_what_nvml_refuses_is_said() -> None:
    with pytest.raises(NvmlError, match="nvmlInit_v2: the driver is not loaded"):
        Nvml(FakeNvml(codes={"nvmlInit_v2": 9}))
    nvml = Nvml(FakeNvml(codes={"nvmlDeviceGetTotalEnergyConsumption": 3}))
    with pytest.raises(NvmlError, match="this GPU has no such counter"):
        nvml.energy_j(nvml.device_at(0))
    with pytest.raises(NvmlError, match="this NVML does not have it"):
        Nvml(object())


def test_a_window_goes_from_edge_to_edge(clock: FakeNvml) -> None:
    nvml = Nvml(clock)
    clock.now_s = 0.04  # between two steps of the counter
    joules, seconds, done = energy.window(
        lambda: nvml.energy_j(nvml.device_at(0)), lambda: time.sleep(0.35), 2.0
    )
    assert done == 6
    assert joules / seconds == pytest.approx(50.0, rel=0.02)
    assert seconds >= 2.0


def test_a_counter_that_stands_still_is_told(clock: FakeNvml) -> None:
    with pytest.raises(NvmlError, match="stood still"):
        energy.edge(lambda: 7.0)


def test_joules_of_an_epoch(clock: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = get_backend("numpy")
    nvml = Nvml(clock)
    monkeypatch.setattr(Trainer, "train", lambda self, data, orders: time.sleep(0.25))
    row = energy.measure(backend, SMALL, lambda: nvml.energy_j(nvml.device_at(0)), 2.0)
    assert row["idle_w"] == pytest.approx(50.0, rel=0.03)
    assert row["gross_j_per_epoch"] == pytest.approx(12.5, rel=0.05)
    assert abs(row["net_j_per_epoch"]) < 1.0
    assert "measured" in row["source"]


def test_the_fake_trains(cupy: Any) -> None:
    trainer = make_trainer(make_recipe(), backend=get_backend("cupy"))
    trainer.run(*make_problem("softmax_cross_entropy", 64), orders(64, 1))
    assert trainer.backend.rung().name == "captured"
