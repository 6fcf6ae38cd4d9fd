"""The machine's card: tools that are old, hang or talk nonsense."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from bench.gpu import card
from bench.gpu.settings import Settings


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "_silent", set(), raising=False)


def fake_smi(folder: Path, script: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


def test_the_card_asks_field_by_field_where_one_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_smi(
        tmp_path,
        'case "$1" in *new*) exit 2;; --query-gpu=name) echo "Toy"; echo "Toy 2";; '
        '*) echo "[N/A]"; echo " 41";; esac\n',
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = card.query_gpus(("name", "new.field", "temperature.gpu"))
    assert found == [
        {"name": "Toy", "temperature.gpu": None},
        {"name": "Toy 2", "temperature.gpu": "41"},
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, None),
        ({"cuda": {"devices": None}}, None),
        ({"cuda": {"devices": None}, "gpus": None}, None),
        ({"cuda": {"devices": None}, "gpus": []}, False),
        ({"cuda": {"devices": None}, "gpus": [{}]}, True),
        ({"cuda": {"devices": 0}, "gpus": [{}]}, False),  # CUDA_VISIBLE_DEVICES hides it
        ({"cuda": {"devices": 1}, "gpus": []}, True),
    ],
)
def test_the_driver_decides_whether_there_is_a_gpu(
    answer: dict[str, Any], expected: bool | None
) -> None:
    assert card.has_gpu(answer) is expected


def test_a_tool_that_hangs_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    fake_smi(tmp_path, f"echo x >> {asked}\nexec sleep 60\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(card, "ANSWER_S", 0.5)
    started = time.monotonic()
    assert [card.query_gpus(card.GPU_FIELDS) for _ in range(3)] == [[], [], []]
    assert time.monotonic() - started < 5.0
    assert asked.read_text() == "x\n"
    rows = list(card.run(Settings("card", "", gpu=False, quick=True, data_dir=None)))
    assert rows[-1] == {"gpus": None}, "not that there is none"


def test_a_slow_tool_is_not_asked_field_by_field_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_smi(tmp_path, "sleep 0.3\nexit 2\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(card, "ANSWER_S", 1.0)
    started = time.monotonic()
    assert card.query_gpus(card.GPU_FIELDS) == []
    assert time.monotonic() - started < 3.0


@pytest.mark.parametrize("garbage", [r"\377\376\200,\n", r"\001\002\n", r"a\033[2J\n"])
def test_a_tool_that_prints_garbage_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, garbage: str
) -> None:
    fake_smi(tmp_path, f"printf '{garbage}'\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert card.query_gpus(("name",)) == []
    assert card.query_gpus(("name", "uuid")) == []
