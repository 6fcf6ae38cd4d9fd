"""The gallery: each lesson runs, draws what its page says, and its picture is not older than it."""

from __future__ import annotations

import os
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "docs" / "gallery"
IMAGES = ROOT / "docs" / "images"
DERIVATION = (ROOT / "docs" / "derivation.md").read_text(encoding="utf-8")
LESSONS = ["overtraining", "partial_dependence", "regularization", "training_curves", "weights"]
PICTURES = [*LESSONS, "weights-mnist"]
lessons = pytest.mark.parametrize("name", LESSONS)


def text_of(name: str) -> str:
    return (GALLERY / name).read_text(encoding="utf-8")


@pytest.fixture
def draw() -> Iterator[Any]:
    """Give a function that runs a lesson with little work."""
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot as plt

    yield lambda name, **more: lesson(name)["main"](quick=True, **more)
    plt.close("all")


def lesson(name: str) -> dict[str, Any]:
    return runpy.run_path(str(GALLERY / f"plot_{name}.py"))


def labels(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ------------------------------------------------------------------------------ pages and pictures


def test_there_is_a_lesson_for_each_page_and_no_other() -> None:
    assert sorted(path.stem for path in GALLERY.glob("plot_*.py")) == [f"plot_{n}" for n in LESSONS]
    assert sorted(path.stem for path in GALLERY.glob("*.md")) == sorted(["index", *LESSONS])
    pictures = sorted(path.stem for path in IMAGES.glob("gallery-*"))
    assert pictures == sorted(f"gallery-{name}" for name in PICTURES)


@lessons
def test_a_page_shows_the_program_and_its_picture(name: str) -> None:
    page = text_of(f"{name}.md")
    assert f"```{{literalinclude}} plot_{name}.py\n" in page
    assert f"](../images/gallery-{name}.png)" in page
    assert f"]({name}.md)" in text_of("index.md")
    assert re.search(rf"^{name}$", text_of("index.md"), re.MULTILINE), "not in the toctree"


@lessons
def test_equations_that_are_named_are_there(name: str) -> None:
    script, page = text_of(f"plot_{name}.py"), text_of(f"{name}.md")
    links = re.findall(r"\[eq\. (\d+)\]\(\.\./derivation\.md#eq-(\d+)\)", page)
    assert links
    assert all(said == linked for said, linked in links)
    assert page.count("eq. ") == len(links), "an equation without a link"
    for number in {*re.findall(r"eq\. (\d+)", script), *(said for said, _ in links)}:
        assert f'<a id="eq-{number}"></a>' in DERIVATION


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_and_drawn_by_its_program(name: str) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    path = IMAGES / f"gallery-{name}.png"
    script = GALLERY / f"plot_{name.removesuffix('-mnist')}.py"
    assert path.stat().st_size < 100_000
    with Image.open(path) as image:
        assert image.width >= 1000
        made_by: dict[str, str] = image.text  # type: ignore[attr-defined]
    digest = runpy.run_path(str(GALLERY / "__main__.py"))["digest"]
    again = "FASTMLP_DATA=FOLDER nox -s gallery"
    assert made_by == {"script": script.name, "sha256": digest(script)}, f"run {again}"


@lessons
def test_without_a_display_the_picture_is_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot as plt

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    head, tail = text_of(f"plot_{name}.py").split('if __name__ == "__main__":')
    quick = re.sub(r"main\(.*\)", "main(quick=True)", tail)
    code = compile(f"{head}if True:{quick}", name, "exec")
    exec(code, {"__name__": "lesson"})
    plt.close("all")
    assert capsys.readouterr().out == f"no display, see {name}.png\n"
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


# ---------------------------------------------------------------------------- what the lessons draw


@lessons
def test_axes_say_what_they_show(draw: Any, name: str) -> None:
    for ax in draw(name).axes:
        if ax.images:
            assert not len(ax.get_xticks()), "pixels need no numbers"
        elif ax.get_label() == "<colorbar>":
            assert ax.get_xlabel() or ax.get_ylabel()
        else:  # shared axes have their numbers at the edge, and only there
            assert ax.get_xlabel() or not ax.xaxis.get_tick_params()["labelbottom"]
            assert ax.get_ylabel() or not ax.yaxis.get_tick_params()["labelleft"]


def test_regularization(draw: Any) -> None:
    *surfaces, weights = draw("regularization").axes
    remedies = [ax.get_title().partition("\n")[0] for ax in surfaces]
    assert remedies == ["nothing", "alpha=0.1 (L2)", "l1=0.01", "dropout=0.5", "max_norm=1"]
    assert labels(weights) == remedies
    for ax in surfaces:
        points = sum(len(found.get_offsets()) for found in ax.collections[-2:])
        assert points == 80
        assert re.search(r"train \d+%, test \d+\.\d%$", ax.get_title())
    curves = [line.get_xdata() for line in weights.lines]
    assert not any(np.array_equal(curves[0], other) for other in curves[1:]), "a remedy did nothing"


def test_training_curves(draw: Any) -> None:
    axes = draw("training_curves").axes
    assert [len(ax.lines) for ax in axes] == [5, 5, 4, 4]
    for ax in axes:
        assert ax.get_yscale() == "log"
        curves = [line.get_ydata() for line in ax.lines]
        assert all(len(curve) == 3 and np.isfinite(curve).all() for curve in curves)
        assert len({tuple(curve) for curve in curves}) == len(curves), "two settings, one curve"
    for learnt, other in zip(axes[::2], axes[1::2], strict=True):
        pairs = zip(learnt.lines, other.lines, strict=True)
        assert not any(np.array_equal(a.get_ydata(), b.get_ydata()) for a, b in pairs)
    names = [text.partition(":")[0] for ax in axes[1::2] for text in labels(ax)]
    assert names[:5] == ["sgd", "momentum", "Nesterov", "adam", "adamw"]
    assert names[5:] == ["constant", "cosine", "cosine, warm-up", "one_cycle"]


def check_weights(fig: Any, image_shape: tuple[int, int]) -> None:
    images = [ax.images[0] for ax in fig.axes if ax.images]
    assert len(images) == 40
    assert all(image.get_array().shape == image_shape for image in images)
    (colours,) = {image.get_clim() for image in images}  # comparable, and white is 0
    assert colours[0] == -colours[1] < 0
    lengths = [float(np.linalg.norm(image.get_array())) for image in images]
    for half in (lengths[:20], lengths[20:]):
        assert half == sorted(half, reverse=True)


def test_weights_of_the_digits(draw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTMLP_DATA", "/no/such/folder")  # that is for the program, not for main
    check_weights(draw("weights"), (8, 8))


@pytest.mark.skipif(
    not os.environ.get("FASTMLP_DATA"), reason="FASTMLP_DATA names no folder with MNIST"
)
def test_weights_of_mnist(draw: Any) -> None:
    check_weights(draw("weights", data_dir=os.environ["FASTMLP_DATA"]), (28, 28))


def test_partial_dependence(draw: Any) -> None:
    *curves, surface, bar = draw("partial_dependence").axes
    assert labels(curves[0])[1].startswith("2 networks, test $R^2$ ")
    for ax in curves:
        *patients, first, second, line = [np.asarray(found.get_ydata()) for found in ax.lines]
        assert len(patients) == 34
        assert not np.allclose(first, second), "two seeds, one network"
        assert np.ptp(np.diff(line)) < 1e-6, "the straight line is not straight"
    assert bar.get_ylabel() == curves[0].get_ylabel()
    (patients,) = surface.lines
    assert len(patients.get_xdata()) == 332


def test_overtraining(draw: Any) -> None:
    losses, curves = draw("overtraining").axes
    validation, training, truth, best, stopped = losses.lines
    assert len(validation.get_xdata()) == len(training.get_xdata()) == 60
    assert truth.get_ydata()[0] == pytest.approx(0.045)
    assert best.get_ydata()[0] in validation.get_ydata()
    assert best.get_xdata()[0] <= stopped.get_xdata()[0]
    assert labels(curves)[:2] == ["learnt from", "the truth"]


def test_a_training_that_stops_early_is_the_same_until_then() -> None:
    """As the page on overtraining says, and that its best epoch is the one with the least loss."""
    pytest.importorskip("matplotlib")
    from fastmlp import MLPRegressor

    noisy = lesson("overtraining")["noisy"]
    (X, y), (X_val, y_val) = noisy(40, seed=0), noisy(200, seed=1)
    settings: dict[str, Any] = {"learning_rate_init": 0.1, "max_iter": 60, "random_state": 0}
    settings |= {"tol": 0, "hidden_layer_sizes": (20,)}
    whole = MLPRegressor(**settings, n_iter_no_change=np.inf)
    whole.fit(X, y, X_val=X_val, y_val=y_val)
    stopped = MLPRegressor(**settings, n_iter_no_change=5, early_stopping=True)
    stopped.fit(X, y, X_val=X_val, y_val=y_val)
    n = stopped.n_iter_
    assert n < 60
    assert stopped.history_["val_loss"] == whole.history_["val_loss"][:n]
    best = np.argmax(stopped.validation_scores_)
    assert best == np.argmin(stopped.history_["val_loss"])
    error = 0.5 * np.mean((stopped.predict(X_val) - y_val) ** 2)
    assert error == pytest.approx(stopped.history_["val_loss"][best])
