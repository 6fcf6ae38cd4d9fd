"""The captured step of PyTorch, where what is captured is run again by Python instead of a GPU."""

from __future__ import annotations

import ctypes
import gc
import inspect
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp.backends import Backend, get_backend, torch_loop
from fastmlp.backends.ladder import KEPT, Ladder
from fastmlp.core import adam, gradient_descent, nesterov
from fastmlp.core.tree import tree_map
from fastmlp.training import DeviceMemoryError, draw_params

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


# ---------------------------------------------------------------------------- memory, threads


def fit(backend: Backend, n: int, seed: int = 0) -> list[Any]:
    X, y = make_problem("softmax_cross_entropy", n, seed=seed)
    trainer = make_trainer(make_recipe(), backend=backend)
    trainer.run(X, y, orders(n, 2))
    return list(leaves(trainer.params()))


def test_data_are_not_kept_from_being_freed() -> None:
    backend = captured(again)
    trainer = make_trainer(make_recipe(), backend=backend)
    data = trainer.place(*make_problem("softmax_cross_entropy", 64))
    trainer.train(data, orders(64, 2))
    arrays: Any = data.arrays
    freed = [weakref.ref(tensor) for tensor in leaves(arrays)]
    del arrays, data, trainer
    gc.collect()
    assert [tensor() for tensor in freed] == [None, None]


def test_memory_does_not_grow_with_sizes_that_have_been(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    real: Any = torch_loop.CapturedStep.__init__

    def counted(self: Any, *args: Any) -> None:
        alive.add(self)
        real(self, *args)

    monkeypatch.setattr(torch_loop.CapturedStep, "__init__", counted)
    backend = captured(again)
    for n in range(40, 40 + 2 * KEPT):
        fit(backend, n)
    gc.collect()
    assert len(alive) == KEPT


def test_memory_that_is_not_there_changes_no_rung() -> None:
    errors = [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")]

    def full(step: Any, rewind: Callable[[], Any], shared: Any) -> Any:
        if errors:
            raise errors.pop()
        return again(step, rewind, shared)

    backend = captured(full)
    with pytest.raises(DeviceMemoryError, match=r"2\.00 MiB"):
        fit(backend, 64)
    fit(backend, 64)
    assert backend.rung() == ("captured", "")


def test_threads_take_turns() -> None:
    backend, before = captured(again), sys.getswitchinterval()
    xs = torch.arange(60.0).reshape(20, 3)

    def f(carry: Any, x: Any, shared: Any) -> Any:
        return (0.5 * carry[0] + x,), (carry[0] + x,)

    def work(start: int) -> Any:
        return backend.scan(f, (torch.full((3,), float(start)),), xs, ())

    work(0)
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(work, range(40)))
    finally:
        sys.setswitchinterval(before)
    plain = get_backend("torch", "cpu")
    for start, got in enumerate(found):
        wanted = plain.scan(f, (torch.full((3,), float(start)),), xs, ())
        for a, b in zip(leaves(got), leaves(wanted), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_carry_of_another_shape_runs_as_it_is_written() -> None:
    backend, xs = captured(again), torch.ones((4, 3, 3))

    def f(carry: Any, x: Any, shared: Any) -> Any:
        return (carry[0] + x,), (x,)

    with pytest.warns(RuntimeWarning, match="a carry that changes its shape or dtype"):
        (after,), _ = backend.scan(f, (torch.zeros(3),), xs, ())
    assert after.tolist() == [[4.0] * 3] * 3
    assert backend.rung().name == "plain"


class Device:
    """What PyTorch is told to do on a GPU, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.cuda = SimpleNamespace(
            current_stream=lambda: self.stream("current"),
            Stream=lambda: self.stream("side"),
            stream=lambda stream: self.within(f"on {stream.name}"),
            CUDAGraph=lambda: SimpleNamespace(replay=lambda: self.told.append("replay")),
            graph=self.graph,
        )

    def stream(self, name: str) -> Any:
        return SimpleNamespace(
            name=name,
            wait_stream=lambda other: self.told.append(f"{name} waits for {other.name}"),
            wait_event=lambda event: self.told.append(f"{name} waits for {event}"),
            record_event=lambda: f"end of {name}",
        )

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        self.told.append(name)
        yield
        self.told.append("end")

    def graph(self, graph: Any, capture_error_mode: str = "global") -> Any:
        return self.within(f"capture, {capture_error_mode}")


def test_a_capture_warms_up_on_a_stream_of_its_own() -> None:
    device = Device()
    replay = torch_loop.cuda_capture(device)(
        lambda shared: device.told.append(f"step {shared}"), lambda: device.told.append("rewind"), 7
    )
    replay()
    assert device.told == [
        *("side waits for current", "on side"),
        *("rewind", "step 7") * torch_loop.WARM_UP,
        *("end", "current waits for side"),
        *("capture, thread_local", "step 7", "end", "replay"),
    ]
    assert torch_loop.WARM_UP >= 2, "libraries choose at the first, and take memory"
    parameters = inspect.signature(torch.cuda.graph.__init__).parameters
    assert "capture_error_mode" in parameters


def test_a_stream_waits_for_the_one_that_used_the_memory_before() -> None:
    device = Device()
    turns = torch_loop.cuda_turns(device)
    for name in ("a", "b"):
        device.cuda.current_stream = lambda name=name: device.stream(name)
        with turns():
            device.told.append(f"play on {name}")
    assert device.told == ["play on a", "b waits for end of a", "play on b"]


def test_a_step_is_played_within_a_turn() -> None:
    told: list[str] = []

    @contextmanager
    def turn() -> Iterator[None]:
        told.append("begin")
        yield
        told.append("end")

    def telling(step: Any, rewind: Callable[[], Any], shared: Any) -> Any:
        told.append("capture")
        return lambda: told.append("step")

    library = torch_loop.torch_library(torch, telling, turn)
    player = library.prepare("captured", None, (torch.zeros(1),), torch.zeros(2), ())
    player.play((torch.zeros(1),), torch.zeros(2))
    assert told == ["begin", "capture", "end", "begin", "step", "step", "end"]
