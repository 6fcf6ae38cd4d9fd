"""The Keras reference trains the network that we train."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp.backends import BackendUnavailableError, get_backend
from fastmlp.core import (
    ACTIVATIONS,
    LOSSES,
    Augmentation,
    Optimizer,
    Params,
    Recipe,
    adam,
    adamw,
    clip_by_norm,
    gradient_descent,
    max_norm,
    momentum,
    nesterov,
    rmsprop,
    scheduled,
)
from fastmlp.reference import KerasTrainer, keras_trainer, reference_status
from fastmlp.reference.library import load_keras
from fastmlp.training import DivergenceError, Epoch, Trainer, draw_params, epoch_order, one_hot

needs_keras = pytest.mark.skipif(
    not reference_status().available, reason=reference_status().reason or "keras is there"
)
N, BATCH = 107, 16  # the last of seven batches has 11 rows
CURVE = {
    # some forty steps of float32 rounding, 6e-8 each; in its first steps Keras' Adam loses
    # digits of 1 - beta^t in float32, about 1e-5 of a step
    "float32": 1e-5,
    "float64": 1e-12,
}
WEIGHTS = {"float32": 5e-5, "float64": 1e-10}


def problem(loss: str = "softmax_cross_entropy") -> tuple[NDArray[Any], NDArray[Any]]:
    """Bytes with a pattern in them, and targets that three outputs can learn."""
    rng = np.random.default_rng(1)
    X = rng.integers(0, 256, (N, 12)).astype(np.uint8)
    values = (X / 255.0) @ rng.normal(size=(12, 3))
    if loss == "softmax_cross_entropy":
        return X, one_hot(values.argmax(axis=1), 3)
    if loss == "sigmoid_cross_entropy":
        return X, (values > values.mean(axis=0)).astype(np.uint8)
    if loss == "poisson":
        return X, np.floor(np.exp(0.5 * values))
    return X, values


def recipe(
    hidden: tuple[str, ...] = ("relu",),
    loss: str = "softmax_cross_entropy",
    optimizer: Optimizer | None = None,
    l2: float = 0.3,
    scale: float = 1.0 / 255.0,
) -> Recipe:
    activations = tuple(ACTIVATIONS[name] for name in hidden)
    return Recipe(activations, LOSSES[loss], optimizer or gradient_descent(), l2, scale)


def weights(r: Recipe) -> Params:
    return draw_params((12, *(10 for _ in r.hidden), 3), 5)


def pair(r: Recipe, dtype: str, learning_rate: float = 0.05) -> tuple[Trainer, KerasTrainer]:
    settings: Any = {"learning_rate": learning_rate, "batch_size": BATCH, "dtype": dtype, "seed": 3}
    ours = Trainer(get_backend("numpy"), r, weights(r), **settings)
    return ours, KerasTrainer(r, weights(r), **settings)


def orders(epochs: int, first: int = 1, n: int = N) -> list[NDArray[np.int32]]:
    return [epoch_order(n, 0, epoch) for epoch in range(first, first + epochs)]


def curves(trainer: Trainer | KerasTrainer, X: NDArray[Any], y: NDArray[Any]) -> list[Epoch]:
    epochs: list[Epoch] = []
    trainer.run(X, y, orders(6), epochs.append)
    return epochs


def assert_same_curves(ours: list[Epoch], theirs: list[Epoch], dtype: str) -> None:
    assert [e.epoch for e in theirs] == [e.epoch for e in ours] == [1, 2, 3, 4, 5, 6]
    for mine, other in zip(ours, theirs, strict=True):
        assert list(other.values) == list(mine.values)
        assert other.values["loss"] == pytest.approx(mine.values["loss"], rel=CURVE[dtype])
        if "accuracy" in mine.values:  # rounding may turn one sample in float32
            one_sample = 1.01 / N if dtype == "float32" else 1e-12
            assert other.values["accuracy"] == pytest.approx(
                mine.values["accuracy"], abs=one_sample
            )


def assert_same_params(a: Params, b: Params, rtol: float) -> None:
    for mine, other in zip(a, b, strict=True):
        for one, two in zip(mine, other, strict=True):
            norm = np.linalg.norm(np.asarray(one))
            assert np.linalg.norm(np.asarray(two) - np.asarray(one)) <= rtol * norm


@needs_keras
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "r",
    [
        pytest.param(recipe(()), id="linear"),
        pytest.param(recipe(("relu", "tanh")), id="two_hidden"),
        pytest.param(recipe(l2=0.0), id="no_penalty"),
        pytest.param(recipe(optimizer=momentum(0.8)), id="momentum"),
        pytest.param(recipe(optimizer=nesterov(0.8)), id="nesterov"),
        pytest.param(recipe(optimizer=adam(0.8, 0.99, 1e-3)), id="adam"),
        pytest.param(recipe(("logistic",), "sigmoid_cross_entropy"), id="sigmoid"),
        pytest.param(recipe(("identity", "relu"), "squared_error"), id="squared_error"),
        pytest.param(recipe(("tanh",), "poisson"), id="poisson"),
        pytest.param(recipe(("leaky_relu", "elu")), id="leaky_relu-elu"),
        pytest.param(recipe(("gelu", "silu", "softplus")), id="gelu-silu-softplus"),
        pytest.param(recipe(optimizer=adamw(0.8, 0.99, 1e-3, 0.5)), id="adamw"),
        pytest.param(recipe(optimizer=rmsprop(0.8, 1e-3)), id="rmsprop"),
        pytest.param(recipe(optimizer=clip_by_norm(momentum(), 0.1)), id="clip_by_norm"),
        pytest.param(recipe(optimizer=max_norm(nesterov(), 0.7)), id="max_norm"),
        pytest.param(recipe(optimizer=scheduled(momentum(), "cosine", 40, 5)), id="cosine"),
        pytest.param(recipe()._replace(l1=0.3), id="l1"),
        pytest.param(recipe(("tanh", "relu"))._replace(dropout=(0.2, 0.5, 0.25)), id="dropout"),
    ],
)
def test_trains_as_ours(r: Recipe, dtype: str) -> None:
    name = next(name for name, loss in LOSSES.items() if loss == r.loss)
    X, y = problem(name)
    ours, theirs = pair(r, dtype)
    assert_same_params(ours.params(), theirs.params(), 0.0)
    curve = curves(ours, X, y)
    assert curve[-1].values["loss"] < 0.99 * curve[0].values["loss"]
    assert_same_curves(curve, curves(theirs, X, y), dtype)
    assert_same_params(ours.params(), theirs.params(), WEIGHTS[dtype])
    np.testing.assert_allclose(theirs.predict(X), ours.predict(X), atol=WEIGHTS[dtype])
    assert theirs.predict(X).dtype == dtype
    expected = ours.evaluate(X, y)
    assert theirs.evaluate(X, y) == pytest.approx(expected, rel=CURVE[dtype], abs=1e-6)


@needs_keras
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
def test_weights_and_learning_rates_count_as_in_ours(loss: str) -> None:
    X, y = problem(loss)
    trainers = pair(recipe(("tanh",), loss, momentum(0.8)), "float64")
    shares = np.linspace(0.2, 3.0, N)
    curves: list[list[float]] = []
    for trainer in trainers:
        seen: list[float] = []
        trainer.run(
            X,
            y,
            orders(4),
            lambda epoch, seen=seen: seen.extend(epoch.values.values()),  # type: ignore[misc]
            weights=shares,
            learning_rates=[0.05, 0.02, 0.02, 0.1],
        )
        curves.append(seen)
    assert curves[1] == pytest.approx(curves[0], rel=CURVE["float64"])
    ours, theirs = (trainer.params() for trainer in trainers)
    assert_same_params(ours, theirs, WEIGHTS["float64"])
    without, _ = pair(recipe(("tanh",), loss, momentum(0.8)), "float64")
    without.run(X, y, orders(4))
    with pytest.raises(AssertionError):
        assert_same_params(without.params(), theirs, 1e-3)


@needs_keras
def test_trains_as_ours_when_compiled_by_xla(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_trainer, "XLA_PAYS_FROM", 0)
    X, y = problem()
    ours, theirs = pair(recipe(optimizer=adam()), "float32", learning_rate=0.01)
    assert theirs._network.jit_compile
    assert_same_curves(curves(ours, X, y), curves(theirs, X, y), "float32")
    assert_same_params(ours.params(), theirs.params(), WEIGHTS["float32"])


@needs_keras
def test_floats_are_taken_as_they_are() -> None:
    X, y = problem()
    ours, theirs = pair(recipe(scale=1.0), "float64")
    assert_same_curves(curves(ours, X / 255.0, y), curves(theirs, X / 255.0, y), "float64")


@needs_keras
def test_blocks_do_not_change_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem()
    _, theirs = pair(recipe(), "float64")
    whole = theirs.predict(X), theirs.evaluate(X, y)
    monkeypatch.setattr(keras_trainer, "BLOCK", 50)
    np.testing.assert_allclose(theirs.predict(X), whole[0], rtol=1e-12)
    assert theirs.evaluate(X, y) == pytest.approx(whole[1], rel=1e-12)


@needs_keras
def test_runs_continue_also_on_other_rows() -> None:
    X, y = problem()
    ours, theirs = pair(recipe(optimizer=adam()), "float64")
    for trainer in (ours, theirs):
        trainer.run(X, y, orders(2))
        trainer.run(X, y, orders(1, first=3))
    assert theirs._network.steps_per_execution == 7
    for trainer in (ours, theirs):
        trainer.run(X[:40], y[:40], orders(2, first=4, n=40))
    assert theirs._network.steps_per_execution == 3
    assert theirs.epoch == 5
    assert_same_params(ours.params(), theirs.params(), WEIGHTS["float64"])


@needs_keras
def test_no_order_is_no_epoch() -> None:
    X, y = problem()
    _, theirs = pair(recipe(), "float32")
    theirs.run(X, y, [])
    assert theirs.epoch == 0


@needs_keras
def test_divergence_names_the_epoch_and_keeps_the_one_before() -> None:
    X, y = problem("squared_error")
    _, theirs = pair(recipe((), "squared_error"), "float32", learning_rate=60.0)
    seen: list[Any] = []
    with pytest.raises(DivergenceError, match=r"diverged in epoch (\d+) .*smaller learning rate"):
        theirs.run(X, y, orders(20), lambda epoch: seen.append(theirs.params()))
    assert theirs.epoch == len(seen) > 0
    assert_same_params(seen[-1], theirs.params(), 0.0)
    assert all(np.isfinite(np.asarray(array)).all() for layer in theirs.params() for array in layer)


@needs_keras
def test_weights_that_overflow_in_the_last_batch_are_seen() -> None:
    X, y = problem("squared_error")
    r = recipe((), "squared_error")
    trainer = KerasTrainer(r, weights(r), learning_rate=3e38, batch_size=N, dtype="float32")
    with pytest.raises(DivergenceError, match=r"diverged in epoch 1 \(loss \d"):
        trainer.run(X, 100.0 * y, orders(3))  # the loss of the only batch is still finite
    assert_same_params(weights(r), trainer.params(), 1e-6)


@needs_keras
def test_a_true_answer_stops_and_orders_are_asked_for_one_at_a_time() -> None:
    X, y = problem()
    _, theirs = pair(recipe(), "float32")
    asked: list[int] = []

    def endless() -> Any:
        while True:
            asked.append(len(asked) + 1)
            yield epoch_order(N, 0, len(asked))

    theirs.run(X, y, endless(), lambda epoch: epoch.epoch == 3)
    assert (theirs.epoch, asked) == (3, [1, 2, 3])


@needs_keras
def test_images_that_move_are_refused() -> None:
    r = recipe()._replace(augmentation=Augmentation((2, 3), shift_px=1.0))
    params = draw_params((6, 5, 3), 0)
    with pytest.raises(ValueError, match=r"augmentation=.* trains on images as they are\. Leave"):
        KerasTrainer(r, params, learning_rate=0.1, batch_size=8, dtype="float32")


@needs_keras
def test_interrupt_keeps_the_last_epoch() -> None:
    X, y = problem()
    ours, theirs = pair(recipe(optimizer=momentum()), "float64")
    ours.run(X, y, orders(2))

    def interrupt(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        theirs.run(X, y, orders(5), interrupt)
    assert theirs.epoch == 2
    assert_same_params(ours.params(), theirs.params(), WEIGHTS["float64"])
    for trainer in (ours, theirs):
        trainer.run(X, y, orders(1, first=3))
    assert_same_params(ours.params(), theirs.params(), WEIGHTS["float64"])


@needs_keras
def test_interrupt_within_an_epoch_takes_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem()
    ours, theirs = pair(recipe(optimizer=momentum()), "float64")
    for trainer in (ours, theirs):
        trainer.run(X, y, orders(1))

    def interrupted(values: dict[str, float]) -> None:  # the weights have moved, nothing is kept
        raise KeyboardInterrupt

    monkeypatch.setattr(theirs, "_keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        theirs.run(X, y, orders(1, first=2))
    monkeypatch.undo()
    assert theirs.epoch == 1
    for trainer in (ours, theirs):
        trainer.run(X, y, orders(1, first=2))
    assert_same_params(ours.params(), theirs.params(), WEIGHTS["float64"])


@needs_keras
def test_epoch_time_leaves_the_callback_out() -> None:
    X, y = problem()
    _, theirs = pair(recipe(), "float32")
    times: list[float] = []

    def slow(epoch: Epoch) -> None:
        times.append(epoch.epoch_s)
        theirs.evaluate(X, y)
        time.sleep(0.5)

    theirs.run(X, y, orders(3), slow)
    assert len(times) == 3
    assert 0.0 < max(times[1:]) < 0.5


@needs_keras
def test_global_state_is_left_alone() -> None:
    keras, tf = load_keras()
    X, y = problem()
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled

    def state() -> tuple[Any, ...]:
        drawn = np.random.get_state(legacy=False)["state"]["pos"]  # noqa: NPY002
        policy = keras.config.dtype_policy().name
        return keras.config.floatx(), policy, tf32(), random.getstate(), drawn

    before = state()
    _, theirs = pair(recipe(), "float64")
    seen = []
    theirs.run(X, y, orders(1), lambda epoch: seen.append(tf32()))
    theirs.predict(X)
    theirs.evaluate(X, y)
    assert state() == before
    assert seen == [False]


@needs_keras
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size=0 must be a whole number"),
        ({"dtype": "float16"}, "dtype='float16' must be 'float32' or 'float64'"),
    ],
)
def test_bad_settings(change: dict[str, Any], message: str) -> None:
    settings: Any = {"learning_rate": 0.1, "batch_size": BATCH, "dtype": "float32"} | change
    with pytest.raises(ValueError, match=message):
        KerasTrainer(recipe(), weights(recipe()), **settings)


@needs_keras
def test_bad_data() -> None:
    X, y = problem()
    _, theirs = pair(recipe(), "float32")
    with pytest.raises(ValueError, match="n_in must equal the number of features of X"):
        theirs.run(X[:, 1:], y, orders(1))
    with pytest.raises(ValueError, match=r"order has shape \(40,\), expected \(107,\)"):
        theirs.run(X, y, [*orders(1), *orders(1, n=40)])


@needs_keras
def test_orders_may_leave_rows_out() -> None:
    X, y = problem()
    trainers = pair(recipe(("tanh",)), "float64")
    for trainer in trainers:
        trainer.run(X, y, orders(3, n=40))
    assert_same_params(trainers[0].params(), trainers[1].params(), WEIGHTS["float64"])


@needs_keras
@pytest.mark.parametrize(
    "strange",
    [
        recipe()._replace(optimizer=gradient_descent()._replace(name="lion")),
        recipe()._replace(hidden=(ACTIVATIONS["relu"]._replace(h=lambda xp, z: z),)),
        recipe()._replace(loss=LOSSES["squared_error"]._replace(metrics=(("r2", max),))),  # type: ignore[arg-type]
    ],
)
def test_what_keras_cannot_say(strange: Recipe) -> None:
    with pytest.raises(ValueError, match="has no counterpart in the Keras reference"):
        pair(strange, "float32")


@pytest.mark.parametrize("library", ["tensorflow", "keras"])
def test_missing_library(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    if library == "keras":
        monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace())
    hint = r"pip install 'fastmlp\[tensorflow\]'"
    with pytest.raises(BackendUnavailableError, match=f"{library} is not installed. {hint}"):
        KerasTrainer(recipe(), weights(recipe()), learning_rate=0.1, batch_size=1, dtype="float32")
    if library == "tensorflow":
        status = reference_status()
        assert not status.available
        assert "tensorflow" in status.reason
        assert status.hint == "pip install 'fastmlp[tensorflow]'"


def test_keras_on_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "keras", SimpleNamespace(config=SimpleNamespace(backend=lambda: "jax"))
    )
    with pytest.raises(RuntimeError, match=r"runs on 'jax' in this process.*KERAS_BACKEND"):
        load_keras()


def test_keras_told_to_use_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(RuntimeError, match=r"runs on 'torch' in this process.*KERAS_BACKEND"):
        load_keras()


@needs_keras
def test_status_has_versions_and_imports_nothing() -> None:
    code = (
        "import sys; from fastmlp.reference import reference_status; print(reference_status());"
        "assert not {'keras', 'tensorflow', 'sklearn'} & set(sys.modules)"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "available=True" in done.stdout
    assert "keras 3." in done.stdout
    assert "tensorflow 2." in done.stdout
