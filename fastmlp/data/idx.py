"""IDX, the file format of MNIST: read one file, plain or gzip, and believe none of its numbers.

A file is two zero bytes, a type code, the rank, one big-endian uint32 per axis, then the values.
Each size a file announces is compared with the bytes that are there before memory is asked for.
"""

from __future__ import annotations

import math
import os
import zlib
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_RANK = 64  # NumPy's own limit
_MAX_HEADER_BYTES = 4 + 4 * _MAX_RANK
_CHUNK_BYTES = 1 << 16

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31  # zlib: expect a gzip header, and check CRC and length at the end
# Images pack 5 to 20 times, deflate reaches 1030: beyond both limits a file is taken for a bomb.
_MAX_PACKING = 100
_ALWAYS_ALLOWED_BYTES = 64 << 20

_FETCH_AGAIN = "get the file again from its source"
_FOREIGN = (  # how some files begin that are often found in the place of data
    (b"<", "this looks like a web page: save the file itself"),
    (b"version https://git-lfs", "this is a git-lfs pointer: fetch the data with 'git lfs pull'"),
    (b"PK\x03\x04", "this is a zip archive: unpack it first"),
    (b"\x1f\x8b", "this was packed with gzip twice: unpack it once"),
)


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read one IDX file, plain or gzip-compressed (the content decides, not the name).

    Parameters
    ----------
    path : path
        The file. A damaged or forged one is refused in little time and memory.

    Returns
    -------
    array
        Shape and type as stored (uint8, int8, int16, int32, float32, float64), native byte order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not exactly one whole IDX file; the message names the file.

    References
    ----------
    The format: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits.
    gzip: P. Deutsch, RFC 1952, 1996.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for ever
            raise _refusal(path, "is not a regular file", "give the path of one IDX file")
        with path.open("rb") as file:
            return _read(path, file)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} does not exist; give the path of an IDX file, plain or .gz"
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise _refusal(path, f"cannot be read: {reason}", "check its permissions") from error
    except zlib.error as error:
        raise _refusal(path, f"is damaged: gzip says {error}") from error
    except MemoryError as error:
        raise _refusal(path, "does not fit into the memory", "give a smaller file") from error


def _refusal(path: Path, what: str, way_out: str = _FETCH_AGAIN) -> ValueError:
    return ValueError(f"{path} {what}; {way_out}")


def _read(path: Path, file: BufferedReader) -> NDArray[Any]:
    head = file.read(_CHUNK_BYTES)
    n_file_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    if head.startswith(_GZIP_MAGIC):
        start = zlib.decompressobj(_GZIP_WBITS).decompress(head, _MAX_HEADER_BYTES)
        dtype, shape, first = _parse_header(path, start)
        content = _gunzip(path, file, n_file_bytes, _n_bytes(dtype, shape, first))
    else:
        dtype, shape, first = _parse_header(path, head)
        content = _read_plain(path, file, n_file_bytes, _n_bytes(dtype, shape, first))
    values = content[first:].view(dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _n_bytes(dtype: np.dtype[Any], shape: tuple[int, ...], first: int) -> int:
    return first + math.prod(shape) * dtype.itemsize  # Python's integers do not overflow


def _parse_header(path: Path, start: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return type, shape and the position of the first value."""
    if len(start) < 4:
        raise _refusal(
            path, f"is empty or cut off: it holds {len(start)} bytes, an IDX header 8 or more"
        )
    code, rank = start[2], start[3]
    if start[:2] != b"\0\0" or code not in _DTYPES:
        codes = " ".join(f"{known:02x}" for known in _DTYPES)
        hints = [hint for begin, hint in _FOREIGN if start.lstrip().startswith(begin)]
        raise _refusal(
            path,
            f"is not an IDX file: it begins with {start[:4].hex(' ')}, expected 00 00, "
            f"a type code ({codes}) and the rank",
            hints[0] if hints else _FETCH_AGAIN,
        )
    if not 1 <= rank <= _MAX_RANK:
        raise _refusal(path, f"announces {rank} axes, expected 1 to {_MAX_RANK}")
    first = 4 + 4 * rank
    if len(start) < first:
        raise _refusal(path, f"is cut off: {len(start)} bytes, its header alone takes {first}")
    shape = tuple(int(n) for n in np.frombuffer(start, ">u4", rank, offset=4))
    if 0 in shape:
        raise _refusal(path, f"holds no values: its shape is {shape}, expected no axis of 0")
    return np.dtype(_DTYPES[code]), shape, first


def _read_plain(
    path: Path, file: BufferedReader, n_file_bytes: int, n_bytes: int
) -> NDArray[np.uint8]:
    if n_file_bytes != n_bytes:
        raise _refusal(path, f"has {n_file_bytes} bytes, but its header announces {n_bytes}")
    content = bytearray(n_bytes)
    n = file.readinto(content)
    if n != n_bytes:
        raise _refusal(path, f"ended after {n} of {n_bytes} bytes while it was read")
    return np.frombuffer(content, np.uint8)


def _gunzip(path: Path, file: BufferedReader, n_file_bytes: int, n_bytes: int) -> NDArray[np.uint8]:
    _check_before_unpacking(path, file, n_file_bytes, n_bytes)
    content = bytearray()  # grows with what is really there, not with what is announced
    stream = zlib.decompressobj(_GZIP_WBITS)
    while not stream.eof:
        packed = stream.unconsumed_tail or file.read(_CHUNK_BYTES)
        if not packed:
            raise _refusal(path, f"is cut off: {len(content)} of {n_bytes} bytes can be unpacked")
        content += stream.decompress(packed, _CHUNK_BYTES)
        if len(content) > n_bytes:
            raise _refusal(path, f"unpacks to more than the {n_bytes} bytes its header announces")
    if len(content) != n_bytes:
        raise _refusal(path, f"unpacks to {len(content)} bytes, its header announces {n_bytes}")
    n_after = n_file_bytes - file.tell() + len(stream.unused_data)
    if n_after:
        raise _refusal(path, f"has {n_after} bytes after the end of its gzip stream, expected 0")
    return np.frombuffer(content, np.uint8)


def _check_before_unpacking(
    path: Path, file: BufferedReader, n_file_bytes: int, n_bytes: int
) -> None:
    """Compare header, gzip trailer (the unpacked length modulo 2**32) and size of the file."""
    file.seek(-4, os.SEEK_END)
    n_trailer_bytes = int.from_bytes(file.read(4), "little")
    file.seek(0)
    if n_trailer_bytes != n_bytes % 2**32:
        raise _refusal(
            path,
            f"is cut off or damaged: its header announces {n_bytes} bytes, "
            f"its gzip trailer {n_trailer_bytes}",
        )
    if n_bytes > max(_ALWAYS_ALLOWED_BYTES, _MAX_PACKING * n_file_bytes):
        raise _refusal(
            path,
            f"announces {n_bytes} bytes out of {n_file_bytes} packed ones, "
            f"expected at most {_MAX_PACKING} times as many",
            "if you trust it, unpack it with gunzip and give the plain file",
        )
