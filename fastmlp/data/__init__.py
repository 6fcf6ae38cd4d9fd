"""Data sets as uint8 rows with a scale: digits in the package, MNIST, any folder of IDX files."""

from __future__ import annotations

from fastmlp.data.catalog import DATASETS, load
from fastmlp.data.dataset import Dataset, unfold
from fastmlp.data.digits import load_digits
from fastmlp.data.folder import load_idx_folder
from fastmlp.data.idx import read_idx
from fastmlp.data.mnist import load_mnist

__all__ = [
    "DATASETS",
    "Dataset",
    "load",
    "load_digits",
    "load_idx_folder",
    "load_mnist",
    "read_idx",
    "unfold",
]
