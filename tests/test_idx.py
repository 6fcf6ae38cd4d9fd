"""IDX files that are whole: every type, any rank, plain or packed."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from idx_files import CODES, IMAGES, idx_bytes, refusal, write

from fastmlp.data import read_idx

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("dtype", CODES)
def test_six_types_of_any_rank(tmp_path: Path, dtype: str, packed: bool) -> None:
    for shape in [(9,), (3, 2), (4, 5, 3), (2, 53, 80, 1)]:
        array = (RNG.normal(size=shape) * 50).astype(dtype)
        content = idx_bytes(array)
        path = write(tmp_path / "file", gzip.compress(content) if packed else content)
        read = read_idx(path)
        assert read.dtype == np.dtype(dtype)
        assert read.dtype.isnative
        assert read.flags.writeable
        np.testing.assert_array_equal(read, array)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.gz", idx_bytes(IMAGES))
    packed = write(tmp_path / "packed", gzip.compress(idx_bytes(IMAGES)))
    np.testing.assert_array_equal(read_idx(plain), IMAGES)
    np.testing.assert_array_equal(read_idx(str(packed)), IMAGES)


def test_gzip_longer_than_a_chunk(tmp_path: Path) -> None:
    array = RNG.integers(0, 256, size=(300, 1000), dtype=np.uint8)
    path = write(tmp_path / "file.gz", gzip.compress(idx_bytes(array)))
    assert path.stat().st_size > 3 * 65536
    np.testing.assert_array_equal(read_idx(path), array)
    refusal(write(tmp_path / "cut.gz", path.read_bytes()[:200_000] + path.read_bytes()[-8:]))
