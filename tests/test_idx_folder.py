"""A folder of four IDX files: how it is found, and whether the files fit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from idx_files import SPELLINGS, Arrays, small_set, write, write_folder
from numpy.typing import NDArray

from fastmlp.data import load, load_idx_folder
from fastmlp.data.folder import FILE_NAMES


@pytest.mark.parametrize("names", SPELLINGS.values(), ids=SPELLINGS)
def test_folder_in_every_spelling(tmp_path: Path, names: Sequence[str]) -> None:
    arrays = small_set(image_shape=(53, 80, 1))
    data = load("idx", write_folder(tmp_path, arrays, names))
    np.testing.assert_array_equal(data.X_train, arrays[0].reshape(30, 4240))
    np.testing.assert_array_equal(data.X_test, arrays[2].reshape(10, 4240))
    np.testing.assert_array_equal(data.y_train, arrays[1])
    np.testing.assert_array_equal(data.y_test, arrays[3])
    assert (data.name, data.image_shape, data.n_classes) == ("idx", (53, 80, 1), 3)
    assert data.X_train.dtype == np.uint8
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert data.scale == 1 / 255
    assert str(tmp_path) in data.source


def test_folder_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "named", small_set())
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "named"))
    assert load("idx").X_train.shape == (30, 20)
    write_folder(tmp_path / "given", small_set(n_train=12))
    assert load("idx", tmp_path / "given").X_train.shape == (12, 20)


def test_folder_of_another_name_beside_the_file(tmp_path: Path) -> None:
    """Some zip archives of MNIST unpack to a folder and a file of almost the same name."""
    write_folder(tmp_path, small_set(), SPELLINGS["dot"])
    (tmp_path / FILE_NAMES[0]).mkdir()
    assert load_idx_folder(tmp_path).X_train.shape == (30, 20)


def test_float_images_are_taken_at_face_value(tmp_path: Path) -> None:
    arrays = small_set()
    arrays[0], arrays[2] = (arrays[i].astype(np.float32) / 255 for i in (0, 2))
    data = load_idx_folder(write_folder(tmp_path, arrays))
    assert data.scale == 1.0
    assert data.X_train.dtype == np.float32
    np.testing.assert_array_equal(data.X_train, arrays[0].reshape(30, 20))


def test_no_folder_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTMLP_DATA", "")
    with pytest.raises(ValueError, match=r"'idx' needs a folder.*--data-dir.*FASTMLP_DATA"):
        load("idx")


@pytest.mark.parametrize("name", ["mnist", "idx"])
def test_folder_missing_or_a_file_or_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match=r"data_dir is .*missing, which does not exist"):
        load(name, missing)
    monkeypatch.setenv("FASTMLP_DATA", str(missing))
    with pytest.raises(FileNotFoundError, match=r"FASTMLP_DATA is .*missing, which does not"):
        load(name)
    with pytest.raises(ValueError, match=r"data_dir is .*file, a file; expected the folder"):
        load(name, write(tmp_path / "file", b""))
    folder = write_folder(tmp_path / "set", small_set())
    (folder / FILE_NAMES[3]).unlink()
    with pytest.raises(FileNotFoundError, match=r"set holds no file t10k-labels-idx1-ubyte, plain"):
        load(name, folder)


def changed(index: int, array: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.__setitem__(index, array(arrays[index]))


MISFITS = {
    "more labels": (changed(1, lambda y: np.append(y, y[:1])), "30 images, .*labels.* 31 labels"),
    "fewer test labels": (changed(3, lambda y: y[:-1]), "10 images, .*t10k-labels.* 9 labels"),
    "images for labels": (changed(1, lambda y: y[:, None]), r"train-labels.* shape \(30, 1\)"),
    "labels for images": (changed(0, lambda x: x[:, 0, 0]), r"train-images.* shape \(30,\)"),
    "float labels": (changed(1, lambda y: y.astype("f4")), "train-labels.* holds float32"),
    "int8 images": (changed(0, lambda x: x.view("i1")), "train-images.* int8, expected uint8"),
    "int16 images": (changed(2, lambda x: x.astype("i2")), "t10k-images.* int16, expected uint8"),
    "NaN": (changed(0, lambda x: np.where(x == x[0, 0, 0], np.nan, x)), "train-images.* NaN"),
    "other shape": (changed(2, lambda x: x[:, :4]), r"t10k.* \(4, 4\), .*train.* \(5, 4\)"),
    "other type": (changed(2, lambda x: x.astype("f4")), "t10k.* float32, .*train.* uint8"),
    "negative label": (changed(1, lambda y: y.astype("i1") - 1), "3 classes between -1 and 1"),
    "from 1": (changed(1, lambda y: y + 1), r"between 1 and 3, expected labels 0\.\.2 without"),
    "gap": (changed(1, lambda y: y * 7), "3 classes between 0 and 14"),
    "unseen class": (changed(3, lambda y: y + 1), r"t10k-labels.* labels 1\.\.3, expected 0\.\.2"),
    "negative test": (changed(3, lambda y: y.astype("i4") - 9), r"labels -9\.\.-7, expected 0"),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_files_that_do_not_fit_together(tmp_path: Path, kind: str) -> None:
    change, message = MISFITS[kind]
    arrays = small_set()
    change(arrays)
    with pytest.raises(ValueError, match=message):
        load_idx_folder(write_folder(tmp_path, arrays))
