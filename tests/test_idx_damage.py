"""IDX files that are damaged or no IDX files at all: one clear error each."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from idx_files import IMAGES, header, idx_bytes, refusal, write
from numpy.typing import NDArray

from fastmlp.data import read_idx


def damaged_copies(content: bytes, positions: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    """Yield (how, bytes): cut everywhere, flipped at the positions, and with more at the end."""
    for n in range(len(content)):
        yield f"cut to {n}", content[:n]
    for position in positions:
        for mask in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF):
            flipped = bytearray(content)
            flipped[position] ^= mask
            yield f"byte {position} xor {mask:02x}", bytes(flipped)
    for tail in (b"\0", b"\0" * 512, b"x", content, content[-8:], content[-4:]):
        yield f"followed by {len(tail)} bytes", content + tail


def outcome(path: Path, content: bytes) -> str | ValueError | NDArray[Any]:
    """Return "same", "refused", or else the array that was read or the error that was raised."""
    write(path, content)
    try:
        read = read_idx(path)
    except ValueError as error:
        names_the_file = type(error) is ValueError and str(path) in str(error)
        return "refused" if names_the_file else error
    if read.dtype == IMAGES.dtype and np.array_equal(read, IMAGES):
        return "same"
    return read


def test_sweep_of_damaged_gzip_files(tmp_path: Path) -> None:
    content = gzip.compress(idx_bytes(IMAGES), mtime=0)
    outcomes = {
        how: outcome(tmp_path / "damaged.gz", bad)
        for how, bad in damaged_copies(content, range(len(content)))
    }
    silent = [how for how, found in outcomes.items() if not isinstance(found, str)]
    assert silent == []
    same = [how for how, found in outcomes.items() if found == "same"]
    assert all(how.startswith("byte ") for how in same)  # each cut and each tail was refused
    assert len(outcomes) > 1000
    assert len(same) <= 7 * 9 + 14  # flag "text", time, level and system; a few bits of padding


def test_sweep_of_damaged_plain_files(tmp_path: Path) -> None:
    """Without a checksum only the header and the length can tell; one flip cannot be seen."""
    content = idx_bytes(IMAGES)
    other: dict[str, Any] = {}
    for how, bad in damaged_copies(content, range(16)):
        found = outcome(tmp_path / "damaged", bad)
        if not isinstance(found, str) or found != "refused":
            other[how] = found
    assert list(other) == ["byte 2 xor 01"]  # uint8 became int8: same length, same bytes
    assert other["byte 2 xor 01"].dtype == np.int8


FOREIGN = {
    "empty": (b"", "holds 0 bytes"),
    "three bytes": (b"\0\0\x08", "holds 3 bytes"),
    "half a header": (header((12, 5, 4))[:9], "9 bytes, its header alone takes 16"),
    "cut": (idx_bytes(IMAGES)[:-1], "has 255 bytes, but its header announces 256"),
    "longer": (idx_bytes(IMAGES) + b"\n", "has 257 bytes, but its header announces 256"),
    "web page": (b"\n<!DOCTYPE html><html></html>", "looks like a web page"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "zip": (b"PK\x03\x04" + bytes(50), "zip archive: unpack it first"),
    "numpy": (b"\x93NUMPY" + bytes(100), "it begins with 93 4e 55 4d"),
    "type code": (header((1,), 0x0A) + b"1", r"type code \(08 09 0b 0c 0d 0e\)"),
    "rank 0": (header(()) + b"1", "announces 0 axes, expected 1 to 64"),
    "rank 65": (header((1,) * 65) + b"1", "announces 65 axes, expected 1 to 64"),
    "no images": (header((0, 28, 28)), r"holds no values: its shape is \(0, 28, 28\)"),
    "one axis": (header((0, 2**32 - 1, 2**32 - 1)), "holds no values"),
    "overflow": (header((2**16, 2**16, 2**16, 2**16)) + b"", "announces 18446744073709551636"),
    "64 axes": (header((2**32 - 1,) * 64, 0x0E), "its header announces"),
    "gzip head only": (b"\x1f\x8b", "holds 0 bytes"),
    "gzip twice": (gzip.compress(gzip.compress(idx_bytes(IMAGES))), "gzip twice: unpack it once"),
    "gzip of nothing": (gzip.compress(b""), "holds 0 bytes"),
    "gzip of text": (gzip.compress(b"<html>"), "looks like a web page"),
    "gzip method": (b"\x1f\x8b\x07" + bytes(30), "gzip says"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_and_damaged_files(tmp_path: Path, kind: str) -> None:
    content, message = FOREIGN[kind]
    assert re.search(message, refusal(write(tmp_path / "file", content)))


def test_wrong_crc_and_wrong_length(tmp_path: Path) -> None:
    packed = gzip.compress(idx_bytes(IMAGES))
    crc = packed[:-8] + b"\0\0\0\0" + packed[-4:]
    assert "gzip says" in refusal(write(tmp_path / "crc.gz", crc))
    packed = gzip.compress(idx_bytes(np.resize(IMAGES, (30, 40))))
    length = packed[:-4] + (1211).to_bytes(4, "little")
    message = refusal(write(tmp_path / "length.gz", length))
    assert "header announces 1212 bytes, its gzip trailer 1211" in message


def test_second_gzip_member_is_junk(tmp_path: Path) -> None:
    member = gzip.compress(idx_bytes(IMAGES))
    message = refusal(write(tmp_path / "two.gz", member + member))
    assert f"has {len(member)} bytes after the end of its gzip stream, expected 0" in message


def test_folder_pipe_and_missing_file(tmp_path: Path) -> None:
    assert "is not a regular file" in refusal(tmp_path)
    assert "is not a regular file" in refusal(Path(os.devnull))
    assert "cannot be read" in refusal(tmp_path / ("x" * 5000))
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match=f"{re.escape(str(missing))} does not exist; give"):
        read_idx(missing)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert "is not a regular file" in refusal(tmp_path / "pipe")
