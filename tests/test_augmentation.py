"""Images that are moved: the same ones everywhere, in the right direction, and what is learnt."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from problems import leaves, make_recipe, orders

from fastmlp import core
from fastmlp.backends import Backend, get_backend, numpy_loop
from fastmlp.core import Augmentation, Recipe, adam, chance
from fastmlp.core.augmentation import LAYER, elastic_basis, interpolated, moved
from fastmlp.data import load_digits
from fastmlp.training import Trainer, draw_params, one_hot
from fastmlp.training.chance import place_grid
from fastmlp.training.lbfgs import minimize

XP: Any = np
SHAPE = 6, 5
SIZES = 30, 7, 3
N = 70
EVERYTHING = Augmentation(
    SHAPE, shift_px=1.5, rotation_deg=40.0, scale=0.3, elastic_px=1.2, elastic_points=3
)
KINDS = {
    "nothing": Augmentation(SHAPE),
    "shift": Augmentation(SHAPE, shift_px=2.5),
    "rotation": Augmentation(SHAPE, rotation_deg=180.0),
    "scale": Augmentation(SHAPE, scale=0.5),
    "elastic": Augmentation(SHAPE, elastic_px=3.0, elastic_points=4),
    "everything": EVERYTHING,
}
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


# --- the equations once more, pixel by pixel, in Python's own numbers ---


def scattered(v: int) -> int:
    """Equation (35)."""
    v = ((v ^ (v >> 16)) * 2146121005) % 2**32
    v = ((v ^ (v >> 15)) * 2221713035) % 2**32
    return v ^ (v >> 16)


def drawn(seed: int, t: int, row: int, unit: int) -> float:
    """Equations (34) and (45), with -1 for the layer."""
    key = scattered((scattered((scattered(seed % 2**32) + t) % 2**32) - 1) % 2**32)
    u = scattered((scattered((key + row) % 2**32) + 2654435769 * unit) % 2**32)
    return ((u >> 8) - 2**24 * (u >= 2**31)) / 2**23


def source(a: Augmentation, seed: int, t: int, row: int, i: int, j: int) -> tuple[float, float]:
    """Equations (46) and (47): where the pixel in line i and column j comes from."""
    height, width = a.shape
    y, x = i - (height - 1) / 2, j - (width - 1) / 2
    p = a.elastic_points
    places = [(k + 0.5) / p - 0.5 for k in range(p)]
    near = [
        math.exp(-2 * p**2 * ((y / height - down) ** 2 + (x / width - right) ** 2))
        for down in places
        for right in places
    ]
    bent = (
        [
            sum(e * drawn(seed, t, row, 4 + side * p**2 + unit) for unit, e in enumerate(near))
            / sum(near)
            for side in (0, 1)
        ]
        if a.elastic_px
        else [0.0, 0.0]
    )
    y -= a.shift_px * drawn(seed, t, row, 0) + a.elastic_px * bent[0]
    x -= a.shift_px * drawn(seed, t, row, 1) + a.elastic_px * bent[1]
    angle = math.radians(a.rotation_deg) * drawn(seed, t, row, 2)
    growth = 1 + a.scale * drawn(seed, t, row, 3)
    back = (x + 1j * y) * complex(math.cos(angle), math.sin(angle)) / growth
    return back.imag + (height - 1) / 2, back.real + (width - 1) / 2


def between(image: NDArray[Any], row: float, column: float) -> float:
    """Equation (48): each pixel counts by how near it is."""
    i, j = np.indices(image.shape)
    near = np.maximum(1 - abs(row - i), 0) * np.maximum(1 - abs(column - j), 0)
    return float((near * image).sum())


def expected_images(
    a: Augmentation, X: NDArray[Any], rows: Any, t: int, seed: int
) -> NDArray[np.float64]:
    pixels = list(np.ndindex(a.shape))
    return np.asarray(
        [
            [between(x.reshape(a.shape), *source(a, seed, t, row, i, j)) for i, j in pixels]
            for x, row in zip(X, np.asarray(rows).tolist(), strict=True)
        ]
    )


# --- images ---


def images(
    backend: Backend,
    a: Augmentation,
    X: NDArray[Any],
    rows: Any,
    t: int = 3,
    seed: int = 5,
    dtype: str = "float64",
) -> NDArray[Any]:
    """What becomes of X, on the host."""
    place = backend.to_device
    grid = place_grid(backend, a, seed, dtype)
    x = place(X, "uint8" if X.dtype == np.uint8 else dtype)
    given = x, place(np.asarray(rows), "int32"), place(np.asarray(float(t)), dtype), grid
    program = backend.jit(lambda x, rows, t, grid: core.augment(backend.xp, a, x, rows, t, grid))
    return np.asarray(backend.to_host(program(*given)))


def random_images(n: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(size=(n, SHAPE[0] * SHAPE[1]))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", KINDS)
def test_images_are_those_of_the_equations(backend: Backend, name: str, dtype: str) -> None:
    a, X, rows = KINDS[name], random_images(4), [0, 3, 69, 2**31 - 1]
    for seed, t in ((0, 0), (2**32 - 1, 12345)):
        found = images(backend, a, X, rows, t, seed, dtype)
        assert found.dtype == dtype
        wanted = expected_images(a, X, rows, t, seed)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE[dtype])
        assert (name == "nothing") == np.allclose(found, X, atol=0.01)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nothing_moves_by_nothing(backend: Backend, dtype: str) -> None:
    X = random_images(9).astype(dtype)
    np.testing.assert_array_equal(images(backend, KINDS["nothing"], X, range(9), dtype=dtype), X)


def test_bytes_become_what_numbers_become(backend: Backend) -> None:
    X = np.round(255 * random_images(5)).astype(np.uint8)
    found = images(backend, EVERYTHING, X, range(5), dtype="float32")
    assert found.dtype == np.float32
    as_numbers = images(backend, EVERYTHING, X.astype(np.float32), range(5), dtype="float32")
    np.testing.assert_array_equal(found, as_numbers)


def test_an_image_depends_on_its_row_and_not_on_its_place() -> None:
    X, rows, backend = random_images(N), np.arange(N), get_backend("numpy")
    whole = images(backend, EVERYTHING, X, rows)
    order = np.random.default_rng(1).permutation(N)
    for part in (order[:1], order[1:20], order):
        np.testing.assert_allclose(
            images(backend, EVERYTHING, X[part], part), whole[part], rtol=0, atol=1e-14
        )
    assert not np.allclose(images(backend, EVERYTHING, X, rows, t=4), whole, atol=0.1)
    assert not np.allclose(images(backend, EVERYTHING, X, rows, seed=6), whole, atol=0.1)


# --- directions ---


def moved_by(
    backend: Backend,
    x: NDArray[Any],
    down: float = 0.0,
    right: float = 0.0,
    angle_deg: float = 0.0,
    growth: float = 1.0,
) -> NDArray[Any]:
    """One image (height, width), moved."""
    grid = place_grid(backend, Augmentation(x.shape), 0, "float64")
    numbers = [
        backend.to_device(np.full((1, 1), value), "float64")
        for value in (down, right, math.radians(angle_deg), growth)
    ]
    image = backend.to_device(x.reshape(1, -1), "float64")
    program = backend.jit(lambda *given: moved(backend.xp, given[0], x.shape, *given[1:]))
    return np.asarray(backend.to_host(program(image, grid, *numbers))).reshape(x.shape)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (-1, 0), (0, 3), (0, -2), (2, -1)])
def test_whole_pixels_are_rolled_and_zeros_follow(backend: Backend, down: int, right: int) -> None:
    x = random_images(1).reshape(SHAPE)
    padded = np.pad(x, 9)
    wanted = np.roll(padded, (down, right), axis=(0, 1))[9:-9, 9:-9]
    np.testing.assert_array_equal(moved_by(backend, x, down, right), wanted)


@pytest.mark.parametrize("quarters", [-1, 1, 2, 3])
def test_quarter_turns_go_anticlockwise(backend: Backend, quarters: int) -> None:
    x = random_images(1)[:, :25].reshape(5, 5)
    turned = moved_by(backend, x, angle_deg=90 * quarters)
    np.testing.assert_allclose(turned, np.rot90(x, quarters), rtol=0, atol=1e-13)


def test_growth_is_from_the_centre_and_shifts_come_last(backend: Backend) -> None:
    x = np.zeros((9, 9))
    x[4, 4], x[2, 4], x[4, 5] = 3.0, 2.0, 1.0
    large = moved_by(backend, x, growth=2.0)
    assert (large[4, 4], large[0, 4], large[4, 6]) == (3.0, 2.0, 1.0)
    aside = moved_by(backend, x, right=1, angle_deg=90, growth=2.0)  # the 1 is above, the 2 left
    found = aside[4, 5], aside[4, 1], aside[2, 5]
    np.testing.assert_allclose(found, (3.0, 2.0, 1.0), rtol=0, atol=1e-12)


def test_nothing_jumps_where_a_coordinate_crosses_a_pixel() -> None:
    """Least of all at the border, so a rounding in a coordinate stays one in the image."""
    x, eps = random_images(1), 1e-9
    rows, columns = np.meshgrid(np.arange(-3, 9) * 0.5, np.arange(-3, 8) * 0.5)
    at = [XP.reshape(array, (1, -1)) for array in (rows, columns)]

    def shown(down: float, right: float) -> NDArray[Any]:
        n = at[0].shape[1]
        copies = XP.asarray(np.repeat(x, n, axis=0))
        row, column = (XP.reshape(a + d, (n, 1)) for a, d in zip(at, (down, right), strict=True))
        return np.asarray(interpolated(XP, copies, SHAPE, row, column, np.int32))

    here = shown(0.0, 0.0)
    assert (here > 0.0).mean() > 0.5
    for down, right in ((eps, 0.0), (-eps, 0.0), (0.0, eps), (0.0, -eps), (eps, -eps)):
        np.testing.assert_allclose(shown(down, right), here, rtol=0, atol=3 * eps)


# --- what is drawn ---


def numbers(seed: int, t: int, n_rows: int, n: int, dtype: Any = np.float64) -> NDArray[Any]:
    made_of = core.Chance(XP.asarray([seed], dtype=np.int32), XP.arange(n, dtype=np.int32))
    key = chance.mix(chance.key_of_step(XP, made_of, XP.asarray(float(t))) + LAYER)
    words = chance.words(XP, key, XP.arange(n_rows, dtype=np.int32), made_of.units)
    return np.asarray(chance.uniform(XP, words, dtype))


def test_numbers_are_uniform_and_independent() -> None:
    found = [numbers(seed, t, 2000, 8) for seed in (0, 1) for t in (0, 1)]
    for v in found:
        assert -1.0 <= v.min() < -0.999
        assert 0.999 < v.max() < 1.0
        counts = np.histogram(v, bins=64, range=(-1, 1))[0]
        chi_square = ((counts - v.size / 64) ** 2).sum() / (v.size / 64)
        assert abs(chi_square - 63) < 5 * np.sqrt(2 * 63)
        assert abs(v.mean()) < 5 / np.sqrt(3 * v.size)
        for i, j in combinations(range(8), 2):
            assert abs((v[:, i] * v[:, j]).mean()) < 5 / 3 / np.sqrt(len(v))
    for a, b in combinations(found, 2):
        assert abs((a * b).mean()) < 5 / 3 / np.sqrt(a.size)


def test_numbers_are_the_same_in_either_dtype() -> None:
    wide, narrow = (numbers(3, 4, 500, 8, dtype) for dtype in (np.float64, np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_array_equal(wide, narrow)


def test_masks_of_dropout_are_drawn_apart() -> None:
    made_of = core.Chance(XP.asarray([3], dtype=np.int32), XP.arange(8, dtype=np.int32))
    step = chance.key_of_step(XP, made_of, XP.asarray(4.0))
    rows = XP.arange(5000, dtype=np.int32)
    ours = numbers(3, 4, 5000, 8)
    for layer in range(4):
        words = chance.words(XP, chance.mix(step + layer), rows, made_of.units)
        theirs = np.asarray(chance.uniform(XP, words, np.float64))
        assert abs((ours * theirs).mean()) < 5 / 3 / np.sqrt(ours.size)


def test_no_pixel_is_bent_further_than_said() -> None:
    shape = 12, 20
    a = Augmentation(shape, elastic_px=1.0, elastic_points=4)
    grid: Any = place_grid(get_backend("numpy"), a, 0, "float64")
    basis = np.asarray(elastic_basis(XP, a, grid.down, grid.right))
    assert basis.shape == (16, 240)
    np.testing.assert_allclose(basis.sum(axis=0), 1.0)
    assert basis.min() >= 0.0
    v = numbers(0, 0, 500, 36)
    bent = (v[:, 4:20] @ basis).reshape(-1, *shape)
    assert 0.7 < abs(bent).max() <= 1.0
    assert bent.std() > 0.3
    for axis, length in ((1, 12), (2, 20)):  # from one point to the next: length / 4 pixels
        assert abs(np.diff(bent, axis=axis)).max() < 2.4 / (length / 4)
    # a point rules what lies around it: the first one the upper left corner
    assert np.argmax(basis, axis=0).reshape(shape)[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [
        *(0, 3),
        *(12, 15),
    ]


# --- training ---

RECIPE = make_recipe("softmax_cross_entropy", ("tanh",), adam())._replace(
    augmentation=EVERYTHING, dropout=(0.2, 0.0)
)


def problem() -> tuple[NDArray[Any], NDArray[Any]]:
    return random_images(N), one_hot(np.random.default_rng(1).integers(3, size=N), 3)


def trained(
    backend: Backend, dtype: str, recipe: Recipe = RECIPE, batch_size: int = 16, epochs: int = 4
) -> Trainer:
    trainer = Trainer(
        backend,
        recipe,
        draw_params(SIZES, 1),
        learning_rate=0.01,
        batch_size=batch_size,
        dtype=dtype,
        seed=2**40 + 9,
    )
    trainer.run(*problem(), orders(N, epochs))
    return trainer


@cache
def expected() -> Any:
    """Weights after the same 20 steps, learnt from images made pixel by pixel."""
    X, y = problem()
    params: Any = draw_params(SIZES, 1)
    recipe = RECIPE._replace(augmentation=None)
    state = recipe.optimizer.init(XP, params)
    carry = core.Carry(params, state, XP.asarray(0.01), XP.asarray(0.0))
    made_of = core.Chance(XP.asarray([9], dtype=np.int32), XP.arange(30, dtype=np.int32))
    t = 0
    for order in orders(N, 4):
        for first in range(0, N, 16):
            rows = order[first : first + 16]
            x: Any = expected_images(EVERYTHING, X[rows], rows, t, 9)
            thinned, x = core.thin(XP, recipe, carry.params, carry.t, x, XP.asarray(rows), made_of)
            carry, _ = core.step(XP, thinned, carry, x, XP.asarray(y[rows]))
            t += 1
    assert t == 20
    return carry.params


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weights_after_20_steps(backend: Backend, dtype: str) -> None:
    for found, wanted in zip(
        leaves(trained(backend, dtype).params()), leaves(expected()), strict=True
    ):
        assert found.dtype == dtype
        assert np.linalg.norm(found - wanted) <= TOLERANCE[dtype] * np.linalg.norm(wanted)


def assert_same(a: Trainer, b: Trainer) -> None:
    for one, other in zip(leaves(a.params()), leaves(b.params()), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_blocks_of_a_large_batch_are_moved_as_the_batch() -> None:
    backend = get_backend("numpy")
    small = replace(backend, block_rows=9)
    assert_same(*(trained(one, "float64", batch_size=50) for one in (backend, small)))


def test_numpy_plays_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Any] = []
    plan = numpy_loop._plan

    def noted(*args: Any) -> Any:
        plans.append(plan(*args))
        return plans[-1]

    monkeypatch.setattr(numpy_loop, "_plan", noted)
    trained(get_backend("numpy"), "float32", RECIPE._replace(l1=0.125))  # not compiled so before
    assert plans
    assert None not in plans


def test_columns_without_values_are_filled_by_their_neighbours() -> None:
    X, y = problem()
    X[:, :6] = 0.0
    backend = replace(get_backend("numpy"), column_block=1)
    recipe = make_recipe("softmax_cross_entropy", ("tanh",))
    moving = trained(backend, "float64", recipe._replace(augmentation=EVERYTHING))
    assert moving.place(X, y).columns is None
    assert trained(backend, "float64", recipe).place(X, y).columns is not None


def test_images_are_not_moved_in_evaluation_and_prediction() -> None:
    trainer = trained(get_backend("numpy"), "float64")
    still = Trainer(
        trainer.backend,
        RECIPE._replace(augmentation=None),
        trainer.params(),
        learning_rate=0.01,
        batch_size=16,
        dtype="float64",
    )
    X, y = problem()
    np.testing.assert_array_equal(trainer.predict(X), still.predict(X))
    assert trainer.evaluate(X, y) == still.evaluate(X, y)


def test_training_goes_on_with_the_images_that_it_would_have_had() -> None:
    by_and_by = trained(get_backend("numpy"), "float64", epochs=1)
    for order in orders(N, 4)[1:]:
        by_and_by.run(*problem(), [order])
    assert_same(by_and_by, trained(get_backend("numpy"), "float64"))


def test_equal_augmentations_are_one_program() -> None:
    backend = get_backend("numpy")
    of_numpy = Augmentation(
        (np.int64(6), 5),  # type: ignore[arg-type]
        np.float64(1.5),
        np.float64(40),
        np.float64(0.3),
        np.float64(1.2),
        np.int32(3),  # type: ignore[arg-type]
    )
    trainers = [
        trained(backend, "float32", RECIPE._replace(augmentation=a)) for a in (EVERYTHING, of_numpy)
    ]
    assert trainers[0]._programs is trainers[1]._programs
    assert type(trainers[1].recipe.augmentation.shift_px) is float  # type: ignore[union-attr]


def test_digits_that_stand_elsewhere_are_known_better() -> None:
    digits = load_digits()
    X, y = digits.X_train / 16.0, one_hot(digits.y_train, 10)
    aside = np.roll(np.pad(digits.X_test.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1))), 1, axis=2)
    X_aside, y_test = aside[:, 1:-1, 1:-1].reshape(-1, 64) / 16.0, one_hot(digits.y_test, 10)
    accuracies = []
    for augmentation in (None, Augmentation((8, 8), shift_px=1.0)):
        recipe = make_recipe("softmax_cross_entropy", ("relu",), adam())
        trainer = Trainer(
            get_backend("numpy"),
            recipe._replace(augmentation=augmentation),
            draw_params((64, 64, 10), 0),
            learning_rate=0.003,
            batch_size=32,
            dtype="float32",
        )
        trainer.run(X, y, orders(len(X), 30))
        accuracies.append(trainer.evaluate(X_aside, y_test)["accuracy"])
    assert accuracies[1] > accuracies[0] + 0.1


# --- errors ---


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shape": (6, 6)}, r"augmentation\.shape=\(6, 6\) must be .* its 30 features"),
        ({"shape": (30, 1)}, r"augmentation\.shape=\(30, 1\) must be .* at least 2"),
        ({"shape": 30}, r"augmentation\.shape=30 must be height and width"),
        ({"shape": (6.0, 5.0)}, r"augmentation\.shape=\(6\.0, 5\.0\) must be .* whole numbers"),
        ({"shift_px": -1.0}, r"shift_px=-1\.0.* must have sizes of at least 0"),
        ({"rotation_deg": math.nan}, r"rotation_deg=nan.* must have sizes of at least 0"),
        ({"elastic_px": math.inf}, r"elastic_px=inf.* must have sizes of at least 0"),
        ({"shift_px": "2"}, r"shift_px='2'.* must have sizes"),
        ({"scale": 1.0}, r"scale=1\.0.* a scale below 1"),
        ({"elastic_points": 0}, r"elastic_points=0.* a whole number of at least 1"),
        ({"elastic_points": 2.5}, r"elastic_points=2\.5.* a whole number of at least 1"),
    ],
)
def test_augmentations_that_cannot_be(changed: dict[str, Any], message: str) -> None:
    recipe = RECIPE._replace(augmentation=EVERYTHING._replace(**changed))
    with pytest.raises(ValueError, match=message):
        trained(get_backend("numpy"), "float64", recipe)


def test_lbfgs_refuses_images_that_move() -> None:
    trainer = trained(get_backend("numpy"), "float64", RECIPE._replace(dropout=()), epochs=1)
    with pytest.raises(ValueError, match=r"recipe\.augmentation=.* Leave augmentation out, or"):
        minimize(trainer, *problem(), max_iter=2, max_fun=5, tol=1e-3)
