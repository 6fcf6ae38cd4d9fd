"""What must hold for any network, data and weights: found examples, the same in every run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from problems import (
    ACTIVATION_NAMES,
    BOUNDED_LOSSES,
    leaves,
    make_carry,
    make_problem,
    make_recipe,
    orders,
)

from fastmlp import core
from fastmlp.backends import get_backend
from fastmlp.core import LOSSES, Layer, Params, Recipe, adam, momentum
from fastmlp.core.tree import tree_map
from fastmlp.training import Trainer, draw_params

XP: Any = np
EPS = {"float32": float(np.finfo("float32").eps), "float64": float(np.finfo("float64").eps)}


class Network(NamedTuple):
    """A network with data, in one dtype."""

    recipe: Recipe
    params: Params
    X: Any
    y: Any


@st.composite
def networks(draw: st.DrawFn, dtype: str = "float64", min_hidden: int = 0) -> Network:
    sizes = draw(st.lists(st.integers(1, 6), min_size=2 + min_hidden, max_size=5))
    hidden = [draw(st.sampled_from(ACTIVATION_NAMES)) for _ in sizes[1:-1]]
    loss, seed = draw(st.sampled_from(BOUNDED_LOSSES)), draw(st.integers(0, 10**6))
    problem = make_problem(loss, draw(st.integers(1, 9)), sizes[0], sizes[-1], seed)
    params = draw_params(sizes, 10**7 + seed)
    arrays = tree_map(lambda host: host.astype(dtype), (params, *problem))
    return Network(make_recipe(loss, tuple(hidden)), *arrays)


def loss_and_grads(net: Network) -> tuple[Any, Params]:
    trace = core.forward(XP, net.params, net.X, net.recipe.hidden)
    loss, delta = net.recipe.loss.loss_and_delta(XP, trace.logits, net.y, 1.0 / net.X.shape[0])
    return loss, core.backprop(XP, net.params, trace, delta, net.recipe.hidden)


def targets(loss: str, n: int, n_outputs: int, seed: int = 0) -> NDArray[Any]:
    return make_problem(loss, n, n_outputs=n_outputs, seed=seed).y.astype(np.float64)


def assert_close(actual: Any, expected: Any, atol: float = 1e-13) -> None:
    for a, b in zip(leaves(actual), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


# --- batches ---


@given(net=networks())
def test_gradient_of_a_batch_is_the_mean_of_the_gradients_of_its_samples(net: Network) -> None:
    n = net.X.shape[0]
    singles = [
        loss_and_grads(net._replace(X=net.X[i : i + 1], y=net.y[i : i + 1])) for i in range(n)
    ]
    mean = tree_map(lambda *values: sum(values) / n, *singles)
    assert_close(loss_and_grads(net), mean)


@given(net=networks(), seed=st.integers(0, 100))
def test_order_of_the_rows_in_a_batch_does_not_matter(net: Network, seed: int) -> None:
    rows = np.random.default_rng(seed).permutation(net.X.shape[0])
    assert_close(loss_and_grads(net._replace(X=net.X[rows], y=net.y[rows])), loss_and_grads(net))


@given(net=networks(), rate=st.floats(0.01, 1.0), more=st.integers(0, 5))
def test_one_batch_of_all_rows_is_the_full_batch_descent_of_the_lecture(
    net: Network, rate: float, more: int
) -> None:
    n = net.X.shape[0]
    trainer = Trainer(
        get_backend("numpy"),
        net.recipe,
        net.params,
        learning_rate=rate,
        batch_size=n + more,
        dtype="float64",
    )
    trainer.run(net.X, net.y, orders(n, 2))
    for _ in range(2):  # W <- W - lambda / D times the sum over all D samples
        samples = [net._replace(X=net.X[i : i + 1], y=net.y[i : i + 1]) for i in range(n)]
        total = tree_map(lambda *grads: sum(grads), *(loss_and_grads(one)[1] for one in samples))
        net = net._replace(params=tree_map(lambda w, g: w - rate / n * g, net.params, total))
    scale = max(float(np.abs(w).max()) for w in leaves(net.params))
    assert_close(trainer.params(), net.params, atol=1e-12 * max(scale, 1.0))


# --- symmetries ---


@given(net=networks(min_hidden=1), seed=st.integers(0, 100))
def test_permuting_hidden_units_changes_nothing(net: Network, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = [Layer(*layer) for layer in net.params]
    rows: Any = slice(None)
    permuted, keys = [], []
    for layer in layers:
        last = layer is layers[-1]
        columns: Any = slice(None) if last else rng.permutation(layer.W.shape[1])
        keys.append((rows, columns))
        permuted.append(Layer(W=layer.W[rows][:, columns], b=layer.b[columns]))
        rows = columns
    loss, grads = loss_and_grads(net)
    other_loss, other_grads = loss_and_grads(net._replace(params=tuple(permuted)))
    moved = tuple(
        Layer(W=grad.W[rows][:, columns], b=grad.b[columns])
        for grad, (rows, columns) in zip(grads, keys, strict=True)
    )
    assert_close((other_loss, other_grads), (loss, moved))
    outputs = [
        core.predict(XP, net.recipe, params, net.X) for params in (net.params, tuple(permuted))
    ]
    assert_close((outputs[1],), (outputs[0],))


@given(net=networks(), constant=st.floats(-1e3, 1e3))
def test_adding_a_constant_to_the_logits_changes_nothing_for_softmax(
    net: Network, constant: float
) -> None:
    loss = LOSSES["softmax_cross_entropy"]
    logits = core.forward(XP, net.params, net.X, net.recipe.hidden).logits
    y: Any = targets("softmax_cross_entropy", *net.y.shape)
    shifted = logits + constant
    # the logits themselves are rounded at the size of the constant, and a row has up to 6 of them
    atol = 16 * EPS["float64"] * max(1.0, abs(constant))
    v = 1.0 / y.shape[0]
    values = (loss.loss_and_delta(XP, z, y, v) for z in (shifted, logits))
    shifted_values, own_values = values
    assert_close(shifted_values, own_values, atol)
    assert_close((loss.output(XP, shifted),), (loss.output(XP, logits),), atol)


# --- numbers ---


@given(net=networks(dtype="float32"), l2=st.sampled_from([0.0, 0.5]), scale=st.floats(0.1, 1.0))
def test_float32_in_float32_out(net: Network, l2: float, scale: float) -> None:
    recipe = net.recipe._replace(l2=l2, scale=scale)
    for optimizer in (recipe.optimizer, momentum(), adam()):
        recipe = recipe._replace(optimizer=optimizer)
        carry = make_carry(get_backend("numpy"), recipe, net.params, 0.1, "float32")
        results = core.step(XP, recipe, carry, net.X, net.y)
        assert {leaf.dtype for leaf in leaves(results)} == {np.dtype("float32")}
    assert core.predict(XP, recipe, net.params, net.X).dtype == np.float32
    assert {v.dtype for v in core.evaluate(XP, recipe, net.params, net.X, net.y)} == {
        np.dtype("float32")
    }


LOGITS = st.lists(
    st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4), min_size=1, max_size=6
).map(np.asarray)


@given(logits=LOGITS, dtype=st.sampled_from(["float32", "float64"]))
def test_softmax_rows_are_probabilities(logits: NDArray[Any], dtype: str) -> None:
    p = np.asarray(LOSSES["softmax_cross_entropy"].output(XP, XP.asarray(logits, dtype=dtype)))
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=0, atol=4 * EPS[dtype])
    np.testing.assert_array_equal(
        p[np.arange(len(p)), logits.astype(dtype).argmax(axis=1)], p.max(axis=1)
    )


@given(
    logits=LOGITS,
    seed=st.integers(0, 1000),
    loss=st.sampled_from(BOUNDED_LOSSES),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_loss_and_delta_are_finite_and_no_loss_is_negative(
    logits: NDArray[Any], seed: int, loss: str, dtype: str
) -> None:
    logits = logits.astype(dtype)
    y = targets(loss, len(logits), 4, seed).astype(dtype)
    row = LOSSES[loss]
    value, delta = row.loss_and_delta(XP, XP.asarray(logits), XP.asarray(y), 1.0 / len(y))
    assert np.isfinite(np.asarray(value))
    assert np.asarray(value) >= 0
    assert np.isfinite(np.asarray(delta)).all()
    assert np.asarray(delta).shape == logits.shape
    output = np.asarray(row.output(XP, XP.asarray(logits)))
    assert np.isfinite(output).all()
    # in all three, delta is what the output has too much, over n
    tolerance = 8 * EPS[dtype] * max(1.0, float(np.abs(logits).max()))
    assert_close((delta,), ((output - y) / len(logits),), tolerance)
    for _, metric in row.metrics:
        value = metric(XP, XP.asarray(logits), XP.asarray(y), 1.0 / len(y))
        assert 0 <= np.asarray(value) <= 1 + 8 * EPS[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("loss", BOUNDED_LOSSES)
def test_logits_of_ten_thousand_give_the_loss_of_the_limit(
    loss: str, size: float, dtype: str
) -> None:
    logits, y = XP.asarray([[size, 0.0]], dtype=dtype), XP.asarray([[0.0, 1.0]], dtype=dtype)
    value, delta = LOSSES[loss].loss_and_delta(XP, logits, y, 1.0)
    high = size > 0
    limits: dict[str, tuple[float, Any]] = {
        "softmax_cross_entropy": (size, [[1, -1]]) if high else (0.0, [[0, 0]]),
        "sigmoid_cross_entropy": (
            (size if high else 0.0) + np.log(2),
            [[1.0 if high else 0.0, -0.5]],
        ),
        "squared_error": ((size**2 + 1) / 2, [[size, -1]]),
    }
    expected, slope = limits[loss]
    assert float(np.asarray(value)) == pytest.approx(expected, rel=4 * EPS[dtype])
    np.testing.assert_allclose(np.asarray(delta), slope, rtol=4 * EPS[dtype])


@given(z=st.floats(-30, 30))
def test_logistic_is_the_textbook_s_curve(z: float) -> None:
    a = core.ACTIVATIONS["logistic"].h(XP, XP.asarray([z, -z]))
    assert np.asarray(a)[0] == pytest.approx(1 / (1 + np.exp(-z)), abs=2 * EPS["float64"])
    assert float(np.asarray(a).sum()) == pytest.approx(1, abs=2 * EPS["float64"])
