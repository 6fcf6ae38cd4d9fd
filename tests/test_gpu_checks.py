"""The protocol's own checks: what is wrong does not pass them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from bench.gpu import agree, speed
from bench.gpu.problems import PROBLEMS, generated_images
from bench.gpu.settings import Settings
from fastmlp.backends import Backend, get_backend
from fastmlp.core import ACTIVATIONS, forward
from fastmlp.training import draw_params


def rows_of_agree(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> list[dict[str, Any]]:
    monkeypatch.setattr(agree, "open_backend", lambda settings: backend)
    return list(agree.run(Settings("agree", "numpy", gpu=False, quick=False, data_dir=None)))


def test_numpy_agrees_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of_agree(monkeypatch, get_backend("numpy"))
    assert len(rows) == 12
    assert all(row["ok"] for row in rows)
    assert max(e for row in rows for e in row["errors"].values()) > 1e-8, "float32 is compared"


class TF32(np.ndarray):
    """Multiplies matrices with 10 bits of mantissa, as a GPU does that was not told better."""

    def __matmul__(self, other: Any) -> Any:
        return (_rounded(self) @ _rounded(other)).view(TF32)


def _rounded(array: Any) -> Any:
    bits = np.ascontiguousarray(array).view(np.ndarray).view(np.uint32) + np.uint32(0x1000)
    return (bits & np.uint32(0xFFFFE000)).view(np.float32)


def test_products_in_tf32_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def to_device(host: Any, dtype: str) -> Any:
        array = np.asarray(host, dtype=dtype)
        return array.view(TF32) if dtype == "float32" else array

    coarse = dataclasses.replace(get_backend("numpy"), to_device=to_device)
    rows = [row for row in rows_of_agree(monkeypatch, coarse) if row["check"] == "gradients"]
    assert {row["dtype"] for row in rows if row["ok"]} == {"float64"}
    assert {row["dtype"] for row in rows if not row["ok"]} == {"float32"}
    assert min(max(row["errors"].values()) for row in rows if not row["ok"]) > 1e-4


def test_nan_never_agrees() -> None:
    reference = (np.ones(3), (np.ones(2), np.ones(2)))
    assert agree.error(reference, reference) == 0.0
    assert np.isnan(agree.error((np.ones(3), (np.full(2, np.nan), np.ones(2))), reference))
    row = agree._row(get_backend("numpy"), "float32", {}, {"weights": float("nan")})
    assert (row["ok"], row["errors"]) == (False, {"weights": None})


def test_no_relu_of_the_comparison_is_near_its_kink() -> None:
    images, _ = generated_images(agree.BATCH_SIZE, agree.SEED)
    params = draw_params(agree.LAYER_SIZES, agree.SEED)
    x: Any = images / 255
    zs: Any = forward(get_backend("numpy").xp, params, x, (ACTIVATIONS["relu"],) * 2).zs
    assert min(np.abs(z).min() for z in zs) > 5e-5, "rounding alone could take it across"


def test_speed_times_enough_epochs_and_marks_what_diverged(monkeypatch: pytest.MonkeyPatch) -> None:
    small = PROBLEMS[0]._replace(layer_sizes=(784, 4, 10), cpu_rows=256)
    row = speed.measure(get_backend("numpy"), small, share_s=0.0)
    assert (row["steps_per_epoch"], row["epochs"], row["ok"]) == (2, 5, True)
    assert row["epoch_s"]["q1"] <= row["epoch_s"]["median"] <= row["epoch_s"]["q3"]
    assert row["samples_per_s"] == pytest.approx(256 / row["epoch_s"]["median"])
    monkeypatch.setattr(speed, "LEARNING_RATE", float("nan"))
    assert not speed.measure(get_backend("numpy"), small, share_s=0.0)["ok"]


def test_problems_leave_no_row_over() -> None:
    for problem in PROBLEMS:
        for device, rows in (("cpu", problem.cpu_rows), ("cuda:0", problem.gpu_rows)):
            n_steps, batch_size = problem.shape(device)
            assert n_steps * batch_size == rows
