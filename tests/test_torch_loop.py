"""The captured step of PyTorch, where what is captured is run again by Python instead of a GPU."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import Backend, get_backend, torch_loop
from fastmlp.backends.ladder import Ladder
from fastmlp.core import adam, gradient_descent, nesterov
from fastmlp.core.tree import tree_map
from fastmlp.training import draw_params

torch = pytest.importorskip("torch")
OPTIMIZERS = gradient_descent(), nesterov(), adam()


def captured(capture: Any) -> Backend:
    """The record of the CPU with a GPU's ladder."""
    cpu = get_backend("torch", "cpu")
    ladder = Ladder(cpu.xp, torch_loop.torch_library(torch, capture))
    return replace(cpu, scan=ladder.scan, rung=lambda: ladder.rung, ahead=1)


def addressed(tensor: Any) -> Any:
    """What lies at the tensor's address by then: all that a graph knows of it."""
    host = tensor.numpy()
    memory = (ctypes.c_byte * host.nbytes).from_address(host.ctypes.data)
    return torch.from_numpy(np.frombuffer(memory, dtype=host.dtype).reshape(host.shape))


def again(step: Any, rewind: Callable[[], Any], shared: Any) -> Callable[[], None]:
    """As a capture: two steps before, and nothing is computed while it is captured."""
    for _ in range(torch_loop.WARM_UP):
        rewind()
        step(shared)
    bare = tree_map(addressed, shared)
    return lambda: step(bare)


def train(backend: Backend, optimizer: Any, seed: int = 0) -> list[Any]:
    X, y = make_problem("softmax_cross_entropy", 70, seed=seed)
    recipe = make_recipe(hidden=("relu", "tanh"), optimizer=optimizer, l2=0.1)
    trainer = make_trainer(recipe, backend=backend, params=draw_params((7, 6, 5, 3), 0))
    losses: list[Any] = []
    trainer.run(X, y, orders(70, 3), lambda epoch: losses.append(epoch.values["loss"]))
    return [*leaves(trainer.params()), losses]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name)
def test_a_captured_step_gives_the_numbers_of_the_formulas(optimizer: Any) -> None:
    backend = captured(again)
    for seed in (0, 1, 0):  # other data: captured anew
        got = train(backend, optimizer, seed)
        wanted = train(get_backend("torch", "cpu"), optimizer, seed)
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(a, b)
    assert backend.rung().name == "captured"


def test_a_capture_that_fails_is_left_once_and_says_why() -> None:
    def refuse(step: Any, rewind: Callable[[], Any], shared: Any) -> Any:
        step(shared)
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    backend = captured(refuse)
    with pytest.warns(
        RuntimeWarning, match="PyTorch steps are plain from now on: captured"
    ) as seen:
        got = train(backend, adam())
    assert len(seen) == 1
    assert backend.rung().name == "plain"
    assert "not permitted" in backend.rung().reason
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(backend, adam())
    for a, b in zip(got, train(get_backend("torch", "cpu"), adam()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_carry_may_swap_and_stay() -> None:
    backend = captured(again)

    def f(carry: Any, x: Any, shared: Any) -> Any:
        a, b, c = carry
        return (b, a, c + x), (b, c.T)

    place = backend.to_device
    draw = np.random.default_rng(0).normal
    carry = tuple(place(draw(size=(3, 3)), "float64") for _ in range(3))
    xs = place(draw(size=(5, 3, 3)), "float64")
    got = backend.scan(f, carry, xs, ())
    wanted = get_backend("torch", "cpu").scan(f, carry, xs, ())
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_array_equal(a, b)
