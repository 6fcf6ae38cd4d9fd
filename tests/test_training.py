"""Epochs: their history, divergence, resuming, and bytes as data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import LOSS_NAMES, leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp import core
from fastmlp.backends import Backend, get_backend
from fastmlp.core import Carry, adam, momentum
from fastmlp.training import (
    DivergenceError,
    Epoch,
    draw_params,
    epoch_order,
    programs,
)

XP: Any = np


# --- the history ---


@pytest.mark.parametrize("n", [64, 70, 10])
@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_history_is_the_mean_over_the_samples_as_they_were_seen(loss: str, n: int) -> None:
    recipe = make_recipe(loss, ("tanh",), momentum(), l2=0.3)
    X, y = make_problem(loss, n)
    y = y.astype(np.float64)
    history: list[Epoch] = []
    trainer = make_trainer(recipe)
    trainer.run(X, y, orders(n, 3), history.append)

    params = draw_params((7, 5, 3), 0)
    carry = Carry(params, recipe.optimizer.init(XP, params), XP.asarray(0.1), XP.asarray(0.0))
    for order, epoch in zip(orders(n, 3), history, strict=True):
        losses, hits = 0.0, 0
        for start in range(0, n, 16):
            rows = order[start : start + 16]
            x_batch, y_batch = X[rows], y[rows]
            logits = np.asarray(
                core.forward(XP, carry.params, XP.asarray(x_batch), recipe.hidden).logits
            )
            one_by_one = [
                float(recipe.loss.loss_and_delta(XP, logits[i : i + 1], y_batch[i : i + 1], 1.0)[0])  # type: ignore[arg-type]
                for i in range(len(rows))
            ]
            squares = sum(np.sum(np.asarray(layer.W) ** 2) for layer in carry.params)
            losses += sum(one_by_one) + 0.3 / 2 * squares  # the penalty is divided by len(rows)
            if loss == "softmax_cross_entropy":
                hits += sum(z.argmax() == t.argmax() for z, t in zip(logits, y_batch, strict=True))
            else:
                hits += sum(all((z > 0) == (t == 1)) for z, t in zip(logits, y_batch, strict=True))
            carry, _ = core.step(XP, recipe, carry, XP.asarray(x_batch), XP.asarray(y_batch))
        assert epoch.values["loss"] == pytest.approx(losses / n, rel=1e-13)
        if recipe.loss.metrics:
            assert epoch.values["accuracy"] == pytest.approx(hits / n, abs=1e-12)
        assert set(epoch.values) == {"loss", *(name for name, _ in recipe.loss.metrics)}
        assert all(type(value) is float for value in epoch.values.values())
        assert epoch.epoch_s > 0
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    assert trainer.epoch == 3


def test_a_true_answer_of_on_epoch_ends_the_training() -> None:
    recipe = make_recipe()
    X, y = make_problem("softmax_cross_entropy")
    stopped, short = make_trainer(recipe), make_trainer(recipe)
    stopped.run(X, y, orders(70, 9), lambda epoch: epoch.epoch == 2)
    short.run(X, y, orders(70, 2))
    assert stopped.epoch == 2
    for a, b in zip(leaves(stopped.params()), leaves(short.params()), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n", [1, 49, 50, 51, 120])
@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_evaluate_and_predict_in_blocks_equal_one_pass(loss: str, n: int) -> None:
    recipe = make_recipe(loss, ("tanh",), l2=0.3)
    X, y = make_problem(loss, n)
    trainer = make_trainer(recipe, backend=replace(get_backend("numpy"), block_rows=50))
    scores, outputs = trainer.evaluate(X, y), trainer.predict(X)

    params = draw_params((7, 5, 3), 0)
    logits = core.forward(XP, params, XP.asarray(X), recipe.hidden).logits
    expected, _ = recipe.loss.loss_and_delta(XP, logits, XP.asarray(y.astype(np.float64)), 1.0 / n)
    assert scores.pop("loss") == pytest.approx(float(expected), rel=1e-13)  # type: ignore[arg-type]
    np.testing.assert_allclose(outputs, np.asarray(recipe.loss.output(XP, logits)), rtol=1e-14)
    assert outputs.shape == (n, 3)
    z, t = np.asarray(logits), y
    if loss == "softmax_cross_entropy":
        assert scores == {"accuracy": pytest.approx(np.mean(z.argmax(axis=1) == t.argmax(axis=1)))}
    elif loss == "sigmoid_cross_entropy":
        assert scores == {"accuracy": pytest.approx(np.mean(((z > 0) == (t == 1)).all(axis=1)))}
    else:
        assert scores == {}


# --- divergence ---


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divergence_names_the_epoch_and_keeps_what_was_finite(backend: Backend, dtype: str) -> None:
    recipe = make_recipe("squared_error", ("identity",))
    X, y = make_problem("squared_error", 32)
    history: list[Epoch] = []
    rate = 1.5 if dtype == "float32" else 0.9
    trainer = make_trainer(recipe, backend=backend, learning_rate=rate, dtype=dtype)
    kept: list[Any] = []

    def on_epoch(epoch: Epoch) -> None:
        history.append(epoch)
        kept[:] = leaves(trainer.params())

    with pytest.raises(DivergenceError, match=r"training diverged in epoch \d+") as caught:
        trainer.run(X, y, orders(32, 200), on_epoch)
    done = len(history)
    assert done >= 1, "the test is to diverge after some good epochs"
    assert trainer.epoch == done
    message = str(caught.value)
    assert message.startswith(f"training diverged in epoch {done + 1} (loss ")
    assert f"a smaller learning rate than {rate}" in message
    assert f"weights of epoch {done} are kept" in message
    assert all(math.isfinite(epoch.values["loss"]) for epoch in history)
    for now, then in zip(leaves(trainer.params()), kept, strict=True):
        assert np.isfinite(now).all()
        np.testing.assert_array_equal(now, then)


def test_weights_that_overflow_in_the_last_step_of_an_epoch_are_divergence() -> None:
    """The loss of that epoch is still finite: only the weights tell."""
    recipe = make_recipe("squared_error", ())
    X = np.full((1, 7), 1e100)
    trainer = make_trainer(recipe, params=draw_params((7, 3), 0), learning_rate=1e300)
    with pytest.raises(DivergenceError, match=r"in epoch 1 \(loss \d"):
        trainer.run(X, np.zeros((1, 3)), [np.zeros(1, dtype=np.int32)])
    assert all(np.isfinite(leaf).all() for leaf in leaves(trainer.params()))


def test_loss_that_overflows_is_divergence_while_the_weights_are_still_finite() -> None:
    trainer = make_trainer(
        make_recipe("squared_error", ()),
        params=draw_params((7, 3), 0),
        learning_rate=1e-20,
        dtype="float32",
    )
    with pytest.raises(DivergenceError, match=r"in epoch 1 \(loss inf\)"):
        trainer.run(np.ones((4, 7)), np.full((4, 3), 1e25), orders(4, 1))
    assert trainer.epoch == 0


# --- resuming ---


@pytest.mark.parametrize("split", [1, 3])
def test_run_in_two_parts_gives_the_same_bits(backend: Backend, split: int) -> None:
    recipe = make_recipe("softmax_cross_entropy", ("tanh",), adam(), l2=0.1)
    X, y = make_problem("softmax_cross_entropy", 40)
    whole, parts = make_trainer(recipe, backend=backend), make_trainer(recipe, backend=backend)
    one: list[Epoch] = []
    two: list[Epoch] = []
    whole.run(X, y, orders(40, 4), one.append)
    parts.run(X, y, orders(40, 4)[:split], two.append)
    resumed = make_trainer(recipe, backend=backend, params=parts.params())
    resumed.carry, resumed.epoch = parts.carry, parts.epoch
    resumed.run(X, y, (epoch_order(40, 0, epoch) for epoch in range(split + 1, 5)), two.append)
    for a, b in zip(leaves(whole.params()), leaves(resumed.params()), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [epoch[:2] for epoch in one] == [epoch[:2] for epoch in two]


# --- data as bytes ---


def test_bytes_with_a_scale_equal_floats(backend: Backend) -> None:
    data = np.random.default_rng(0).integers(256, size=(40, 7), dtype=np.uint8)
    _, y = make_problem("softmax_cross_entropy", 40)
    scaled = make_recipe(scale=1 / 255)
    bytes_, floats = (make_trainer(recipe, backend=backend) for recipe in (scaled, make_recipe()))
    bytes_.run(data, y, orders(40, 3))
    floats.run(data / 255, y, orders(40, 3))
    for a, b in zip(leaves(bytes_.params()), leaves(floats.params()), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)
    assert bytes_.evaluate(data, y) == pytest.approx(floats.evaluate(data / 255, y), rel=1e-13)


def test_bytes_without_a_scale_are_taken_at_face_value() -> None:
    data = np.random.default_rng(0).integers(9, size=(40, 7), dtype=np.uint8)
    _, y = make_problem("softmax_cross_entropy", 40)
    bytes_, floats = make_trainer(make_recipe()), make_trainer(make_recipe())
    bytes_.run(data, y, orders(40, 2))
    floats.run(data.astype(np.float64), y, orders(40, 2))
    for a, b in zip(leaves(bytes_.params()), leaves(floats.params()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_bytes_stay_bytes_on_the_device() -> None:
    placed: list[tuple[str, Any]] = []
    numpy = get_backend("numpy")

    def to_device(host: Any, dtype: str) -> Any:
        placed.append((dtype, np.shape(host)))
        return numpy.to_device(host, dtype)

    backend = Backend(**{**vars(numpy), "to_device": to_device})
    trainer = make_trainer(make_recipe(scale=1 / 255), backend=backend, dtype="float32")
    _, y = make_problem("softmax_cross_entropy", 40)
    X = np.zeros((40, 7), dtype=np.uint8)
    placed.clear()
    trainer.run(X, y, orders(40, 2))
    epoch = [("int32", (2, 16)), ("int32", (8,))]
    assert placed == [("uint8", (40, 7)), ("float32", (40, 3)), *epoch, *epoch]
    placed.clear()
    trainer.predict(X)
    assert placed == [("float32", (7, 5)), ("uint8", (40, 7))], "W with the scale in it, then X"
    placed.clear()
    trainer.predict(X)
    assert placed == [("uint8", (40, 7))], "once for all"


# --- what goes wrong outside ---


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()], ids=str)
def test_epochs_under_way_are_kept_when_the_orders_fail(
    backend: Backend, error: BaseException
) -> None:
    X, y = make_problem("softmax_cross_entropy")

    def failing() -> Iterator[Any]:
        yield from orders(70, 3)
        raise error

    trainer, wanted = (make_trainer(make_recipe(), backend=backend) for _ in range(2))
    with pytest.raises(type(error)):
        trainer.run(X, y, failing())
    wanted.run(X, y, orders(70, 3))
    assert trainer.epoch == 3
    for a, b in zip(leaves(trainer.params()), leaves(wanted.params()), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("overlap", [False, True])
def test_a_carry_is_not_replaced_in_a_running_training(backend: Backend, overlap: bool) -> None:
    X, y = make_problem("softmax_cross_entropy")
    trainer = make_trainer(make_recipe(), backend=backend)
    trainer.overlap = overlap

    def meddle(epoch: Epoch) -> None:
        trainer.carry = trainer.carry._replace(t=trainer.carry.t)

    with pytest.raises(RuntimeError, match="let on_epoch return True"):
        trainer.run(X, y, orders(70, 3), meddle)
    wanted = make_trainer(make_recipe(), backend=backend)
    wanted.run(X, y, orders(70, 1))
    assert trainer.epoch == 1
    for a, b in zip(leaves(trainer.params()), leaves(wanted.params()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_on_epoch_ends_a_training_that_is_one_epoch_ahead(backend: Backend) -> None:
    X, y = make_problem("softmax_cross_entropy")
    seen: list[int] = []

    def enough(epoch: Epoch) -> bool:
        seen.append(epoch.epoch)
        return epoch.epoch == 2

    trainer, wanted = (make_trainer(make_recipe(), backend=backend) for _ in range(2))
    trainer.overlap = True
    trainer.run(X, y, orders(70, 5), enough)
    wanted.run(X, y, orders(70, 2))
    assert seen == [1, 2]
    assert trainer.epoch == 2
    for a, b in zip(leaves(trainer.params()), leaves(wanted.params()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_on_the_host_are_copies(backend: Backend) -> None:
    X, y = make_problem("softmax_cross_entropy")
    trainer = make_trainer(make_recipe(scale=0.5), backend=backend)
    trainer.run(X, y, orders(70, 1))
    before = trainer.predict(X)
    first: Any = trainer.params()[0]
    first.W[...] = 0.0
    np.testing.assert_array_equal(trainer.predict(X), before)


# --- programs ---


def test_programs_are_found_again_for_an_equal_recipe() -> None:
    numpy = get_backend("numpy")
    recipe = make_recipe(optimizer=adam(), l2=0.5)
    assert programs(numpy, recipe) is programs(numpy, make_recipe(optimizer=adam(), l2=0.5))
    for other in (recipe._replace(l2=0.25), recipe._replace(scale=0.5)):
        assert programs(numpy, recipe) is not programs(numpy, other)


def test_numbers_may_have_their_bytes_in_any_order() -> None:
    X, y = make_problem("squared_error")
    trained = []
    for given in (X, X.astype(">f8"), X.astype("<f8")):
        trainer = make_trainer(make_recipe("squared_error"))
        trainer.run(given, y, orders(70, 1))
        trained.append(trainer.params())
    for other in trained[1:]:
        for a, b in zip(leaves(trained[0]), leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)
