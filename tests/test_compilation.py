"""JAX compiles each shape once: traces counted in Python, compilations by what XLA reports."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from problems import make_carry, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import Backend, get_backend, python_scan
from fastmlp.core import Recipe, adam
from fastmlp.training import Data, Trainer, draw_params, epoch_order, programs

pytest.importorskip("jax")


class Counted(NamedTuple):
    """A recipe that counts how often Python walks through its parts."""

    recipe: Recipe
    steps: list[None]  # one entry per run of the loss in Python: of the step, or of evaluate
    outputs: list[None]  # one entry per run of predict in Python


def counted() -> Counted:
    recipe = make_recipe("softmax_cross_entropy", ("relu",), adam())
    loss, steps, outputs = recipe.loss, list[None](), list[None]()

    def loss_and_delta(xp: Any, logits: Any, y: Any, v: Any) -> Any:
        steps.append(None)
        return loss.loss_and_delta(xp, logits, y, v)

    def output(xp: Any, logits: Any) -> Any:
        outputs.append(None)
        return loss.output(xp, logits)

    own = loss._replace(loss_and_delta=loss_and_delta, output=output)
    return Counted(recipe._replace(loss=own), steps, outputs)


@pytest.fixture
def jax_backend() -> Backend:
    return get_backend("jax")


def trainer_of(backend: Backend, recipe: Recipe, learning_rate: float = 0.1) -> Trainer:
    return make_trainer(recipe, backend=backend, learning_rate=learning_rate, dtype="float32")


@pytest.mark.parametrize(("n", "traces"), [(70, 2), (64, 1), (10, 1)])
def test_step_is_traced_once_per_shape_of_batch(jax_backend: Backend, n: int, traces: int) -> None:
    recipe, steps, _ = counted()
    X, y = make_problem("softmax_cross_entropy", n)
    trainer_of(jax_backend, recipe).run(X, y, orders(n, 3))
    assert len(steps) == traces


def test_a_loop_in_python_runs_the_formulas_in_every_step() -> None:
    recipe, steps, _ = counted()
    X, y = make_problem("softmax_cross_entropy", 70)
    numpy = get_backend("numpy")
    trainer_of(replace(numpy, scan=python_scan(numpy.xp)), recipe).run(X, y, orders(70, 3))
    assert len(steps) == 3 * 5, "or else the counts of the other tests mean nothing"


def test_numpy_runs_the_formulas_once_for_all_full_batches() -> None:
    recipe, steps, _ = counted()
    X, y = make_problem("softmax_cross_entropy", 70)
    trainer_of(get_backend("numpy"), recipe).run(X, y, orders(70, 3))
    assert len(steps) == 1 + 3, "for the trace, and for the smaller batch of each epoch"


def test_second_trainer_of_an_equal_recipe_traces_nothing(jax_backend: Backend) -> None:
    recipe, steps, outputs = counted()
    X, y = make_problem("softmax_cross_entropy", 70)
    first = trainer_of(jax_backend, recipe)
    first.run(X, y, orders(70, 1))
    first.evaluate(X, y)
    first.predict(X)
    assert (len(steps), len(outputs)) == (2 + 1, 1)

    equal = recipe._replace(hidden=tuple(recipe.hidden), optimizer=adam())
    assert equal is not recipe
    second = trainer_of(jax_backend, equal, learning_rate=0.025)
    second.run(X, y, orders(70, 2, seed=1))
    second.evaluate(X, y)
    second.predict(X)
    assert (len(steps), len(outputs)) == (2 + 1, 1)
    oracle = trainer_of(get_backend("numpy"), recipe, learning_rate=0.025)
    oracle.run(X, y, orders(70, 2, seed=1))
    np.testing.assert_allclose(second.predict(X), oracle.predict(X), rtol=0, atol=1e-5)
    assert not np.allclose(second.predict(X), first.predict(X), rtol=0, atol=1e-3)


def test_evaluation_and_prediction_are_traced_once_per_shape(jax_backend: Backend) -> None:
    recipe, steps, outputs = counted()
    trainer = trainer_of(jax_backend, recipe)
    for n in (70, 20, 70, 20):
        X, y = make_problem("softmax_cross_entropy", n)
        trainer.evaluate(X, y)
        trainer.predict(X)
    assert (len(steps), len(outputs)) == (2, 2)


def test_another_l2_is_another_program(jax_backend: Backend) -> None:
    recipe, steps, _ = counted()
    X, y = make_problem("softmax_cross_entropy", 64)
    for l2 in (0.0, 0.5, 0.5):
        trainer_of(jax_backend, recipe._replace(l2=l2)).run(X, y, orders(64, 1))
    assert len(steps) == 2


def test_xla_compiles_one_epoch_and_in_a_second_fit_nothing(
    jax_backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    import jax

    def compiled() -> list[str]:
        """Names of the programs that XLA has compiled since the last call."""
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        start = "Finished XLA compilation of "
        return [text.removeprefix(start).split()[0] for text in messages if start in text]

    recipe, _, _ = counted()
    X, y = make_problem("softmax_cross_entropy", 70)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for seed, epochs, scores in [(0, 2, ["jit(evaluate)", "jit(predict)"]), (1, 3, [])]:
            trainer = trainer_of(jax_backend, recipe, learning_rate=0.1 / (1 + seed))
            trainer.run(X, y, orders(70, epochs, seed))
            trainer.params()
            assert compiled() == (["jit(epoch)"] if scores else [])
            trainer.evaluate(X, y)
            trainer.predict(X)
            assert compiled() == scores


def test_compiled_epoch_moves_nothing_between_host_and_device(jax_backend: Backend) -> None:
    import jax

    recipe = make_recipe("softmax_cross_entropy", ("relu",), adam(), l2=0.1, scale=1 / 255)
    X, y = make_problem("softmax_cross_entropy", 64)
    place = jax_backend.to_device
    carry = make_carry(jax_backend, recipe, draw_params((7, 5, 3), 0), 0.1, "float32")
    data = Data(place(np.asarray(np.abs(X) * 50, dtype=np.uint8), "uint8"), place(y, "float32"))
    order = epoch_order(64, 0, 1).reshape(4, 16)
    placed = place(order[:3], "int32"), place(order[3], "int32")
    program = programs(jax_backend, recipe)
    with jax.transfer_guard("disallow"):
        for _ in range(2):  # the first one compiles
            carry, report = program.epoch(carry, data, *placed)
        scores = program.evaluate(carry.params, data)
        program.predict(carry.params, data[0])
        with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
            program.epoch(carry, data, order[:3], placed[1])
    assert np.isfinite(jax_backend.to_host(report)).all()
    assert np.isfinite(jax_backend.fetch(scores)).all()


def test_trainer_hands_nothing_to_the_device_by_accident(jax_backend: Backend) -> None:
    import jax

    recipe = make_recipe("softmax_cross_entropy", ("relu",), adam(), l2=0.1, scale=1 / 255)
    X, y = make_problem("softmax_cross_entropy", 70)
    with jax.transfer_guard_host_to_device("disallow"):
        trainer = trainer_of(jax_backend, recipe)
        trainer.run(np.asarray(np.abs(X) * 50, dtype=np.uint8), y, orders(70, 2))
        trainer.evaluate(X, y)
        trainer.predict(X)
        with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
            jax.numpy.add(np.ones(3), 1)
    assert trainer.epoch == 2


CACHED = """
import jax, numpy as np
from fastmlp.backends import get_backend
from fastmlp.core import LOSSES, Recipe, gradient_descent
from fastmlp.training import Trainer, draw_params, epoch_order

hits = []
jax.monitoring.register_event_listener(
    lambda name, **_: hits.append(name) if name.endswith("/cache_hits") else None
)
trainer = Trainer(
    get_backend("jax", "cpu"),
    Recipe((), LOSSES["squared_error"], gradient_descent()),
    draw_params((2, 1), 0),
    learning_rate=0.1,
    batch_size=4,
    dtype="float32",
)
X = np.ones((8, 2))
trainer.run(X, X[:, :1], [epoch_order(8, 0, 1)])
trainer.predict(X)
print(len(hits), trainer.params()[0].W.tolist())
"""


def test_programs_are_found_in_the_cache_that_jax_keeps_on_disk(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    command = [sys.executable, "-c", CACHED]
    said = [
        subprocess.check_output(command, env=environment, text=True).strip().partition(" ")
        for _ in range(2)
    ]
    assert int(said[0][0]) == 0
    assert int(said[1][0]) >= 2, "the epoch and predict"
    assert said[0][2] == said[1][2]
