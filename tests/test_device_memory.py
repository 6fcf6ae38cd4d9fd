"""A device without room: one message for all libraries, and a trainer that goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import leaves, make_problem, make_recipe, make_trainer, orders

from fastmlp import MLPClassifier
from fastmlp.backends import Backend, get_backend
from fastmlp.training import DeviceMemoryError

ERRORS = (
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 47040000 bytes."),
    RuntimeError("CUDA out of memory. Tried to allocate 44.86 MiB. GPU 0 has ...\nmore"),
    MemoryError("Out of memory allocating 47,040,000 bytes (allocated so far: 512 bytes)."),
    RuntimeError("cudaErrorMemoryAllocation: out of memory"),
    MemoryError(),
    np.exceptions.AxisError("no memory at all"),
)


def failing(error: Exception, at: int) -> Backend:
    """NumPy whose loop runs out of memory once, when it runs for the at-th time."""
    numpy, calls = get_backend("numpy"), 0

    def scan(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise error
        return numpy.scan(*args)

    return replace(numpy, scan=scan)


@pytest.mark.parametrize("error", ERRORS[:5], ids=lambda error: str(error)[:20])
def test_a_training_without_room_keeps_what_it_has(error: Exception) -> None:
    X, y = make_problem("softmax_cross_entropy", 64)
    trainer = make_trainer(make_recipe(), backend=failing(error, at=3))
    with pytest.raises(DeviceMemoryError) as caught:
        trainer.run(X, y, orders(64, 4))
    text = str(caught.value)
    assert (str(error).splitlines() or ["MemoryError"])[0] in text, (
        "with the bytes that were asked for"
    )
    assert "try a batch_size below 16" in text
    assert "weights of epoch 2 are kept" in text
    assert caught.value.__cause__ is error
    assert error.__traceback__ is None, "its frames would hold the memory"
    assert trainer.epoch == 2
    trainer.run(X, y, orders(64, 4)[2:])
    wanted = make_trainer(make_recipe())
    wanted.run(X, y, orders(64, 4))
    for a, b in zip(leaves(trainer.params()), leaves(wanted.params()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_errors_stay_what_they_are() -> None:
    trainer = make_trainer(make_recipe(), backend=failing(ERRORS[5], at=1))
    with pytest.raises(np.exceptions.AxisError):
        trainer.run(*make_problem("softmax_cross_entropy", 64), orders(64, 1))


@pytest.mark.parametrize("what", ["place", "evaluate", "predict", "logits"])
def test_data_without_room_are_told(what: str) -> None:
    X, y = make_problem("softmax_cross_entropy", 64)

    def to_device(host: Any, dtype: str) -> Any:
        if np.shape(host) == X.shape:
            raise ERRORS[0]
        return np.asarray(host, dtype=dtype)

    backend = replace(get_backend("numpy"), to_device=to_device)
    trainer = make_trainer(make_recipe(), backend=backend)
    arguments = (X, y) if what in ("place", "evaluate") else (X,)
    with pytest.raises(DeviceMemoryError, match="47040000 bytes") as caught:
        getattr(trainer, what)(*arguments)
    assert "batch_size" not in str(caught.value), "which it has nothing to do with"
    rows = "or fewer rows" if what == "place" else "or fewer than 64 rows at a time"
    assert str(caught.value).endswith(f"{rows}."), "nothing has been learnt that could be kept"


def full(error: Exception, after: int) -> Backend:
    """NumPy on a device that takes so many arrays."""
    numpy, taken = get_backend("numpy"), 0

    def to_device(host: Any, dtype: str) -> Any:
        nonlocal taken
        taken += 1
        if taken > after:
            raise error
        return numpy.to_device(host, dtype)

    return replace(numpy, to_device=to_device)


@pytest.mark.parametrize("error", ERRORS[:5], ids=lambda error: str(error)[:20])
def test_weights_without_room_are_told(error: Exception) -> None:
    with pytest.raises(DeviceMemoryError, match=r"try dtype='float32' or a smaller network\.$"):
        make_trainer(make_recipe(), backend=full(error, after=1))
    trainer = make_trainer(make_recipe(), backend=full(error, after=8))
    before = trainer.carry
    with pytest.raises(DeviceMemoryError, match=r"a smaller network\.$"):
        trainer.set_params(trainer.params())
    assert trainer.carry is before


@pytest.mark.parametrize("how", ["fit", "refit", "partial_fit", "lbfgs"])
def test_estimators_tell_of_it(how: str) -> None:
    X, y = np.eye(6, dtype="float32"), np.arange(6) % 2
    solver = "lbfgs" if how == "lbfgs" else "adam"
    model = MLPClassifier((4,), max_iter=2, tol=0.0, solver=solver)
    if how in ("refit", "partial_fit"):
        model.fit(X, y)
    model.set_params(backend=full(ERRORS[0], after=9 if how == "lbfgs" else 0))
    with pytest.raises(DeviceMemoryError, match="47040000 bytes"):
        model.partial_fit(X, y, classes=[0, 1]) if how == "partial_fit" else model.fit(X, y)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_is_advised_is_not_what_was_done(dtype: str) -> None:
    X, y = make_problem("softmax_cross_entropy", 64)
    recipe, backend = make_recipe(), failing(ERRORS[0], at=1)
    trainer = make_trainer(recipe, backend=backend, dtype="float32", batch_size=1)
    with pytest.raises(DeviceMemoryError) as caught:
        trainer.run(np.abs(X).astype(dtype), y, orders(64, 1))
    text = str(caught.value)
    assert ("X as uint8" in text) == (dtype != "uint8")
    assert "batch_size" not in text, "of one row there is no smaller one"
    assert "float32" not in text
    assert "kept" not in text
