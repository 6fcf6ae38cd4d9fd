"""The digits in the package, the table of data sets, and unfolding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp.data import DATASETS, load, load_digits, mnist, unfold


def test_digits_equal_those_of_scikit_learn() -> None:
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    theirs, ours = sklearn_datasets.load_digits(), load_digits()
    is_test = np.arange(1797) % 5 == 4
    np.testing.assert_array_equal(ours.X_train, theirs.data[~is_test])
    np.testing.assert_array_equal(ours.X_test, theirs.data[is_test])
    np.testing.assert_array_equal(ours.y_train, theirs.target[~is_test])
    np.testing.assert_array_equal(ours.y_test, theirs.target[is_test])


def test_digits_are_bytes_with_a_scale_and_a_licence() -> None:
    digits = load("digits")
    assert digits.X_train.dtype == digits.X_test.dtype == np.uint8
    assert digits.y_train.dtype == digits.y_test.dtype == np.int64
    assert digits.X_train.shape == (1438, 64)
    assert digits.X_test.shape == (359, 64)
    assert digits.X_train.max() * digits.scale == 1.0
    assert (digits.name, digits.image_shape, digits.n_classes) == ("digits", (8, 8), 10)
    assert "CC BY 4.0" in digits.source
    text = (Path(mnist.__file__).parent / "digits.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in text
    assert "Alpaydin" in text


def test_each_load_of_the_digits_stands_alone() -> None:
    load_digits().X_train[:] = 99
    assert load_digits().X_train.max() == 16


def test_import_loads_nothing_heavy() -> None:
    heavy = ("sklearn", "pooch", "requests", "scipy", "jax", "torch", "tensorflow", "matplotlib")
    code = (
        "import sys, fastmlp.data; fastmlp.data.load('digits'); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    root = Path(mnist.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_unknown_name_lists_the_names() -> None:
    with pytest.raises(ValueError, match=r"dataset 'mnits' is unknown.*'digits', 'mnist', 'idx'"):
        load("mnits")
    assert DATASETS == ("digits", "mnist", "idx")


def test_digits_refuse_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'digits' is carried in the package"):
        load("digits", tmp_path)


def test_digits_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTMLP_DATA", "/no/such/folder")
    assert load("digits").name == "digits"


@pytest.mark.parametrize("shape", [(7, 6), (7, 8, 8), (7, 53, 80, 1), (7, 2, 3, 4, 5), (0, 5, 4)])
def test_unfold_keeps_memory_and_order(shape: tuple[int, ...]) -> None:
    images = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    X = unfold(images)
    assert X.shape == (shape[0], int(np.prod(shape[1:])))
    np.testing.assert_array_equal(X.ravel(), images.ravel())
    if images.size:
        assert np.shares_memory(X, images)


@pytest.mark.parametrize("images", [np.zeros(5), np.array(1.0)])
def test_unfold_needs_two_axes(images: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match=r"images has shape \(.*\), expected .* at least 2 axes"):
        unfold(images)
