"""MNIST: from a local folder of IDX files, or fetched; checked byte by byte either way."""

from __future__ import annotations

import hashlib
import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.dataset import Dataset
from fastmlp.data.fetch import fetch_mnist
from fastmlp.data.folder import IdxFile, find_folder, read_folder, to_dataset

_SOURCE = "MNIST, Y. LeCun, C. Cortes and C. Burges, 1998, CC BY-SA 3.0"


class _Original(NamedTuple):
    shape: tuple[int, ...]
    md5: str  # of the uncompressed file


_ORIGINALS = (  # in the order of FILE_NAMES
    _Original((60_000, 28, 28), "6bbc9ace898e44ae57da46a324031adb"),
    _Original((60_000,), "a25bea736e30d166cdddb491f175f624"),
    _Original((10_000, 28, 28), "2646ac647ad5339dbf082846283269ea"),
    _Original((10_000,), "27ae3e4e09519cfbb04c329615203637"),
)


def load_mnist(data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Read MNIST: 60,000 images to train, 10,000 to test, of 28 x 28 pixels (0..255).

    Parameters
    ----------
    data_dir : path, optional
        Folder with the four IDX files, plain or .gz. Left out: the environment variable
        ``FASTMLP_DATA``; where that is not set either, the files are fetched once and kept in
        the user's cache (needs a network and ``pip install 'fastmlp[data]'``).

    Returns
    -------
    Dataset
        uint8 pixels, ``scale`` 1/255, ten classes.

    Raises
    ------
    FileNotFoundError
        If the folder or one of the files is missing.
    ValueError
        If a file is damaged or is not the original.
    ImportError, ConnectionError
        If no folder is named and the files cannot be fetched.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document
    recognition, Proceedings of the IEEE 86 (11), 1998.
    """
    folder = find_folder(data_dir)
    if folder is None:
        folder = fetch_mnist()
    idx_files = read_folder(folder)
    for idx_file, original in zip(idx_files, _ORIGINALS, strict=True):
        _check_original(idx_file, original)
    return to_dataset("mnist", idx_files, source=_SOURCE)


def _check_original(idx_file: IdxFile, original: _Original) -> None:
    path, values = idx_file
    if values.dtype != np.uint8 or values.shape != original.shape:
        raise ValueError(
            f"{path} holds {values.dtype} of shape {values.shape}, MNIST has uint8 of shape "
            f"{original.shape}; other data are read with the dataset 'idx'"
        )
    md5 = _md5(values)
    if md5 != original.md5:
        raise ValueError(
            f"{path} differs from the original MNIST: MD5 {md5}, expected {original.md5}; "
            "get the file again, or read it with the dataset 'idx' if it is meant to differ"
        )


def _md5(values: NDArray[Any]) -> str:
    """Return the MD5 of the uint8 IDX file that holds these values."""
    shape = b"".join(n.to_bytes(4, "big") for n in values.shape)
    digest = hashlib.md5(bytes((0, 0, 0x08, values.ndim)) + shape, usedforsecurity=False)
    digest.update(values.data)
    return digest.hexdigest()
