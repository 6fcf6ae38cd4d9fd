"""The table of data sets by name."""

from __future__ import annotations

import os
from collections.abc import Callable

from fastmlp.data.dataset import Dataset
from fastmlp.data.digits import load_digits
from fastmlp.data.folder import load_idx_folder
from fastmlp.data.mnist import load_mnist

DataDir = str | os.PathLike[str] | None


def _load_digits(data_dir: DataDir) -> Dataset:
    if data_dir is not None:
        raise ValueError(
            f"data_dir is {data_dir}, but the dataset 'digits' is carried in the package; "
            "leave data_dir out, or ask for 'mnist' or 'idx'"
        )
    return load_digits()


_LOADERS: dict[str, Callable[[DataDir], Dataset]] = {
    "digits": _load_digits,
    "mnist": load_mnist,
    "idx": load_idx_folder,
}
DATASETS = tuple(_LOADERS)


def load(name: str, data_dir: DataDir = None) -> Dataset:
    """Load a data set by its name.

    Parameters
    ----------
    name : {"digits", "mnist", "idx"}
        The embedded digits, the original MNIST, or any folder of four IDX files.
    data_dir : path, optional
        Folder of the IDX files; see `load_mnist` and `load_idx_folder`.

    Returns
    -------
    Dataset
        Images as rows, labels, scale and source.

    Raises
    ------
    ValueError
        If the name is unknown, or ``data_dir`` is given for the digits.

    Examples
    --------
    >>> load("digits").image_shape
    (8, 8)
    """
    if name not in DATASETS:
        names = ", ".join(repr(known) for known in DATASETS)
        raise ValueError(f"dataset {name!r} is unknown, expected one of {names}")
    return _LOADERS[name](data_dir)
