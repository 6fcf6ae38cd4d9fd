"""The parity certificate: what is right holds, and whatever is sabotaged is found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from rich.console import Console
from strict_backend import strict_device

import fastmlp
from fastmlp import cli
from fastmlp.backends import Backend, backend_names, backend_status, get_backend, python_scan
from fastmlp.certificate import Missing, Parity, ParityError, Row, Training, measure, parity
from fastmlp.certificate.result import TOLERANCE, tolerance
from fastmlp.certificate.training import distances
from fastmlp.core import Namespace
from fastmlp.training import DivergenceError

STEPS = 20
# unit roundoffs: half the distance of 1 to the next number
ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "tf32": 2.0**-11, "bfloat16": 2.0**-8}


@pytest.mark.parametrize("optimizer", ["gradient_descent", "momentum", "nesterov", "adam"])
def test_every_backend_there_is_holds(optimizer: str) -> None:
    found = fastmlp.parity(steps=STEPS, optimizer=optimizer)
    assert found.differences == ()
    found.raise_for_difference()
    ran = {(row.backend, row.dtype) for row in found.rows}
    absent = {missing.backend for missing in found.missing if not missing.dtype}
    for name in backend_names():
        assert (name in absent) != ({(name, "float64"), (name, "float32")} <= ran)
        assert backend_status(name).available != (name in absent)


def test_who_cannot_run_is_listed_with_its_reason() -> None:
    found = parity(["numpy"], STEPS)
    assert [(missing.dtype, missing.precision) for missing in found.missing] == [
        ("float32", "tf32"),
        ("float32", "bfloat16"),
    ]
    assert all("is not one of its own on device 'cpu'" in one.reason for one in found.missing)
    if not backend_status("cupy").available:
        found = parity("cupy", STEPS)
        status = backend_status("cupy")
        assert found.rows == ()
        assert found.missing == (Missing("cupy", "", "", status.reason, status.hint),)
        assert status.reason in str(found)
        with pytest.raises(ParityError, match=r"nothing could run, so nothing is certified"):
            found.raise_for_difference()


def test_bfloat16_is_a_row_of_its_own() -> None:
    pytest.importorskip("torch")
    if "cpu" not in backend_status("torch").device:
        pytest.skip("a GPU offers more")
    rows = {row.precision: row for row in parity("torch", STEPS).rows}
    assert set(rows) == {"float64", "float32", "bfloat16"}
    assert rows["float64"].weights < 1e-14 < 1e-9 < rows["float32"].weights
    assert rows["bfloat16"].weights > 1e-5, "the request was not heard"
    assert rows["bfloat16"].verdict == "holds"


def test_the_strictest_backend_is_certified_by_its_record() -> None:
    with strict_device(static_shapes=True) as strict:
        found = parity([strict, "numpy"], STEPS)
    assert [row.backend for row in found.rows] == ["strict", "strict", "numpy", "numpy"]
    found.raise_for_difference()


def test_the_reference_is_there_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "reference_status", lambda: SimpleNamespace(**GONE))
    found = parity(["numpy", "keras"], STEPS)
    assert found.missing[-1] == Missing("keras", "", "", "tensorflow not installed", "pip install")
    assert "keras" not in {missing.backend for missing in parity(steps=STEPS).missing}


GONE = {"available": False, "reason": "tensorflow not installed", "hint": "pip install"}


@pytest.mark.filterwarnings("ignore")  # what Keras and TensorFlow say of themselves
def test_the_reference_holds() -> None:
    pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    found = parity("keras", STEPS)
    found.raise_for_difference()
    assert [(row.dtype, row.precision) for row in found.rows] == [
        ("float64",) * 2,
        ("float32",) * 2,
    ]
    assert found.rows[0].device in ("cpu", "gpu")
    assert {missing.precision for missing in found.missing} == {"tf32", "bfloat16"}


# --- sabotage ---


def sabotaged(**fields: Any) -> Backend:
    """NumPy with something else in it; every operation of the formulas is run as it is written."""
    backend = get_backend("numpy")
    xp = fields.pop("xp", backend.xp)
    return replace(backend, name="sabotaged", xp=xp, **{"scan": python_scan(xp), **fields})


def other_namespace(**functions: Callable[..., Any]) -> Namespace:
    return cast(Namespace, SimpleNamespace(**{**vars(get_backend("numpy").xp), **functions}))


def swapped_batches(f: Any, carry: Any, xs: Any, shared: Any) -> Any:
    order = np.arange(xs.shape[0])
    order[:2] = order[:2][::-1]
    return python_scan(get_backend("numpy").xp)(f, carry, xs[order], shared)


def forgets_the_last_batch(f: Any, carry: Any, xs: Any, shared: Any) -> Any:
    before = carry
    carry, ys = python_scan(get_backend("numpy").xp)(f, carry, xs, shared)
    return (before if xs.shape[0] == 1 else carry), ys


def rounded(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    return x.astype("float16").astype(dtype)


SABOTAGE: dict[str, Callable[[], Backend]] = {
    "exp is off by 1e-3": lambda: sabotaged(xp=other_namespace(exp=lambda x: 1.001 * np.exp(x))),
    "tanh is off by 1e-4": lambda: sabotaged(
        xp=other_namespace(tanh=lambda x: 1.0001 * np.tanh(x))
    ),
    "two batches are swapped": lambda: sabotaged(scan=swapped_batches),
    "the tail is not learnt from": lambda: sabotaged(scan=forgets_the_last_batch),
    "X passes through float16 and a shift": lambda: sabotaged(
        xp=other_namespace(astype=lambda x, dtype, copy=True: rounded(x + 1e-2, dtype))
    ),
}


def test_numpy_run_as_written_is_no_sabotage() -> None:
    parity(sabotaged(), STEPS).raise_for_difference()


@pytest.mark.parametrize("what", SABOTAGE)
def test_sabotage_exceeds_in_every_dtype(what: str) -> None:
    found = parity([SABOTAGE[what](), "numpy"], STEPS)
    assert [row.verdict for row in found.rows] == ["exceeds", "exceeds", "holds", "holds"]
    message = r"sabotaged on cpu in float64 is not NumPy's: weights .* expected 1\.0e-12 at most"
    with pytest.raises(ParityError, match=message):
        found.raise_for_difference()


def test_products_in_less_than_was_promised_exceed() -> None:
    pytest.importorskip("torch")
    found = parity(replace(get_backend("torch", "cpu", "bfloat16"), precision="float32"), STEPS)
    assert [row.verdict for row in found.rows] == ["holds", "exceeds"]


def test_sums_of_float32_in_float64_exceed() -> None:
    less = other_namespace(
        sum=lambda x, /, **how: np.sum(x.astype("float32"), **how).astype(x.dtype)
    )
    found = parity(sabotaged(xp=less), STEPS)
    assert [row.verdict for row in found.rows] == ["exceeds", "holds"]


def test_another_dtype_than_asked_for_fails() -> None:
    def to_device(host: Any, dtype: str) -> Any:
        return np.asarray(host, "float64" if dtype == "float32" else dtype)

    found = parity(sabotaged(to_device=to_device), STEPS)
    assert [row.verdict for row in found.rows] == ["holds", "failed"]
    assert found.rows[1].reason == "its weights are ['float64']"


def test_an_error_is_a_row_and_stops_no_other() -> None:
    def breaks(*_: Any) -> Any:
        raise RuntimeError("the kernel is gone")

    found = parity([sabotaged(scan=breaks), "numpy"], STEPS)
    assert [row.verdict for row in found.rows] == ["failed", "failed", "holds", "holds"]
    assert "sabotaged on cpu in float32 failed: RuntimeError: the kernel is gone" in str(found)
    with pytest.raises(ParityError, match="the kernel is gone"):
        found.raise_for_difference()


def test_weights_that_are_not_finite_are_a_difference() -> None:
    def diverged(*_: Any) -> Any:
        raise DivergenceError("training diverged in epoch 1")

    (row, _) = parity(sabotaged(scan=diverged), STEPS).rows
    assert row.verdict == "failed"
    values = Parity(Training(), (row,), ()).to_dict()["rows"][0]
    assert (values["weights"], values["verdict"]) == (None, "failed")


# --- the result ---


@pytest.mark.parametrize("place", [0, 1])
def test_one_array_that_is_off_is_enough(place: int) -> None:
    right = Training(10).reference()
    layers = list(right.params)
    layers[place] = layers[place]._replace(b=1.01 * layers[place].b)
    found = distances(right._replace(params=tuple(layers)), right)
    np.testing.assert_allclose(found, (0.01, 0.0, 0.0), rtol=1e-9)
    layers[place] = layers[place]._replace(b=layers[place].b[:-1])
    with pytest.raises(ValueError, match="an array has shape"):
        distances(right._replace(params=tuple(layers)), right)
    lost = distances(right._replace(losses=np.nan * right.losses), right)
    assert np.isnan(lost.losses)


def row(**fields: Any) -> Row:
    values = {"weights": 1e-6, "losses": 1e-7, "predictions": 1e-7, "tolerance": 1e-5}
    return Row("jax", "cpu", "1.0", "float32", "float32", **{**values, **fields})


def test_80_columns_are_enough() -> None:
    file = StringIO()
    wide = Row("sabotaged", "cuda:0", "1.0", "float32", "bfloat16", 1e-3, 1e-3, 1e-3, 1e-2)
    Parity(Training(), (wide,), ()).print(Console(file=file, width=80))
    shown = file.getvalue()
    assert "…" not in shown
    assert shown.splitlines()[1].split() == [
        *("sabotaged", "cuda:0", "float32", "bfloat16"),
        *("1.0e-03", "1.0e-03", "1.0e-03", "1.0e-02", "holds"),
    ]


@pytest.mark.parametrize("name", ["weights", "losses", "predictions"])
def test_each_distance_decides(name: str) -> None:
    assert row().verdict == "holds"
    assert row(**{name: 1e-5}).verdict == "holds"
    assert row(**{name: 1.01e-5}).verdict == "exceeds"
    assert row(**{name: float("nan")}).verdict == "exceeds"


def test_tolerances_lie_between_rounding_and_the_next_precision() -> None:
    assert list(TOLERANCE) == list(ROUNDOFF)
    for name, coarser in pairwise(TOLERANCE):
        assert ROUNDOFF[name] < TOLERANCE[name] < ROUNDOFF[coarser]
    assert ROUNDOFF["bfloat16"] < TOLERANCE["bfloat16"]


def test_tolerance_grows_with_the_steps_and_roundings_stay_below_it() -> None:
    assert tolerance("float32", 200) == 1e-5
    assert tolerance("float32", 1000) == pytest.approx(5e-5)
    found = parity("numpy", 1000)
    assert [row.verdict for row in found.rows] == ["holds", "holds"]
    assert found.rows[1].weights > parity("numpy", 100).rows[1].weights


def test_the_table_is_aligned_and_says_what_was_done() -> None:
    lines = str(parity("numpy", STEPS)).splitlines()
    head = lines[0]
    names = "backend device dtype products weights losses predictions tolerance verdict"
    assert head.split() == names.split()
    assert [line[head.index("verdict") :] for line in lines[1:3]] == ["holds", "holds"]
    assert max(map(len, lines)) <= 100
    text = " ".join(lines)
    assert "numpy float32 in tf32 did not run: precision='tf32' is not one of its own" in text
    assert text.endswith(
        "after 20 steps of gradient_descent on the digits: 64-32-10, tanh, seed 0."
    )


def test_a_hint_with_brackets_is_no_markup() -> None:
    missing = Missing("jax", "", "", "not installed", "pip install 'fastmlp[jax]'")
    assert "pip install 'fastmlp[jax]'." in str(Parity(Training(), (), (missing,)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"backends": ["nunpy"]},
            r"backends='nunpy' is unknown, expected names out of \['numpy', ",
        ),
        ({"backends": ["numpy", "numpy"]}, "expected one or more, none twice"),
        ({"backends": []}, "expected one or more, none twice"),
        ({"steps": 0}, "steps=0 is not possible, expected a multiple of 10"),
        ({"steps": 25}, "steps=25 is not possible, expected a multiple of 10"),
        ({"hidden": (0,)}, r"hidden=\(0,\) is not possible, expected whole numbers of 1"),
        ({"hidden": 5}, r"hidden=5 is not possible, expected .* in a sequence, as in \(32,\)"),
        ({"hidden": "5"}, "hidden='5' is not possible, expected whole numbers of 1 or more"),
        ({"steps": "20"}, "steps='20' is not possible, expected a multiple of 10"),
        ({"activation": "sigmoid"}, r"activation='sigmoid' is not possible, expected one of"),
        ({"optimizer": "lion"}, r"optimizer='lion' is not possible, expected one of \['gradient_d"),
        ({"seed": -1}, "seed=-1 is not possible, expected a whole number of 0 or more"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parity(**arguments)


def test_the_name_stays_a_function_once_it_was_used() -> None:
    assert fastmlp.parity is parity
    assert fastmlp.parity is parity, "a package of the same name has taken its place"
    assert "fastmlp.parity" not in sys.modules


# --- the command line ---


def run(*options: str) -> int:
    try:
        return cli.main(["parity", *options])
    except SystemExit as exit_:
        return int(exit_.code or 0)


def test_the_command_prints_the_table_and_writes_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "parity.json"
    assert run("--backends", "numpy", "--steps", "20", "--hidden", "", "--json", str(file)) == 0
    assert "64-10, tanh, seed 0." in capsys.readouterr().out
    values = json.loads(file.read_text())
    assert values["schema_version"] == 1
    assert values["training"]["hidden"] == []
    assert [row["verdict"] for row in values["rows"]] == ["holds", "holds"]
    assert {row["precision"] for row in values["missing"]} == {"tf32", "bfloat16"}
    assert [path.name for path in file.parent.iterdir()] == ["parity.json"]


def test_the_command_ends_with_1_where_one_exceeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = SABOTAGE["exp is off by 1e-3"]()
    monkeypatch.setattr(measure, "get_backend", lambda name, precision="float32": wrong)
    assert run("--backends", "numpy", "--steps", "20") == 1
    assert "exceeds" in capsys.readouterr().out


def test_the_command_ends_with_1_where_nothing_ran() -> None:
    if backend_status("cupy").available:
        pytest.skip("there is a GPU here")
    assert run("--backends", "cupy", "--steps", "20") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backends", "nunpy"], "backends='nunpy' is unknown"),
        (["--backends", ""], "expected one or more"),
        (["--steps", "7"], "steps=7 is not possible"),
        (["--json", "/dev/null/parity.json"], "--json /dev/null cannot be made"),
    ],
)
def test_bad_options_are_one_line_and_exit_2(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*options) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
