"""Parts of a training that some contenders have a call for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.peers.problem import Problem
from bench.suites.contenders import Contender, OfBackend, OfTorch
from bench.suites.rounds import Work
from fastmlp import core
from fastmlp.training import one_hot


def pieces(contender: Contender, problem: Problem) -> dict[str, Work]:
    """Return "forward", "backprop" and "step" of the first batch, where there are such calls."""
    if isinstance(contender, OfBackend):
        return _of_backend(contender, problem)
    if isinstance(contender, OfTorch):
        return _of_torch(contender, problem)
    return {}


def _of_backend(contender: OfBackend, problem: Problem) -> dict[str, Work]:
    trainer, size = contender.trainer, problem.batch_size
    backend, carry = trainer.backend, trainer.carry
    xp, recipe = backend.xp, backend.tune(trainer.recipe)
    x = backend.to_device(problem.X[:size], "uint8")
    y = backend.to_device(one_hot(problem.y[:size], problem.layer_sizes[-1]), "float32")
    forward = backend.jit(lambda params, x: core.logits(xp, recipe, params, x))
    backprop = backend.jit(lambda p, x, y: core.gradient(xp, recipe, p, x, y, 1 / size))
    step = backend.jit(lambda carry, x, y: core.step(xp, recipe, carry, x, y))

    def waited(f: Callable[..., Any], *args: Any) -> Work:
        def do(n: int) -> None:
            found = None
            for _ in range(n):
                found = f(*args)
            backend.sync(found)

        return do

    def steps(n: int) -> None:
        now = carry
        for _ in range(n):
            now, _ = step(now, x, y)
        backend.sync(now)

    return {
        "forward": waited(forward, carry.params, x),
        "backprop": waited(backprop, carry.params, x, y),
        "step": steps,
    }


def _of_torch(contender: OfTorch, problem: Problem) -> dict[str, Work]:
    torch, model, size = contender.torch, contender.model, problem.batch_size
    x, y = contender.X[:size], contender.y[:size]

    def forward() -> None:
        with torch.inference_mode():
            model(x)

    def backprop() -> None:
        torch.nn.functional.cross_entropy(model(x), y).backward()
        model.zero_grad(set_to_none=True)

    def repeated(f: Callable[[], None]) -> Work:
        def do(n: int) -> None:
            for _ in range(n):
                f()

        return do

    return {
        "forward": repeated(forward),
        "backprop": repeated(backprop),
        "step": repeated(lambda: contender.step(x, y)),
    }


def estimator(name: str, problem: Problem, epochs: int) -> tuple[Any, Any] | None:
    """Return a classifier that trains as the problem says, and the rows that it wants.

    None if the contender has no classifier.
    """
    X = problem.X
    if name == "pytorch":
        return None
    if name == "scikit-learn":
        from sklearn.neural_network import MLPClassifier as Classifier

        X = X.astype(np.float32)  # of bytes it would make float64, twice the work
        own: dict[str, Any] = {}
    elif name == "keras":
        from fastmlp.reference import MLPClassifier as Classifier

        own = {"dtype": "float32"}
    else:
        from fastmlp import MLPClassifier as Classifier

        own = {"dtype": "float32", "backend": name}
    return Classifier(**settings(problem, epochs), **own), X


def settings(problem: Problem, epochs: int) -> dict[str, Any]:
    """Parameters of an estimator that trains as the problem says, on bytes at face value."""
    return {
        "hidden_layer_sizes": problem.layer_sizes[1:-1],
        "solver": "sgd",
        "momentum": 0.0,
        "alpha": 0.0,
        "batch_size": problem.batch_size,
        "learning_rate_init": 1e-4,  # all weights stay finite
        "max_iter": epochs,
        "n_iter_no_change": epochs,
        "random_state": 0,
    }
