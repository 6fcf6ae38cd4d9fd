"""Model files that are damaged, forged, or something else: each is refused, none half-loaded."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")
from safetensors import numpy as safetensors

from fastmlp import MLPClassifier, ModelFileError, load
from fastmlp.estimators.exchange.container import BEGIN, NO_DIGEST

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Path of a file with a model of 4-6-3 units."""
    X = np.random.default_rng(0).normal(size=(20, 4))
    model = MLPClassifier((6,), max_iter=2, random_state=0).fit(X, np.arange(20) % 3)
    model.save(tmp_path / "m")
    return tmp_path / "m"


def test_every_byte_counts(tmp_path: Path) -> None:
    path = tmp_path / "m"
    MLPClassifier((), max_iter=1, solver="sgd").fit([[0.0], [1.0]], [0, 1]).save(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for flip in (0x01, 0x20, 0x29, 0x80, 0xFF):  # 0x29 makes a tab of a space
            damaged = bytearray(whole)
            damaged[place] ^= flip
            path.write_bytes(damaged)
            with pytest.raises(ModelFileError):
                load(path)
        path.write_bytes(whole[:place])
        with pytest.raises(ModelFileError):
            load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ModelFileError, match=r"cut off, or damaged: \d+ bytes"):
        load(path)
    path.write_bytes(whole)
    load(path)


def test_the_reason_is_told(path: Path) -> None:
    whole = path.read_bytes()
    n = int.from_bytes(whole[:8], "little")
    foreign = safetensors.save({"W": np.zeros(3)}, {"format": "pt"})
    for data, reason in (
        (b"", "has 0 bytes, too few for a model file"),
        (whole[:100], "is cut off, or no model file: it has 100 bytes"),
        (whole[:-1], "is cut off, or damaged: .* bytes of tensors, expected"),
        (b"\xff" * 7 + b"\x7f" + whole[8:], "its header is to have 9"),
        ((2**62).to_bytes(8, "little") + whole[8:], "its header is to have 4611686018427387904"),
        (whole[:-1] + b"\7", "its bytes are not those that were written"),
        (foreign, "was not written by fastmlp's save"),
        (pickle.dumps(3) * 999, "no model file"),
        (whole[: 8 + n].rstrip()[:-1].ljust(8 + n) + whole[8 + n :], "no JSON object"),
        (whole[: 8 + n].replace(b"data_offsets", b"data_offzets") + whole[8 + n :], "no safeten"),
    ):
        path.write_bytes(data)
        with pytest.raises(ModelFileError, match=reason):
            load(path)
    with pytest.raises(ModelFileError, match="is a directory"):
        load(path.parent)
    with pytest.raises(FileNotFoundError):
        load(path.parent / "nothing")


def forged(path: Path, change: Callable[[Any, Any], Any]) -> None:
    """Write a file whose seal is right and whose content was changed."""
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    text = json.loads(header["__metadata__"]["fastmlp"])
    tensors = safetensors.load(data)
    text = change(text, tensors) or text
    if not isinstance(text, str):
        text = json.dumps({**text, "sha256": NO_DIGEST}, separators=(",", ":"))
    data = safetensors.save(tensors, {"fastmlp": text})
    path.write_bytes(data)
    seal(path)


def seal(path: Path) -> None:
    data = path.read_bytes()
    begin = BEGIN.match(data, 8)
    assert begin
    blank = data[: begin.start(1)] + NO_DIGEST.encode() + data[begin.end(1) :]
    digest = hashlib.sha256(blank).hexdigest().encode()
    path.write_bytes(blank[: begin.start(1)] + digest + blank[begin.end(1) :])


def put(*keys: str, value: Any) -> Callable[[Any, Any], None]:
    def change(text: Any, tensors: Any) -> None:
        for key in keys[:-1]:
            text = text[key]
        text[keys[-1]] = value

    return change


def tensor(name: str, value: Any) -> Callable[[Any, Any], None]:
    def change(text: Any, tensors: Any) -> None:
        tensors[name] = value

    return change


def missing(text: Any, tensors: Any) -> None:
    del tensors["params.1.b"]


def twice(text: Any, tensors: Any) -> str:
    return json.dumps(text, separators=(",", ":"))[:-1] + ',"class":"MLPRegressor"}'


def nested(text: Any, tensors: Any) -> str:
    return json.dumps(text, separators=(",", ":"))[:-1] + ',"x":' + "[" * 10**5 + "]" * 10**5 + "}"


NOT_FITTING: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "newer": (put("format_version", value=2), "written by a newer fastmlp .*: upgrade"),
    "older": (put("format_version", value=0), "format_version 0, expected 1"),
    "parameter": (
        put("parameters", "rank", value=1),
        r"parameters \['rank'\], .* does not know.*U",
    ),
    "class": (put("class", value="Popen"), "'Popen' is no estimator"),
    "kind": (put("parameters", "tol", value={"eval": "1"}), "'eval' is no kind of value"),
    "dtype": (put("classes", value={"array": ["O8", [1], [1]]}), "'O8' is no dtype"),
    "layers": (
        put("layers", value=[4, 5, 3]),
        r"params.0.W has shape \(4, 6\), expected \(4, 5",
    ),
    "outputs": (put("classes", value={"array": ["int64", [2], [0, 1]]}), "do not fit the classes"),
    "activation": (put("made_of", value=["cube", "softmax_cross_entropy"]), "no activation and l"),
    "loss": (put("made_of", value=["relu", "poisson"]), "'poisson' is no loss of MLPClassifier"),
    "course": (put("course", "mood", value=1), r"\['mood'\] are no part of a training"),
    "names": (put("feature_names", value=["a"]), "1 names of 4 features"),
    "form": (put("optimizer", "form", value=["layer"] * 5), "'optimizer.0.W' is missing"),
    "nan": (tensor("params.1.b", np.full(3, np.nan)), "layer 2 has weights that are not finite"),
    "mixed": (tensor("params.1.b", np.zeros(3, "f4")), "of several dtypes"),
    "whole": (tensor("params.1.b", np.zeros(3, "i8")), "dtype int64, expected float32 or float64"),
    "more": (tensor("params.2.W", np.zeros(3)), r"tensors \['params.2.W'\], which are no part"),
    "less": (missing, "'params.1.b' is missing"),
    "twice": (twice, "the key 'class' is there twice"),
    "nested": (nested, "nested too deeply"),
    "no object": (put("course", value=3), "does not hold what a model is made of"),
}


@pytest.mark.parametrize("case", NOT_FITTING)
def test_a_sealed_file_must_fit_together(case: str, path: Path) -> None:
    forged(path, lambda text, tensors: None)
    load(path)
    change, message = NOT_FITTING[case]
    forged(path, change)
    with pytest.raises(ModelFileError, match=message):
        load(path)


def test_a_tensor_that_is_there_twice(path: Path) -> None:
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    header, tensors = data[8 : 8 + n].rstrip(), data[8 + n :]
    start = header.index(b',"optimizer')  # of a tensor: in the description quotes are escaped
    entry = header[start : header.index(b"}", start) + 1]
    header = header[:-1] + entry + b"}"
    path.write_bytes(len(header).to_bytes(8, "little") + header + tensors)
    seal(path)
    safetensors.load(path.read_bytes())  # which takes the last one
    with pytest.raises(ModelFileError, match=r"the key 'optimizer.* is there twice"):
        load(path)
