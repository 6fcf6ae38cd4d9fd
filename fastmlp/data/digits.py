"""The embedded default: 1,797 handwritten digits, carried in the package."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from fastmlp.data.dataset import Dataset, unfold

_SOURCE = (
    "Optical Recognition of Handwritten Digits (test set), E. Alpaydin and C. Kaynak, "
    "UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0"
)


def load_digits() -> Dataset:
    """Read the 1,797 digits of 8 x 8 pixels (0..16) that scikit-learn carries too.

    Every fifth image (``index % 5 == 4``) is a test image: 1,438 to train, 359 to test. The same
    13 people wrote both parts, so the accuracy says nothing about the hand of a stranger.

    Returns
    -------
    Dataset
        uint8 pixels, ``scale`` 1/16, ten classes.

    Examples
    --------
    >>> load_digits().X_train.shape
    (1438, 64)
    """
    with (
        files("fastmlp.data").joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        images, labels = arrays["images"], arrays["labels"].astype(np.int64)
    X = unfold(images)
    is_test = np.arange(len(labels)) % 5 == 4
    return Dataset(
        name="digits",
        X_train=X[~is_test],
        y_train=labels[~is_test],
        X_test=X[is_test],
        y_test=labels[is_test],
        scale=1 / 16,
        image_shape=images.shape[1:],
        n_classes=10,
        source=_SOURCE,
    )
