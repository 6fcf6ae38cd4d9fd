"""Fetch MNIST with pooch into the user's cache."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from textwrap import shorten

from fastmlp.data.folder import FILE_NAMES, GIVE_FOLDER

# The copies that torchvision and TensorFlow Datasets read, in this order.
_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_GZIP_MD5 = (  # of the .gz files, in the order of FILE_NAMES
    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "d53e105ee54ea40749a09fcbcd1e9432",
    "9fb629c4189551a2d022fa330f9573f3",
    "ec29112dd5afa0611ce80d1b7f02629c",
)


def fetch_mnist() -> Path:
    """Fetch the four files of MNIST, unless they are in the cache, and return their folder.

    Returns
    -------
    Path
        Folder with the four .gz files; 11 MB.

    Raises
    ------
    ImportError
        If pooch is not installed.
    ConnectionError
        If no mirror delivers a file with the known checksum.
    """
    try:
        pooch = import_module("pooch")
    except ImportError as error:
        raise ImportError(
            f"MNIST is not here: {GIVE_FOLDER}, or have it fetched: pip install 'fastmlp[data]'"
        ) from error
    folder = Path(pooch.os_cache("fastmlp")) / "mnist"
    for name, md5 in zip(FILE_NAMES, _GZIP_MD5, strict=True):
        _fetch(pooch.retrieve, f"{name}.gz", md5, folder)
    return folder


def _fetch(retrieve: Callable[..., object], name: str, md5: str, folder: Path) -> None:
    reasons = []
    for mirror in _MIRRORS:
        try:
            retrieve(mirror + name, known_hash=f"md5:{md5}", fname=name, path=folder)
            return
        except (OSError, ValueError) as error:  # no network, no such file; another checksum
            reasons.append(f"{mirror}: {type(error).__name__}: {shorten(str(error), 100)}")
    raise ConnectionError(
        f"MNIST is not here, and {name} cannot be fetched; {GIVE_FOLDER}, or try again with a "
        f"network ({'; '.join(reasons)})"
    )
