"""Data: the digits, IDX files whole and damaged, MNIST from a folder and over HTTP."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fastmlp.data import (
    DATASETS,
    fetch,
    idx,
    load,
    load_digits,
    load_idx_folder,
    load_mnist,
    mnist,
    read_idx,
    unfold,
)
from fastmlp.data.folder import FILE_NAMES

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
RNG = np.random.default_rng(3)
IMAGES = 60 * RNG.integers(0, 4, size=(12, 5, 4), dtype=np.uint8)  # a file of 256 bytes


def header(shape, code=0x08):
    return bytes((0, 0, code, len(shape))) + b"".join(n.to_bytes(4, "big") for n in shape)


def idx_bytes(array):
    code = CODES[array.dtype.str[1:]]
    return header(array.shape, code) + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path, content):
    path.write_bytes(content)
    return path


def refusal(path):
    """Return the one ValueError that reading the file must raise; it must name the file."""
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read_idx(path)
    assert type(caught.value) is ValueError
    assert "\n" not in str(caught.value)
    return str(caught.value)


def small_set(n_train=30, n_test=10, image_shape=(5, 4), n_classes=3):
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 256, size=(n_train, *image_shape), dtype=np.uint8),
        (np.arange(n_train) % n_classes).astype(np.uint8),
        rng.integers(0, 256, size=(n_test, *image_shape), dtype=np.uint8),
        (np.arange(n_test) % n_classes).astype(np.uint8),
    ]


def write_folder(folder, arrays, names=FILE_NAMES):
    folder.mkdir(exist_ok=True)
    for name, array in zip(names, arrays, strict=True):
        content = idx_bytes(array)
        write(folder / name, gzip.compress(content) if name.endswith(".gz") else content)
    return folder


@pytest.fixture
def pretend_mnist(monkeypatch):
    """Take a small set for MNIST: shapes and checksums of the table are those of the set."""
    arrays = small_set(image_shape=(28, 28), n_classes=10)
    table = [mnist._Original(a.shape, hashlib.md5(idx_bytes(a)).hexdigest()) for a in arrays]
    monkeypatch.setattr(mnist, "_ORIGINALS", table)
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    return arrays


# --- the digits and the table -------------------------------------------------------------------


def test_digits_equal_those_of_scikit_learn():
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    theirs, ours = sklearn_datasets.load_digits(), load_digits()
    is_test = np.arange(1797) % 5 == 4
    np.testing.assert_array_equal(ours.X_train, theirs.data[~is_test])
    np.testing.assert_array_equal(ours.X_test, theirs.data[is_test])
    np.testing.assert_array_equal(ours.y_train, theirs.target[~is_test])
    np.testing.assert_array_equal(ours.y_test, theirs.target[is_test])


def test_digits_are_bytes_with_a_scale_and_a_licence():
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


def test_each_load_of_the_digits_stands_alone():
    load_digits().X_train[:] = 99
    assert load_digits().X_train.max() == 16


def test_import_loads_nothing_heavy():
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


def test_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"dataset 'mnits' is unknown.*'digits', 'mnist', 'idx'"):
        load("mnits")
    assert DATASETS == ("digits", "mnist", "idx")


def test_digits_refuse_a_folder(tmp_path):
    with pytest.raises(ValueError, match="'digits' is carried in the package"):
        load("digits", tmp_path)


def test_digits_ignore_the_environment(monkeypatch):
    monkeypatch.setenv("FASTMLP_DATA", "/no/such/folder")
    assert load("digits").name == "digits"


# --- unfolding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 6), (7, 8, 8), (7, 53, 80, 1), (7, 2, 3, 4, 5), (0, 5, 4)])
def test_unfold_keeps_memory_and_order(shape):
    images = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    X = unfold(images)
    assert X.shape == (shape[0], int(np.prod(shape[1:])))
    np.testing.assert_array_equal(X.ravel(), images.ravel())
    if images.size:
        assert np.shares_memory(X, images)


@pytest.mark.parametrize("images", [np.zeros(5), np.array(1.0)])
def test_unfold_needs_two_axes(images):
    with pytest.raises(ValueError, match=r"images has shape \(.*\), expected .* at least 2 axes"):
        unfold(images)


# --- whole IDX files ----------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("dtype", CODES)
def test_six_types_of_any_rank(tmp_path, dtype, packed):
    for shape in [(9,), (3, 2), (4, 5, 3), (2, 53, 80, 1)]:
        array = (RNG.normal(size=shape) * 50).astype(dtype)
        content = idx_bytes(array)
        path = write(tmp_path / "file", gzip.compress(content) if packed else content)
        read = read_idx(path)
        assert read.dtype == np.dtype(dtype)
        assert read.dtype.isnative
        assert read.flags.writeable
        np.testing.assert_array_equal(read, array)


def test_content_decides_not_the_name(tmp_path):
    plain = write(tmp_path / "plain.gz", idx_bytes(IMAGES))
    packed = write(tmp_path / "packed", gzip.compress(idx_bytes(IMAGES)))
    np.testing.assert_array_equal(read_idx(plain), IMAGES)
    np.testing.assert_array_equal(read_idx(str(packed)), IMAGES)


def test_gzip_longer_than_a_chunk(tmp_path):
    array = RNG.integers(0, 256, size=(300, 1000), dtype=np.uint8)
    path = write(tmp_path / "file.gz", gzip.compress(idx_bytes(array)))
    assert path.stat().st_size > 3 * 65536
    np.testing.assert_array_equal(read_idx(path), array)
    refusal(write(tmp_path / "cut.gz", path.read_bytes()[:200_000] + path.read_bytes()[-8:]))


# --- damaged, foreign and forged files ----------------------------------------------------------


def damaged_copies(content, positions):
    """Yield (how, bytes): cut everywhere, flipped at the positions, and with more at the end."""
    for n in range(len(content)):
        yield f"cut to {n}", content[:n]
    for position in positions:
        for mask in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF):
            flipped = bytearray(content)
            flipped[position] ^= mask
            yield f"byte {position} xor {mask:02x}", bytes(flipped)
    for tail in (b"\0", b"\0" * 512, b"x", content, content[-8:], content[-4:]):
        yield f"followed by {len(tail)} bytes", content + tail


def outcome(path, content):
    """Return "same", "refused", or else the array that was read or the error that was raised."""
    write(path, content)
    try:
        read = read_idx(path)
    except ValueError as error:
        names_the_file = type(error) is ValueError and str(path) in str(error)
        return "refused" if names_the_file else error
    if read.dtype == IMAGES.dtype and np.array_equal(read, IMAGES):
        return "same"
    return read


def test_sweep_of_damaged_gzip_files(tmp_path):
    content = gzip.compress(idx_bytes(IMAGES), mtime=0)
    outcomes = {
        how: outcome(tmp_path / "damaged.gz", bad)
        for how, bad in damaged_copies(content, range(len(content)))
    }
    silent = [how for how, found in outcomes.items() if not isinstance(found, str)]
    assert silent == []
    same = [how for how, found in outcomes.items() if found == "same"]
    assert all(how.startswith("byte ") for how in same)  # each cut and each tail was refused
    assert len(outcomes) > 1000
    assert len(same) <= 7 * 9 + 14  # flag "text", time, level and system; a few bits of padding


def test_sweep_of_damaged_plain_files(tmp_path):
    """Without a checksum only the header and the length can tell; one flip cannot be seen."""
    content = idx_bytes(IMAGES)
    other = {}
    for how, bad in damaged_copies(content, range(16)):
        found = outcome(tmp_path / "damaged", bad)
        if not isinstance(found, str) or found != "refused":
            other[how] = found
    assert list(other) == ["byte 2 xor 01"]  # uint8 became int8: same length, same bytes
    assert other["byte 2 xor 01"].dtype == np.int8


FOREIGN = {
    "empty": (b"", "holds 0 bytes"),
    "three bytes": (b"\0\0\x08", "holds 3 bytes"),
    "half a header": (header((12, 5, 4))[:9], "9 bytes, its header alone takes 16"),
    "cut": (idx_bytes(IMAGES)[:-1], "has 255 bytes, but its header announces 256"),
    "longer": (idx_bytes(IMAGES) + b"\n", "has 257 bytes, but its header announces 256"),
    "web page": (b"\n<!DOCTYPE html><html></html>", "looks like a web page"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "zip": (b"PK\x03\x04" + bytes(50), "zip archive: unpack it first"),
    "numpy": (b"\x93NUMPY" + bytes(100), "it begins with 93 4e 55 4d"),
    "type code": (header((1,), 0x0A) + b"1", r"type code \(08 09 0b 0c 0d 0e\)"),
    "rank 0": (header(()) + b"1", "announces 0 axes, expected 1 to 64"),
    "rank 65": (header((1,) * 65) + b"1", "announces 65 axes, expected 1 to 64"),
    "no images": (header((0, 28, 28)), r"holds no values: its shape is \(0, 28, 28\)"),
    "one axis": (header((0, 2**32 - 1, 2**32 - 1)), "holds no values"),
    "overflow": (header((2**16, 2**16, 2**16, 2**16)) + b"", "announces 18446744073709551636"),
    "64 axes": (header((2**32 - 1,) * 64, 0x0E), "its header announces"),
    "gzip head only": (b"\x1f\x8b", "holds 0 bytes"),
    "gzip twice": (gzip.compress(gzip.compress(idx_bytes(IMAGES))), "gzip twice: unpack it once"),
    "gzip of nothing": (gzip.compress(b""), "holds 0 bytes"),
    "gzip of text": (gzip.compress(b"<html>"), "looks like a web page"),
    "gzip method": (b"\x1f\x8b\x07" + bytes(30), "gzip says"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_and_damaged_files(tmp_path, kind):
    content, message = FOREIGN[kind]
    assert re.search(message, refusal(write(tmp_path / "file", content)))


def test_wrong_crc_and_wrong_length(tmp_path):
    packed = gzip.compress(idx_bytes(IMAGES))
    crc = packed[:-8] + b"\0\0\0\0" + packed[-4:]
    assert "gzip says" in refusal(write(tmp_path / "crc.gz", crc))
    packed = gzip.compress(idx_bytes(np.resize(IMAGES, (30, 40))))
    length = packed[:-4] + (1211).to_bytes(4, "little")
    message = refusal(write(tmp_path / "length.gz", length))
    assert "header announces 1212 bytes, its gzip trailer 1211" in message


def test_second_gzip_member_is_junk(tmp_path):
    member = gzip.compress(idx_bytes(IMAGES))
    message = refusal(write(tmp_path / "two.gz", member + member))
    assert f"has {len(member)} bytes after the end of its gzip stream, expected 0" in message


def test_folder_pipe_and_missing_file(tmp_path):
    assert "is not a regular file" in refusal(tmp_path)
    assert "is not a regular file" in refusal(Path(os.devnull))
    assert "cannot be read" in refusal(tmp_path / ("x" * 5000))
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match=f"{re.escape(str(missing))} does not exist; give"):
        read_idx(missing)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert "is not a regular file" in refusal(tmp_path / "pipe")


def gzip_of(start, n_zeros, trailer_bytes=None):
    """Pack ``start`` and so many zeros; the trailer can be forged."""
    packer = zlib.compressobj(1, wbits=31)
    parts = [packer.compress(start)]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(n_zeros >> 20)]
    parts.append(packer.flush())
    packed = b"".join(parts)
    if trailer_bytes is None:
        return packed
    return packed[:-4] + (trailer_bytes % 2**32).to_bytes(4, "little")


ZEROS = 200 << 20
BOMBS = {
    "no header": lambda: gzip_of(b"", ZEROS),
    "header of ten bytes": lambda: gzip_of(header((10,)), ZEROS),
    "header and trailer of ten bytes": lambda: gzip_of(header((10,)), ZEROS, 18),
    "honest header": lambda: gzip_of(header((200, 1024, 1024)), ZEROS),
    "forged 1 TB": lambda: gzip_of(header((1 << 20, 1 << 20)), 0, 12 + (1 << 40)),
    "plain 1 TB": lambda: header((1 << 20, 1 << 20)) + bytes(100),
    "forged 60 MB": lambda: gzip_of(header((60 << 20,)), 0, 8 + (60 << 20)),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_cost_neither_time_nor_memory(tmp_path, kind):
    path = write(tmp_path / "bomb", BOMBS[kind]())
    assert path.stat().st_size < 2 << 20
    tracemalloc.start()
    try:
        start_s = time.perf_counter()
        refusal(path)
        took_s = time.perf_counter() - start_s
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert took_s < 1
    assert peak_bytes < 2 << 20


def test_lengths_that_agree_only_modulo_2_to_32(tmp_path, monkeypatch):
    """The gzip trailer cannot tell 1 MiB from 4 GiB + 1 MiB: the unpacked bytes must."""
    monkeypatch.setattr(idx, "_MAX_PACKING", 10**9)
    start = header((1 << 16, (1 << 16) + 16))
    path = write(tmp_path / "file.gz", gzip_of(start, 1 << 20))
    assert f"unpacks to {12 + (1 << 20)} bytes, its header announces" in refusal(path)


def test_too_large_for_the_memory(tmp_path, monkeypatch):
    def no_memory(*args):
        raise MemoryError

    monkeypatch.setattr(idx, "_read_plain", no_memory)
    assert "does not fit into the memory" in refusal(write(tmp_path / "file", idx_bytes(IMAGES)))


def test_small_sets_of_zeros_are_no_bomb(tmp_path):
    zeros = np.zeros((40, 1024, 1024), dtype=np.uint8)
    path = write(tmp_path / "zeros.gz", gzip_of(header(zeros.shape), zeros.size))
    np.testing.assert_array_equal(read_idx(path), zeros)


# --- a folder of four files ---------------------------------------------------------------------

SPELLINGS = {
    "plain": FILE_NAMES,
    "gzip": [f"{name}.gz" for name in FILE_NAMES],
    "dot": [name.replace("-idx", ".idx") for name in FILE_NAMES],
    "dot gzip": [name.replace("-idx", ".idx") + ".gz" for name in FILE_NAMES],
}


@pytest.mark.parametrize("names", SPELLINGS.values(), ids=SPELLINGS)
def test_folder_in_every_spelling(tmp_path, names):
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


def test_folder_from_the_environment(tmp_path, monkeypatch):
    write_folder(tmp_path / "named", small_set())
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "named"))
    assert load("idx").X_train.shape == (30, 20)
    write_folder(tmp_path / "given", small_set(n_train=12))
    assert load("idx", tmp_path / "given").X_train.shape == (12, 20)


def test_folder_of_another_name_beside_the_file(tmp_path):
    """Some zip archives of MNIST unpack to a folder and a file of almost the same name."""
    write_folder(tmp_path, small_set(), SPELLINGS["dot"])
    (tmp_path / FILE_NAMES[0]).mkdir()
    assert load_idx_folder(tmp_path).X_train.shape == (30, 20)


def test_float_images_are_taken_at_face_value(tmp_path):
    arrays = small_set()
    arrays[0], arrays[2] = (arrays[i].astype(np.float32) / 255 for i in (0, 2))
    data = load_idx_folder(write_folder(tmp_path, arrays))
    assert data.scale == 1.0
    assert data.X_train.dtype == np.float32
    np.testing.assert_array_equal(data.X_train, arrays[0].reshape(30, 20))


def test_no_folder_named(monkeypatch):
    monkeypatch.setenv("FASTMLP_DATA", "")
    with pytest.raises(ValueError, match=r"'idx' needs a folder.*--data-dir.*FASTMLP_DATA"):
        load("idx")


@pytest.mark.parametrize("name", ["mnist", "idx"])
def test_folder_missing_or_a_file_or_incomplete(tmp_path, monkeypatch, name):
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


def changed(index, array):
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
def test_files_that_do_not_fit_together(tmp_path, kind):
    change, message = MISFITS[kind]
    arrays = small_set()
    change(arrays)
    with pytest.raises(ValueError, match=message):
        load_idx_folder(write_folder(tmp_path, arrays))


# --- MNIST --------------------------------------------------------------------------------------


def test_mnist_folder_with_the_right_checksums(tmp_path, pretend_mnist):
    data = load("mnist", write_folder(tmp_path, pretend_mnist, SPELLINGS["gzip"]))
    np.testing.assert_array_equal(data.X_train, pretend_mnist[0].reshape(30, 784))
    assert (data.name, data.image_shape, data.n_classes) == ("mnist", (28, 28), 10)
    assert "CC BY-SA 3.0" in data.source


@pytest.mark.parametrize("index", range(4))
def test_mnist_sees_one_wrong_bit(tmp_path, pretend_mnist, index):
    pretend_mnist[index].flat[7] ^= 1
    folder = write_folder(tmp_path, pretend_mnist)
    with pytest.raises(ValueError, match=f"{FILE_NAMES[index]} differs from the original MNIST"):
        load_mnist(folder)


def test_mnist_sees_a_wrong_type_code(tmp_path, pretend_mnist):
    pretend_mnist[2] = pretend_mnist[2].view(np.int8)
    with pytest.raises(ValueError, match=r"t10k-images.* holds int8 .*MNIST has uint8"):
        load_mnist(write_folder(tmp_path, pretend_mnist))


def test_mnist_refuses_another_set(tmp_path):
    folder = write_folder(tmp_path, small_set())
    with pytest.raises(ValueError, match=r"\(30, 5, 4\), MNIST has .*\(60000, 28, 28\); .*'idx'"):
        load_mnist(folder)


def real_mnist():
    folder = os.environ.get("FASTMLP_DATA")
    return bool(folder) and any(
        (Path(folder) / (FILE_NAMES[0] + suffix)).exists() for suffix in ("", ".gz")
    )


@pytest.mark.skipif(not real_mnist(), reason="FASTMLP_DATA names no folder with MNIST")
def test_real_mnist():
    data = load("mnist")
    assert data.X_train.shape == (60_000, 784)
    assert data.X_test.shape == (10_000, 784)
    assert data.X_train.dtype == np.uint8
    assert data.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.X_train.mean() == pytest.approx(33.3184, abs=1e-4)


# --- fetching: the real pooch, a server on this machine, no network -----------------------------


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    requested: list[str] = []  # noqa: RUF012  (a class per request: this is the server's log)

    def log_message(self, *args):
        self.requested.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch, pretend_mnist):
    """Serve the small set under /good/, and point mirrors, checksums and cache at this machine."""
    pooch = pytest.importorskip("pooch")
    folder = write_folder(tmp_path / "good", pretend_mnist, SPELLINGS["gzip"])
    sums = [hashlib.md5((folder / f"{name}.gz").read_bytes()).hexdigest() for name in FILE_NAMES]
    monkeypatch.setattr(fetch, "_GZIP_MD5", sums)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(QuietHandler, "requested", [])
    handler = partial(QuietHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_fetch_tries_the_mirrors_in_turn_and_keeps_the_files(
    server, tmp_path, monkeypatch, pretend_mnist
):
    monkeypatch.setattr(fetch, "_MIRRORS", (f"{server}/gone/", f"{server}/good/"))
    data = load("mnist")
    np.testing.assert_array_equal(data.X_test, pretend_mnist[2].reshape(10, 784))
    assert f"/good/{FILE_NAMES[3]}.gz" in QuietHandler.requested
    assert (tmp_path / "cache" / "fastmlp" / "mnist" / f"{FILE_NAMES[0]}.gz").is_file()
    QuietHandler.requested.clear()
    load("mnist")
    assert QuietHandler.requested == []


def test_fetch_refuses_other_content(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "_MIRRORS", (f"{server}/good/",))
    write(tmp_path / "good" / f"{FILE_NAMES[0]}.gz", gzip.compress(b"planted"))
    with pytest.raises(RuntimeError, match=r"train-images.*cannot be fetched; .*--data-dir"):
        load_mnist()
    assert not (tmp_path / "cache" / "fastmlp" / "mnist" / f"{FILE_NAMES[0]}.gz").exists()


def test_fetch_without_a_network_names_the_ways_out(server, monkeypatch):
    monkeypatch.setattr(fetch, "_MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(RuntimeError, match=r"--data-dir.*FASTMLP_DATA.*ConnectionError") as caught:
        load_mnist()
    assert "\n" not in str(caught.value)


def test_fetch_without_pooch_names_the_ways_out(monkeypatch):
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        ImportError, match=r"--data-dir.*FASTMLP_DATA.*pip install 'fastmlp\[data\]'"
    ):
        load_mnist()


def test_mirrors_are_https_and_known():
    assert all(mirror.startswith("https://") for mirror in fetch._MIRRORS)
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in fetch._GZIP_MD5)
