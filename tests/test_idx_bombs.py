"""IDX files that announce or unpack to far more than they hold."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from idx_files import IMAGES, header, idx_bytes, refusal, write

from fastmlp.data import idx, read_idx


def gzip_of(start: bytes, n_zeros: int, trailer_bytes: int | None = None) -> bytes:
    """Pack ``start`` and so many zeros; the trailer can be forged."""
    packer = zlib.compressobj(1, wbits=31)
    parts = [packer.compress(start)]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(n_zeros >> 20)]
    parts.append(packer.flush())
    packed = b"".join(parts)
    if trailer_bytes is None:
        return packed
    return packed[:-4] + (trailer_bytes % 2**32).to_bytes(4, "little")


ZEROS = 200 << 20
BOMBS = {
    "no header": lambda: gzip_of(b"", ZEROS),
    "header of ten bytes": lambda: gzip_of(header((10,)), ZEROS),
    "header and trailer of ten bytes": lambda: gzip_of(header((10,)), ZEROS, 18),
    "honest header": lambda: gzip_of(header((200, 1024, 1024)), ZEROS),
    "forged 1 TB": lambda: gzip_of(header((1 << 20, 1 << 20)), 0, 12 + (1 << 40)),
    "plain 1 TB": lambda: header((1 << 20, 1 << 20)) + bytes(100),
    "forged 60 MB": lambda: gzip_of(header((60 << 20,)), 0, 8 + (60 << 20)),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_cost_neither_time_nor_memory(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "bomb", BOMBS[kind]())
    assert path.stat().st_size < 2 << 20
    tracemalloc.start()
    try:
        start_s = time.perf_counter()
        refusal(path)
        took_s = time.perf_counter() - start_s
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert took_s < 1
    assert peak_bytes < 2 << 20


def test_lengths_that_agree_only_modulo_2_to_32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gzip trailer cannot tell 1 MiB from 4 GiB + 1 MiB: the unpacked bytes must."""
    monkeypatch.setattr(idx, "_MAX_PACKING", 10**9)
    start = header((1 << 16, (1 << 16) + 16))
    path = write(tmp_path / "file.gz", gzip_of(start, 1 << 20))
    assert f"unpacks to {12 + (1 << 20)} bytes, its header announces" in refusal(path)


def test_too_large_for_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(idx, "_read_plain", no_memory)
    assert "does not fit into the memory" in refusal(write(tmp_path / "file", idx_bytes(IMAGES)))


def test_small_sets_of_zeros_are_no_bomb(tmp_path: Path) -> None:
    zeros = np.zeros((40, 1024, 1024), dtype=np.uint8)
    path = write(tmp_path / "zeros.gz", gzip_of(header(zeros.shape), zeros.size))
    np.testing.assert_array_equal(read_idx(path), zeros)
