"""A folder of four IDX files: images and labels, to train and to test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.dataset import Dataset, unfold
from fastmlp.data.idx import read_idx

FILE_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
DATA_VARIABLE = "FASTMLP_DATA"
GIVE_FOLDER = f"give the folder by --data-dir (data_dir=...) or in {DATA_VARIABLE}"


class IdxFile(NamedTuple):
    """One file that was read: messages name the path."""

    path: Path
    values: NDArray[Any]


def load_idx_folder(data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Read any data set that is stored like MNIST, with images of any shape.

    Parameters
    ----------
    data_dir : path, optional
        Folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the two ``t10k-``
        files, plain or .gz; ``.idx3-ubyte`` is fine too. Left out: the environment variable
        ``FASTMLP_DATA``. The names are the same whatever the rank of the images.

    Returns
    -------
    Dataset
        Named "idx". uint8 images have a ``scale`` of 1/255; float images are taken at face value.

    Raises
    ------
    FileNotFoundError
        If the folder or one of the files is missing.
    ValueError
        If no folder is named, a file is damaged, or images and labels do not fit together.
    """
    folder = find_folder(data_dir)
    if folder is None:
        raise ValueError(f"the dataset 'idx' needs a folder and none is named; {GIVE_FOLDER}")
    return to_dataset("idx", read_folder(folder), source=f"IDX files of the folder {folder}")


def find_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder given or else the one of ``FASTMLP_DATA``; None if neither is named."""
    origin, given = "data_dir", data_dir
    if data_dir is None:
        origin, given = DATA_VARIABLE, os.environ.get(DATA_VARIABLE)
    if not given:
        return None
    folder = Path(given).expanduser()
    if not folder.exists():
        raise FileNotFoundError(f"{origin} is {folder}, which does not exist; {GIVE_FOLDER}")
    if not folder.is_dir():
        raise ValueError(f"{origin} is {folder}, a file; expected the folder that holds the data")
    return folder


def read_folder(folder: Path) -> list[IdxFile]:
    """Read the four files in the order of ``FILE_NAMES``."""
    paths = [_find_file(folder, name) for name in FILE_NAMES]
    return [IdxFile(path, read_idx(path)) for path in paths]


def _find_file(folder: Path, name: str) -> Path:
    dotted = name.replace("-idx", ".idx")  # some archives carry this spelling
    for candidate in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    raise FileNotFoundError(
        f"the folder {folder} holds no file {name}, plain or .gz; put it there, or {GIVE_FOLDER}"
    )


def to_dataset(name: str, idx_files: list[IdxFile], source: str) -> Dataset:
    """Check that the four files fit together, and unfold the images."""
    train_images, train_labels, test_images, test_labels = idx_files
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        _check_images(images)
        _check_labels(labels)
        _check_counts(images, labels)
    image_shape = train_images.values.shape[1:]
    if test_images.values.shape[1:] != image_shape:
        raise ValueError(
            f"{test_images.path} holds images of shape {test_images.values.shape[1:]}, "
            f"{train_images.path} of {image_shape}; expected one shape in both files"
        )
    if test_images.values.dtype != train_images.values.dtype:
        raise ValueError(
            f"{test_images.path} holds {test_images.values.dtype}, "
            f"{train_images.path} {train_images.values.dtype}; expected one type in both files"
        )
    return Dataset(
        name=name,
        X_train=unfold(train_images.values),
        y_train=train_labels.values.astype(np.int64),
        X_test=unfold(test_images.values),
        y_test=test_labels.values.astype(np.int64),
        scale=1 / 255 if train_images.values.dtype == np.uint8 else 1.0,
        image_shape=image_shape,
        n_classes=_count_classes(train_labels, test_labels),
        source=source,
    )


def _check_images(images: IdxFile) -> None:
    path, values = images
    if values.ndim < 2:
        raise ValueError(
            f"{path} holds an array of shape {values.shape}, expected images (n_images, ...); "
            "have images and labels been exchanged?"
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{path} holds NaN or inf, expected finite pixels; clean the data first")
    if values.dtype.kind != "f" and values.dtype != np.uint8:
        raise ValueError(
            f"{path} holds {values.dtype}, expected uint8 pixels (0..255) or floats; "
            "store the images as one of them"
        )


def _check_labels(labels: IdxFile) -> None:
    path, values = labels
    if values.ndim != 1 or values.dtype.kind not in "ui":
        raise ValueError(
            f"{path} holds {values.dtype} of shape {values.shape}, expected integer labels "
            "of shape (n_images,); have images and labels been exchanged?"
        )


def _check_counts(images: IdxFile, labels: IdxFile) -> None:
    if len(images.values) != len(labels.values):
        raise ValueError(
            f"{images.path} holds {len(images.values)} images, {labels.path} "
            f"{len(labels.values)} labels; expected one label for each image"
        )


def _count_classes(train: IdxFile, test: IdxFile) -> int:
    classes = np.unique(train.values)
    if not np.array_equal(classes, np.arange(len(classes))):
        raise ValueError(
            f"{train.path} holds {len(classes)} classes between {classes[0]} and {classes[-1]}, "
            f"expected labels 0..{len(classes) - 1} without a gap; renumber them"
        )
    lowest, highest = test.values.min(), test.values.max()
    if lowest < 0 or highest >= len(classes):
        raise ValueError(
            f"{test.path} holds labels {lowest}..{highest}, expected 0..{len(classes) - 1} "
            f"as in {train.path}; remove the images of other classes"
        )
    return len(classes)
