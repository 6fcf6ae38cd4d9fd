"""The table that the protocol ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.gpu.table import table


def test_the_table_keeps_to_fifteen_lines() -> None:
    parts = [
        {
            "name": f"speed:{backend}:{number}",
            "status": "failed",
            "reason": "broken",
            "rows": [
                {"backend": backend, "device": "cuda:0", "dtype": "float32", "errors": errors}
            ],
        }
        for number in range(5)
        for backend, errors in (("cupy", {"a": 1e-7, "b": None}), ("jax", {"a": 1e-7, "b": 2e-7}))
    ]
    lines = table({"card": {"statement": "GPU: Toy"}, "parts": parts}, Path("out.json"))
    assert len(lines) <= 15
    assert "nan" in lines[1]
    assert "2e-07" in lines[2]
    assert "... and 3 more in the file" in lines
    assert lines[-1] == "GPU: Toy; parts: 10 failed; written to out.json"


def test_a_reason_is_one_line() -> None:
    reason = "out of memory:\n\n  asked for 8 GiB\r\n\x0b\u2028# and so on " + 50 * "x"
    parts: list[dict[str, Any]] = [
        {"name": f"speed:{number}", "status": "failed", "reason": reason, "rows": []}
        for number in range(20)
    ]
    lines = table({"card": {"statement": "GPU: Toy\nand another"}, "parts": parts}, None)
    assert len("\n".join(lines).splitlines()) == len(lines) <= 15
    assert lines[1].startswith("speed:0: failed, out of memory: asked for 8 GiB # and so on xxx")
    assert max(map(len, lines[1:8])) <= 110
    assert lines[-1] == "GPU: Toy and another; parts: 20 failed; written nowhere"


def test_a_form_that_failed_first_has_no_device_to_show() -> None:
    failed = {"backend": "torch:graph", "problem": "s", "failed": "RuntimeError: no capture"}
    timed = {"backend": "torch:graph", "device": "cuda:0", "problem": "m", "samples_per_s": 5e6}
    for rows, shown in (([failed], 2), ([failed, timed], 3)):
        part = {"name": "torch_peers:torch", "status": "ok", "reason": "", "rows": rows}
        lines = table({"card": {"statement": "GPU: Toy"}, "parts": [part]}, Path("out.json"))
        assert len(lines) == shown
