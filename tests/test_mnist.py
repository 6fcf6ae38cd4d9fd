"""MNIST: from a folder, and fetched by the real pooch from a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import re
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from idx_files import SPELLINGS, Arrays, idx_bytes, small_set, write, write_folder

from fastmlp.data import fetch, load, load_mnist, mnist
from fastmlp.data.folder import FILE_NAMES


@pytest.fixture
def pretend_mnist(monkeypatch: pytest.MonkeyPatch) -> Arrays:
    """Take a small set for MNIST: shapes and checksums of the table are those of the set."""
    arrays = small_set(image_shape=(28, 28), n_classes=10)
    table = [mnist._Original(a.shape, hashlib.md5(idx_bytes(a)).hexdigest()) for a in arrays]
    monkeypatch.setattr(mnist, "_ORIGINALS", table)
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    return arrays


# --- from a folder ------------------------------------------------------------------------------


def test_mnist_folder_with_the_right_checksums(tmp_path: Path, pretend_mnist: Arrays) -> None:
    data = load("mnist", write_folder(tmp_path, pretend_mnist, SPELLINGS["gzip"]))
    np.testing.assert_array_equal(data.X_train, pretend_mnist[0].reshape(30, 784))
    assert (data.name, data.image_shape, data.n_classes) == ("mnist", (28, 28), 10)
    assert "CC BY-SA 3.0" in data.source


@pytest.mark.parametrize("index", range(4))
def test_mnist_sees_one_wrong_bit(tmp_path: Path, pretend_mnist: Arrays, index: int) -> None:
    pretend_mnist[index].flat[7] ^= 1
    folder = write_folder(tmp_path, pretend_mnist)
    with pytest.raises(ValueError, match=f"{FILE_NAMES[index]} differs from the original MNIST"):
        load_mnist(folder)


def test_mnist_sees_a_wrong_type_code(tmp_path: Path, pretend_mnist: Arrays) -> None:
    pretend_mnist[2] = pretend_mnist[2].view(np.int8)
    with pytest.raises(ValueError, match=r"t10k-images.* holds int8 .*MNIST has uint8"):
        load_mnist(write_folder(tmp_path, pretend_mnist))


def test_mnist_refuses_another_set(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, small_set())
    with pytest.raises(ValueError, match=r"\(30, 5, 4\), MNIST has .*\(60000, 28, 28\); .*'idx'"):
        load_mnist(folder)


def real_mnist() -> bool:
    folder = os.environ.get("FASTMLP_DATA", "")
    return bool(folder) and any(
        (Path(folder) / (FILE_NAMES[0] + suffix)).exists() for suffix in ("", ".gz")
    )


@pytest.mark.skipif(not real_mnist(), reason="FASTMLP_DATA names no folder with MNIST")
def test_real_mnist() -> None:
    data = load("mnist")
    assert data.X_train.shape == (60_000, 784)
    assert data.X_test.shape == (10_000, 784)
    assert data.X_train.dtype == np.uint8
    assert data.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.X_train.mean() == pytest.approx(33.3184, abs=1e-4)


# --- fetched, without a network -----------------------------------------------------------------


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    requested: list[str] = []  # noqa: RUF012  (a class per request: this is the server's log)

    def log_message(self, *args: object) -> None:
        self.requested.append(self.path)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretend_mnist: Arrays) -> Iterator[str]:
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
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretend_mnist: Arrays
) -> None:
    monkeypatch.setattr(fetch, "_MIRRORS", (f"{server}/gone/", f"{server}/good/"))
    data = load("mnist")
    np.testing.assert_array_equal(data.X_test, pretend_mnist[2].reshape(10, 784))
    assert f"/good/{FILE_NAMES[3]}.gz" in QuietHandler.requested
    assert (tmp_path / "cache" / "fastmlp" / "mnist" / f"{FILE_NAMES[0]}.gz").is_file()
    QuietHandler.requested.clear()
    load("mnist")
    assert QuietHandler.requested == []


def test_fetch_refuses_other_content(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_MIRRORS", (f"{server}/good/",))
    write(tmp_path / "good" / f"{FILE_NAMES[0]}.gz", gzip.compress(b"planted"))
    with pytest.raises(ConnectionError, match=r"train-images.*cannot be fetched; .*--data-dir"):
        load_mnist()
    assert not (tmp_path / "cache" / "fastmlp" / "mnist" / f"{FILE_NAMES[0]}.gz").exists()


def test_fetch_without_a_network_names_the_ways_out(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(
        ConnectionError, match=r"--data-dir.*FASTMLP_DATA.*ConnectionError"
    ) as caught:
        load_mnist()
    assert "\n" not in str(caught.value)


def test_fetch_without_pooch_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        ImportError, match=r"--data-dir.*FASTMLP_DATA.*pip install 'fastmlp\[data\]'"
    ):
        load_mnist()


def test_mirrors_are_https_and_known() -> None:
    assert all(mirror.startswith("https://") for mirror in fetch._MIRRORS)
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in fetch._GZIP_MD5)
