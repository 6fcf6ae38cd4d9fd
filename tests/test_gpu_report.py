"""Result files that are damaged, or of another version: named, refused, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_gpu_page import every_part, report

from bench.gpu import page
from bench.gpu.report import ReportError, complaints, read
from bench.gpu.result_file import SCHEMA_VERSION

WHOLE = json.dumps(report(*every_part()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON, or was cut: Expecting value"),
        (WHOLE[: len(WHOLE) // 2].encode(), "is no JSON, or was cut"),
        (b"\xff\xfe\x00", "is no JSON, or was cut: 'utf-8' codec"),
        (b"[" * 100_000, "is no JSON, or was cut"),
        (WHOLE.replace("1e-05", "NaN").encode(), "NaN is no number of JSON"),
        (b"{}", "schema_version is None, expected 1"),
        (b"[]", "it holds [], expected an object"),
        (b"null", "it holds None, expected an object"),
    ],
)
def test_a_damaged_file_is_named_and_the_page_stays(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    there = tmp_path / "docs" / page.PAGE
    there.write_text("old")
    for name, text in (("good", WHOLE.encode()), ("toy", content)):
        folder = tmp_path / "bench" / "results" / name
        folder.mkdir(parents=True)
        (folder / "gpu.json").write_bytes(text)
    for arguments in ([], ["--check"]):
        assert page.main(arguments, tmp_path) == 2
        complaint, last = capsys.readouterr().err.splitlines()
        assert complaint.startswith(str(tmp_path / "bench" / "results" / "toy" / "gpu.json"))
        assert message in complaint
        assert "Write it again by python -m bench.gpu, or take it away" in complaint
        assert last == f"docs/{page.PAGE} is as it was"
    assert there.read_text() == "old"
    assert [path.name for path in (tmp_path / "docs").iterdir()] == [page.PAGE]


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"cannot be read: Is a directory"):
        read(tmp_path)
    with pytest.raises(ReportError, match=r"x.json cannot be read: No such file"):
        read(tmp_path / "x.json")


def test_a_page_that_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert page.main([], tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_the_protocol_writes_is_accepted() -> None:
    assert not list(complaints(json.loads(WHOLE)))


def changed(at: Callable[[Any], Any], name: str | int, *value: Any) -> Any:
    found = json.loads(WHOLE)
    if value:
        at(found)[name] = value[0]
    else:
        del at(found)[name]
    return found


def first_row(part: int) -> Callable[[Any], Any]:
    return lambda found: found["parts"][part]["rows"][0]


@pytest.mark.parametrize("version", [0, 2, 99, "1", 1.0, True, None])
def test_another_version_is_refused(version: Any) -> None:
    assert SCHEMA_VERSION == 1
    (complaint,) = complaints(changed(lambda found: found, "schema_version", version))
    assert complaint.startswith(f"schema_version is {version!r}, expected 1, the only one")


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (changed(lambda f: f, "quick"), "quick is missing, expected true or false"),
        (changed(lambda f: f, "parts", {}), "parts is {}, expected a list"),
        (changed(lambda f: f, "planned", [1]), "planned is [1], expected a list of texts"),
        (changed(lambda f: f, "card"), "card is missing, expected an object"),
        (
            changed(lambda f: f["card"], "gpu_found", "no"),
            "card.gpu_found is 'no', expected true or false or null",
        ),
        (
            changed(lambda f: f["card"], "versions", [1]),
            "card.versions is [1], expected an object of texts",
        ),
        (changed(lambda f: f["parts"], 0, 3), "parts[0] is 3, expected an object"),
        (
            changed(lambda f: f["parts"][0], "status", "fine"),
            "parts[0].status is 'fine', expected one of ok, failed, timeout, skipped",
        ),
        (
            changed(lambda f: f["parts"][0]["rows"], 0, 3),
            "parts[0] (agree:cupy), row 0 is 3, expected an object",
        ),
        (
            changed(first_row(0), "errors"),
            "parts[0] (agree:cupy), row 0: errors is missing, expected an object of numbers",
        ),
        (
            changed(first_row(0), "errors", {}),
            "parts[0] (agree:cupy), row 0: errors is {}, expected an object of numbers",
        ),
        (
            changed(first_row(2), "step_us", {"median": 0}),
            "parts[2] (speed:jax), row 0: step_us is {'median': 0}, expected an object with a "
            "median above 0",
        ),
        (
            changed(first_row(4), "test_accuracy", True),
            "parts[4] (train:jax), row 0: test_accuracy is True, expected a number",
        ),
        (
            changed(first_row(6), "bytes_per_s", 0),
            "parts[6] (copies:torch), row 0: expected bytes_per_s or flop_per_s, above 0",
        ),
    ],
)
def test_the_field_that_is_wrong_is_named(found: Any, complaint: str) -> None:
    assert list(complaints(found)) == [complaint]


def test_every_single_field_may_be_of_another_kind() -> None:
    """Whatever is put in place of a value, the file is refused or the page is written."""
    whole = json.loads(WHOLE)

    def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
        yield path
        for key in (
            value
            if isinstance(value, dict)
            else range(len(value))
            if (isinstance(value, list))
            else ()
        ):
            yield from places(value[key], (*path, key))

    for path in places(whole):
        for other in (None, True, -1, "", [], {}, [None], {"a": None}):
            found = json.loads(WHOLE)
            if not path:
                found = other
            else:
                at = found
                for key in path[:-1]:
                    at = at[key]
                at[path[-1]] = other
            if not list(complaints(found)):
                assert page.page({"toy": found}).startswith("# Results on a GPU")
