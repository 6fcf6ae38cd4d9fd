"""Training by L-BFGS: SciPy drives, loss and gradient of all rows come from the backend."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.core.network import Layer, Params
from fastmlp.training.checks import check_batches
from fastmlp.training.memory import tells_of_memory
from fastmlp.training.programs import programs
from fastmlp.training.protocol import DivergenceError, Epoch
from fastmlp.training.trainer import Trainer


class Ended(NamedTuple):
    """How a minimisation ended."""

    n_iter: int
    loss: float  # penalty included
    converged: bool
    reason: str


@tells_of_memory
def minimize(
    trainer: Trainer,
    X: NDArray[Any],
    y: NDArray[Any],
    *,
    weights: NDArray[Any] | None = None,
    max_iter: int,
    max_fun: int,
    tol: float,
    on_iteration: Callable[[Epoch], Any] = lambda epoch: None,
) -> Ended:
    """Minimise the loss of all rows by L-BFGS-B, and leave the weights in the trainer.

    Parameters
    ----------
    trainer : Trainer
        Its optimizer and learning rate say nothing here.
    X : (n, n_features) array
    y : (n, n_outputs) array
    weights : (n,) array, optional
    max_iter, max_fun : int
        Iterations and evaluations of the loss at most.
    tol : float
        It ends where the largest part of the gradient is smaller.
    on_iteration : callable, optional
        Hears of each iteration; a true answer ends the minimisation.

    Returns
    -------
    Ended

    Raises
    ------
    DivergenceError
        The loss is not finite where an iteration ends.

    Examples
    --------
    >>> from fastmlp.backends import get_backend
    >>> from fastmlp.core import LOSSES, Recipe, gradient_descent
    >>> from fastmlp.training import Trainer, draw_params
    >>> X = np.asarray([[0.0], [1.0], [2.0], [3.0]])
    >>> linear = Recipe((), LOSSES["squared_error"], gradient_descent())
    >>> trainer = Trainer(
    ...     get_backend("numpy"), linear, draw_params((1, 1), 0),
    ...     learning_rate=1.0, batch_size=4, dtype="float64",
    ... )
    >>> minimize(trainer, X, 2.0 * X + 1.0, max_iter=50, max_fun=100, tol=1e-9).converged
    True
    >>> trainer.predict(np.asarray([[10.0]])).round(3)
    array([[21.]])

    References
    ----------
    Byrd, Lu, Nocedal and Zhu (1995), SIAM J. Sci. Comput. 16, 1190-1208; in SciPy.
    """
    from scipy import optimize

    recipe = trainer.recipe
    chances = {"dropout": any(recipe.dropout), "augmentation": recipe.augmentation is not None}
    for name, is_asked in chances.items():
        if is_asked:
            raise ValueError(
                f"recipe.{name}={getattr(recipe, name)}: L-BFGS needs the same loss for the same "
                f"weights, which {name} does not give. Leave {name} out, or train by epochs."
            )
    check_batches(weights, np.arange(X.shape[0], dtype=np.int32), X.shape[0])
    backend, data = trainer.backend, trainer.place(X, y, weights, whole=True)
    program = programs(backend, recipe).objective
    rows = backend.to_device(np.arange(data.n_rows), "int32")
    shapes = [layer.W.shape for layer in trainer.params()]
    first, loss, started = trainer.epoch, np.nan, time.perf_counter()

    def loss_and_gradient(vector: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        nonlocal loss
        params = backend.place(_unpack(vector, shapes), trainer.dtype)
        value, gradient = program(params, data.arrays, rows)
        loss = float(backend.to_host(value))
        return loss, np.asarray(backend.to_host(gradient), dtype=np.float64)

    def check_finite(value: float) -> None:
        if not math.isfinite(value):
            raise DivergenceError(
                f"lbfgs found no finite loss in iteration {trainer.epoch - first + 1} (it is "
                f"{value:g}): X, or y, is too large for dtype {trainer.dtype}. Scale both to "
                "values around 1. The weights of the iteration before are kept."
            )

    def accepted(vector: NDArray[Any]) -> None:
        nonlocal started
        check_finite(loss)
        trainer.set_params(_unpack(vector.copy(), shapes))
        trainer.epoch += 1
        now = time.perf_counter()
        is_enough = on_iteration(Epoch(trainer.epoch, {"loss": loss}, now - started))
        started = now
        if is_enough:
            raise StopIteration

    result = optimize.minimize(
        loss_and_gradient,
        _pack(trainer.params()),
        method="L-BFGS-B",
        jac=True,
        callback=accepted,
        options={"maxiter": max_iter, "maxfun": max_fun, "gtol": tol},
    )
    check_finite(float(result.fun))
    trainer.set_params(_unpack(result.x, shapes))
    return Ended(trainer.epoch - first, float(result.fun), result.status == 0, result.message)


def _pack(params: Params) -> NDArray[np.float64]:
    """W of all layers one after the other, then b."""
    leaves: list[Any] = [*(layer.W for layer in params), *(layer.b for layer in params)]
    return np.concatenate([np.ravel(leaf) for leaf in leaves]).astype(np.float64)


def _unpack(vector: NDArray[Any], shapes: list[tuple[int, ...]]) -> Params:
    """Cut a vector into layers; ``shapes`` are those of W."""
    sizes = [n_in * n_out for n_in, n_out in shapes] + [n_out for _, n_out in shapes]
    parts: list[Any] = np.split(vector, np.cumsum(sizes)[:-1])
    Ws, bs = parts[: len(shapes)], parts[len(shapes) :]
    return tuple(Layer(W.reshape(shape), b) for W, b, shape in zip(Ws, bs, shapes, strict=True))
