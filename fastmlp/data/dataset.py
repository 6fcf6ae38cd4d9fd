"""One record for every data set: arrays as they were stored, and what it takes to use them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images unfolded to vectors, their labels, and how to scale them.

    Parameters
    ----------
    name : str
        Short name, as in ``--dataset``.
    X_train, X_test : array of shape (n_train, n_features) and (n_test, n_features)
        Pixels as stored (uint8 stays uint8): a batch is cast and scaled when it is needed.
    y_train, y_test : int64 array of shape (n_train,) and (n_test,)
        Labels 0 .. n_classes - 1.
    scale : float
        ``X * scale`` lies in 0..1.
    image_shape : tuple of int
        Shape of one image before it was unfolded.
    n_classes : int
        Number of classes.
    source : str
        Where the data come from, and their licence.
    """

    name: str
    X_train: NDArray[Any]
    y_train: NDArray[np.int64]
    X_test: NDArray[Any]
    y_test: NDArray[np.int64]
    scale: float
    image_shape: tuple[int, ...]
    n_classes: int
    source: str


def unfold(images: NDArray[Any]) -> NDArray[Any]:
    """Unfold each image to one row, without a copy where the memory allows it.

    Parameters
    ----------
    images : array of shape (n_images, ...)
        Images of any shape, e.g. (n, 28, 28) or (n, 53, 80, 1).

    Returns
    -------
    array of shape (n_images, n_features)
        Rows are images; n_features is the product of the other axes.

    Raises
    ------
    ValueError
        If ``images`` has fewer than two axes.

    Examples
    --------
    >>> import numpy as np
    >>> unfold(np.zeros((4, 53, 80, 1), dtype=np.uint8)).shape
    (4, 4240)
    """
    images = np.asarray(images)
    if images.ndim < 2:
        raise ValueError(
            f"images has shape {images.shape}, expected (n_images, ...) with at least 2 axes; "
            "a single image goes in as images[None]"
        )
    return images.reshape(images.shape[0], math.prod(images.shape[1:]))
