"""The loop of NumPy's record plays what it traced: bit for bit what the formulas compute."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import BOUNDED_LOSSES, leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import get_backend, numpy_loop, python_scan
from fastmlp.core import adam, gradient_descent, momentum, nesterov
from fastmlp.training import Epoch, draw_params

NUMPY = get_backend("numpy")
XP: Any = NUMPY.xp
AS_WRITTEN = python_scan(XP)
OPTIMIZERS = (gradient_descent(), momentum(0.8), nesterov(0.8), adam(0.8, 0.9, 1e-6))


def assert_same_bits(got: Any, wanted: Any) -> None:
    for new, old in zip(leaves(got), leaves(wanted), strict=True):
        assert np.shape(new) == np.shape(old)
        assert np.asarray(new).dtype == np.asarray(old).dtype
        np.testing.assert_array_equal(new, old)


def compare(f: Callable[..., Any], carry: Any, xs: Any, shared: Any = ()) -> None:
    """The scan of the record against the loop in Python, twice: the second one finds the plan."""
    before = [np.array(leaf) for leaf in leaves((carry, xs, shared))]
    wanted = AS_WRITTEN(f, carry, xs, shared)
    for _ in range(2):
        assert_same_bits(NUMPY.scan(f, carry, xs, shared), wanted)
    assert_same_bits(tuple(leaves((carry, xs, shared))), tuple(before))


def draw(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def keep_values(to: list[dict[str, float]], epoch: Epoch) -> None:
    to.append(epoch.values)


# --- whole trainings ---


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", BOUNDED_LOSSES)
def test_training_gives_the_bits_of_the_formulas(loss: str, dtype: str) -> None:
    X, y = make_problem(loss, 70)
    for optimizer, l2 in product(OPTIMIZERS, (0.0, 0.1)):
        recipe = make_recipe(loss, ("relu", "tanh", "logistic", "identity"), optimizer, l2)
        trained, reports = [], []
        # records of their own: no plan of another test
        for scan in (numpy_loop.traced_scan(XP), AS_WRITTEN):
            trainer = make_trainer(
                recipe,
                backend=replace(NUMPY, scan=scan),
                params=draw_params((7, 5, 5, 4, 6, 3), 0),
                dtype=dtype,
            )
            values: list[Any] = []
            trainer.run(X, y, orders(70, 3), partial(keep_values, values))
            trained.append(trainer.params())
            reports.append(values)
        assert_same_bits(*trained)
        assert reports[0] == reports[1]


def test_bytes_are_scaled_alike() -> None:
    recipe = make_recipe("softmax_cross_entropy", ("relu",), scale=1 / 255)
    X, y = make_problem("softmax_cross_entropy", 70)
    X = np.abs(50 * X).astype(np.uint8)
    trained = []
    for scan in (NUMPY.scan, AS_WRITTEN):
        trainer = make_trainer(recipe, backend=replace(NUMPY, scan=scan), dtype="float32")
        trainer.run(X, y, orders(70, 3))
        trained.append(trainer.params())
    assert_same_bits(*trained)


def test_formulas_run_once_for_each_shape() -> None:
    calls: list[int] = []

    def f(carry: Any, x: Any, shared: Any) -> Any:
        calls.append(1)
        return carry + x, (carry,)

    for _ in range(3):
        NUMPY.scan(f, draw(4), draw(6, 4), ())
    assert len(calls) == 1
    NUMPY.scan(f, draw(5), draw(6, 5), ())
    NUMPY.scan(f, draw(5).astype("float32"), draw(6, 5), ())  # float64 comes out: not traceable
    assert len(calls) == 2 + 1 + 6


def test_a_step_moves_no_parameter_and_keeps_little_memory() -> None:
    recipe = make_recipe("softmax_cross_entropy", ("relu",), adam())
    plans: list[Any] = []
    plan = numpy_loop._plan

    def keep(*args: Any) -> Any:
        plans.append(plan(*args))
        return plans[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_loop, "_plan", keep)
        trainer = make_trainer(recipe, backend=replace(NUMPY, scan=numpy_loop.traced_scan(XP)))
        trainer.run(*make_problem("softmax_cross_entropy", 70), orders(70, 1))
    (found,) = plans
    (_, outputs), n_carry = found.trace, len(leaves(trainer.carry))
    assert [found.slot_of[number] for number in outputs[:n_carry]] == list(range(n_carry))
    n_weights = sum(slot.shape == (7, 5) for slot in found.slots)
    assert n_weights == 5, "W, its two means, its gradient and one array to work with"


# --- bodies of every kind ---

W = draw(3, 3)
BODIES: dict[str, Callable[..., Any]] = {
    "swaps": lambda c, x, s: ((c[1], c[0]), (c[0],)),
    "turns": lambda c, x, s: ((c[0].T, c[1] + x), ()),
    "keeps": lambda c, x, s: (c, (x, s[0])),
    "gives one twice": lambda c, x, s: ((c[0] + c[1], c[0] + c[1]), (c[0], c[0] + c[1])),
    "gives one in two places": lambda c, x, s: (2 * (c[0] * c[1],), ()),
    "crosses": lambda c, x, s: ((c[1] * 2.0, c[0] * 2.0), ()),
    "shows a row": lambda c, x, s: ((c[0] - c[0][0], c[1]), (c[0][1], c[0][2])),
    "shows what it changes": lambda c, x, s: ((c[0] * c[0].T, c[1] - c[1][:1]), (c[0].T,)),
    "has constants": lambda c, x, s: ((c[0] + W, XP.zeros_like(c[1]) + 1.0), (W,)),
    "forgets": lambda c, x, s: ((W, c[1] + x), ()),
    "wastes": lambda c, x, s: ((c[0] + 1.0, c[1]), ()) if XP.exp(c[1]).shape else (),
    "multiplies": lambda c, x, s: ((c[0] @ s[0] * 0.1, (s[0].T @ c[1]) * 0.1), (x @ c[0] @ x,)),
    "reduces": lambda c, x, s: (
        (c[0] - XP.max(c[0], axis=1, keepdims=True), c[1] / (1.0 + XP.sum(c[1] * c[1]))),
        (XP.sum(c[0]), XP.argmax(c[1], axis=1), XP.all(c[0] > 0.0, axis=0)),
    ),
    "reshapes": lambda c, x, s: (
        (XP.reshape(XP.reshape(c[0], (-1,)) * 0.5, (3, 3)), c[1]),
        (XP.reshape(c[0].T, (9,)),),  # needs a copy
    ),
    "casts": lambda c, x, s: (
        (XP.astype(XP.astype(c[0], "float32"), "float64"), c[1] * XP.astype(c[0] > 0.0, "int8")),
        (XP.astype(c[0], "float64", copy=False), 2 - c[0] > 1),
    ),
    "decides by a value": lambda c, x, s: ((c[0] if XP.sum(c[0]) > 0 else -c[0], c[1]), ()),
    "counts in Python": lambda c, x, s: ((c[0] + float(x[0]), c[1]), (int(x[1]),)[:0]),
    "calls methods": lambda c, x, s: ((c[0] - c[0].mean(), c[1]), (c[1].sum(axis=0),)),
    "sorts": lambda c, x, s: ((np.sort(c[0]), c[1]), (np.linalg.norm(c[1]),)),
    "writes out": lambda c, x, s: ((np.add(c[0], 1.0, out=np.empty((3, 3))), c[1]), ()),
    "picks": lambda c, x, s: ((XP.take(s[0], np.asarray([2, 0, 1]), axis=0), c[1] + c[0]), ()),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_of_every_kind(name: str) -> None:
    compare(BODIES[name], (draw(3, 3, seed=1), draw(3, 3, seed=2)), draw(5, 3), (draw(3, 3),))


def test_what_is_a_view_depends_on_the_memory() -> None:
    def flattens(carry: Any, x: Any, shared: Any) -> Any:
        turned = carry.T * 0.5
        return carry * 0.5 + x, (XP.reshape(turned.T, (6,)), XP.reshape(carry, (6,)))

    orders: Any = ("C", "F")
    for order, other in product(orders, orders):
        carry: Any = np.array(draw(2, 3), order=order)
        xs: Any = np.array(draw(4, 2, 3), order=other)
        assert_same_bits(NUMPY.scan(flattens, carry, xs, ()), AS_WRITTEN(flattens, carry, xs, ()))

    def flattens_shared(carry: Any, x: Any, shared: Any) -> Any:
        return carry + XP.reshape(shared, (6,)), (x,)

    for order in orders:
        compare(flattens_shared, draw(6), draw(4), np.array(draw(2, 3), order=order))


def test_functions_get_the_numbers_that_they_want() -> None:
    def f(carry: Any, x: Any, shared: Any) -> Any:
        return np.ldexp(carry, -1), (np.float_power(carry, 0.1), carry**2, 2 * x, True * carry)

    compare(f, draw(3).astype("float32") ** 2, np.arange(5))


def test_fixed_rows_may_be_counted_from_the_end_and_must_be_there() -> None:
    def f(carry: Any, x: Any, shared: Any) -> Any:
        return carry + XP.take(shared, np.asarray([-1, 0]), axis=0), ()

    compare(f, draw(2, 3), draw(5), draw(4, 3))
    with pytest.raises(IndexError):
        NUMPY.scan(f, draw(2, 3), draw(5), draw(0, 3))


def test_numbers_of_python_do_not_widen_what_has_no_dimensions() -> None:
    def f(carry: Any, x: Any, shared: Any) -> Any:
        return carry + 2, (carry * 3, x - 1)

    compare(f, np.int8(1), np.arange(5, dtype=np.int16))


def test_rows_may_be_numbers_and_carries_without_dimensions() -> None:
    def f(carry: Any, i: Any, shared: Any) -> Any:
        a, t = carry
        return (a + XP.take(shared, i, axis=0), t * 0.5 + 1.0), (t, XP.exp(-t))

    compare(f, (draw(4), np.float32(3.0)), np.asarray([2, 0, 1, 1, 2]), draw(3, 4))


def test_an_error_of_the_body_comes_through() -> None:
    def f(carry: Any, x: Any, shared: Any) -> Any:
        raise ZeroDivisionError("in the body")

    with pytest.raises(ZeroDivisionError, match="in the body"):
        NUMPY.scan(f, draw(3), draw(5, 3), ())


def test_threads_do_not_share_memory() -> None:
    def f(carry: Any, x: Any, shared: Any) -> Any:
        return XP.tanh(carry @ shared + x), (XP.sum(carry),)

    xs, shared = draw(400, 60), draw(60, 60)
    starts = [draw(60, seed=seed) for seed in range(8)]
    wanted = [AS_WRITTEN(f, start, xs, shared) for start in starts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: NUMPY.scan(f, start, xs, shared), starts))
    for got, expected in zip(found, wanted, strict=True):
        assert_same_bits(got, expected)


def backwards(a: Any) -> Any:
    """Return a view, or where its product has other last bits than that of a copy, a copy."""
    is_multiplied_by_blas = np.lib.NumpyVersion(np.__version__) >= "2.3.0"
    return a[::-1] if is_multiplied_by_blas else a[::-1] + 0.0


UNARY = (lambda a: a.T, lambda a: -a, XP.tanh, lambda a: a * 0.5, backwards, XP.abs)
BINARY = (
    lambda a, b: a + b,
    lambda a, b: 0.1 * (a @ b),
    lambda a, b: a - XP.max(b, axis=0),
    lambda a, b: XP.maximum(a, b),
    lambda a, b: a * XP.astype(b > 0.0, "float64"),
)
step = st.tuples(st.integers(0, 10), st.integers(0, 99), st.integers(0, 99))


@given(st.lists(step, max_size=12), st.lists(st.integers(0, 99), min_size=5, max_size=5))
def test_any_program_plays_as_it_is_written(
    program: list[tuple[int, int, int]], picks: list[int]
) -> None:
    def f(carry: Any, x: Any, shared: Any) -> Any:
        values = [*carry, x, shared]
        for op, i, j in program:
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(UNARY[op](a) if op < len(UNARY) else BINARY[op - len(UNARY)](a, b))
        chosen = [values[-1 - pick % len(values)] for pick in picks]
        return tuple(chosen[:3]), tuple(chosen[3:])

    carry = tuple(draw(3, 3, seed=seed) for seed in range(3))
    compare(f, carry, draw(4, 3, 3), draw(3, 3, seed=9))
