"""IDX files for the tests of the data: in bytes, written to a file, in a folder of four."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp.data import read_idx
from fastmlp.data.folder import FILE_NAMES

Arrays = list[NDArray[Any]]  # in the order of FILE_NAMES

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
# a file of 256 bytes
IMAGES = 60 * np.random.default_rng(3).integers(0, 4, size=(12, 5, 4), dtype=np.uint8)
SPELLINGS: dict[str, Sequence[str]] = {
    "plain": FILE_NAMES,
    "gzip": [f"{name}.gz" for name in FILE_NAMES],
    "dot": [name.replace("-idx", ".idx") for name in FILE_NAMES],
    "dot gzip": [name.replace("-idx", ".idx") + ".gz" for name in FILE_NAMES],
}


def header(shape: tuple[int, ...], code: int = 0x08) -> bytes:
    return bytes((0, 0, code, len(shape))) + b"".join(n.to_bytes(4, "big") for n in shape)


def idx_bytes(array: NDArray[Any]) -> bytes:
    code = CODES[array.dtype.str[1:]]
    return header(array.shape, code) + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    """Return the one ValueError that reading the file must raise; it must name the file."""
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read_idx(path)
    assert type(caught.value) is ValueError
    assert "\n" not in str(caught.value)
    return str(caught.value)


def small_set(
    n_train: int = 30,
    n_test: int = 10,
    image_shape: tuple[int, ...] = (5, 4),
    n_classes: int = 3,
) -> Arrays:
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 256, size=(n_train, *image_shape), dtype=np.uint8),
        (np.arange(n_train) % n_classes).astype(np.uint8),
        rng.integers(0, 256, size=(n_test, *image_shape), dtype=np.uint8),
        (np.arange(n_test) % n_classes).astype(np.uint8),
    ]


def write_folder(folder: Path, arrays: Arrays, names: Sequence[str] = FILE_NAMES) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in zip(names, arrays, strict=True):
        content = idx_bytes(array)
        write(folder / name, gzip.compress(content) if name.endswith(".gz") else content)
    return folder
