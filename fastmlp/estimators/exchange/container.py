"""The bytes of a model file: tensors and a description, sealed by a SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from fastmlp.estimators.exchange.errors import ModelFileError, library
from fastmlp.estimators.exchange.trees import Tensors
from fastmlp.estimators.exchange.values import read_json

VERSION = 1  # of the format; a file of another one is refused
NO_DIGEST = "0" * 64  # stands where the digest will be while it is computed
# How the header of each of our files begins: one key, so that the same model gives the same bytes.
BEGIN = re.compile(rb'\{"__metadata__":\{"fastmlp":"\{\\"sha256\\":\\"([0-9a-f]{64})\\"')
MOST_HEADER_BYTES = 100_000_000  # the format's own limit


def compose(description: dict[str, Any], tensors: Tensors) -> bytes:
    """Bytes of the file of a description in JSON's types and of tensors in C order."""
    save = library("safetensors.numpy", "safetensors", "A model file").save
    text = json.dumps(
        {"sha256": NO_DIGEST, "format_version": VERSION, **description},
        allow_nan=False,
        separators=(",", ":"),
    )
    data: bytes = save(tensors, {"fastmlp": text})
    begin = BEGIN.match(data, 8)
    assert begin, data[:200]
    digest = hashlib.sha256(data).hexdigest().encode()
    return data[: begin.start(1)] + digest + data[begin.end(1) :]


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Tensors]:
    """Description and tensors of a file, when all of its bytes are known to be as written.

    Raises
    ------
    ModelFileError
        The file is not one of ours, is damaged, or is of a newer fastmlp.
    FileNotFoundError
        There is no such file.
    """
    load = library("safetensors.numpy", "safetensors", "A model file").load
    if Path(path).is_dir():
        raise ModelFileError(f"{path} is a directory, expected a model file.")
    with Path(path).open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        data = file.read(8)
        header_bytes = int.from_bytes(data, "little")
        _expect(path, len(data) == 8, f"has {len(data)} bytes, too few for a model file")
        _expect(
            path,
            header_bytes <= min(MOST_HEADER_BYTES, size_bytes - 8),
            f"is cut off, or no model file: it has {size_bytes} bytes, and its header is to have "
            f"{header_bytes}",
        )
        data += file.read(header_bytes)
        begin = BEGIN.match(data, 8)
        if begin is None:
            raise ModelFileError(
                f"{path} was not written by fastmlp's save, or its first bytes are damaged."
            )
        data += file.read()
    header = _json(path, data[8 : 8 + header_bytes], "header")
    _check_length(path, header, len(data) - 8 - header_bytes)
    blank = data[: begin.start(1)] + NO_DIGEST.encode() + data[begin.end(1) :]
    _expect(
        path,
        hashlib.sha256(blank).hexdigest().encode() == begin[1],
        "is damaged: its bytes are not those that were written (SHA-256)",
    )
    description = _json(path, header["__metadata__"]["fastmlp"], "description")
    version, writer = description.get("format_version"), description.get("fastmlp_version")
    if isinstance(version, int) and version > VERSION:
        raise ModelFileError(
            f"{path} was written by a newer fastmlp ({writer}, format {version}; this one reads "
            f"format {VERSION}): upgrade fastmlp."
        )
    _expect(path, version == VERSION, f"has format_version {version!r}, expected {VERSION}")
    try:
        return description, load(data)
    except Exception as error:  # whatever the library finds
        raise ModelFileError(f"{path} is no safetensors file: {error}.") from error


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Put data at path in one step: until it is all on the disk, what was there stays."""
    target = Path(os.path.realpath(path))
    new = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with new.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, new)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def _expect(path: Any, is_so: Any, otherwise: str) -> None:
    if not is_so:
        raise ModelFileError(f"{path} {otherwise}.")


def _json(path: Any, text: str | bytes, part: str) -> Any:
    try:
        value = read_json(text)
    except ValueError as error:
        raise ModelFileError(
            f"{path} is damaged: its {part} is no JSON object: {error}."
        ) from error
    _expect(path, isinstance(value, dict), f"is damaged: its {part} is no JSON object")
    return value


def _check_length(path: Any, header: Any, n_bytes: int) -> None:
    """Raise ModelFileError unless as many bytes follow the header as it tells of."""
    try:
        entries = [entry for name, entry in header.items() if name != "__metadata__"]
        end = max((entry["data_offsets"][1] for entry in entries), default=0)
        is_as_told = end == n_bytes
    except (KeyError, IndexError, TypeError) as error:
        raise ModelFileError(f"{path} is damaged: its header is no safetensors header.") from error
    _expect(
        path,
        is_as_told,
        f"is cut off, or damaged: {n_bytes} bytes of tensors, expected {end}",
    )
