"""Who is put through the training, in which dtypes and precisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from fastmlp.backends import (
    PRECISIONS,
    Backend,
    BackendUnavailableError,
    backend_names,
    backend_status,
    get_backend,
)
from fastmlp.certificate.result import Missing, Parity, Row, tolerance
from fastmlp.certificate.training import Distances, Outcome, Training, distances
from fastmlp.reference import KerasTrainer, reference_status
from fastmlp.training import Trainer, TrainerLike

REFERENCE = "keras"
DTYPES = ("float64", "float32")
NOT_FINITE = Distances(float("nan"), float("nan"), float("nan"))


class Contender(NamedTuple):
    """One row to be."""

    name: str
    device: str
    version: str
    dtype: str
    precision: str
    make_trainer: Callable[..., TrainerLike]


def parity(
    backends: str | Backend | Sequence[str | Backend] | None = None,
    steps: int = 100,
    *,
    hidden: Sequence[int] = (32,),
    activation: str = "tanh",
    optimizer: str = "gradient_descent",
    seed: int = 0,
) -> Parity:
    """Train the same network on each backend, and measure how far it ends from NumPy float64.

    Every backend gets the same weights, the same 310 digits and the same order of the batches, and
    is compared with the formulas of `fastmlp.core` run by NumPy in float64, one batch after the
    other. ``docs/parity.md`` says where the tolerances come from.

    Parameters
    ----------
    backends : names, records, or None, default=None
        Out of `fastmlp.backends.backend_names`, or "keras", the reference; a `Backend` is taken
        with the precision that it has. None: all backends, without the reference.
    steps : int, default=100
        Steps of training, a multiple of 10.
    hidden : sequence of int, default=(32,)
        Units of the hidden layers.
    activation : str, default="tanh"
        Of the hidden layers. A ReLU has a kink: in float32 a z near 0 may fall on its other side
        and move the weights by far more than a rounding, on any library.
    optimizer : {"gradient_descent", "momentum", "nesterov", "adam"}, default="gradient_descent"
    seed : int, default=0
        Of the weights and of the orders.

    Returns
    -------
    Parity
        A row for each backend, dtype and precision, and what could not run with its reason.

    Raises
    ------
    ValueError
        A name is unknown, or a choice is not possible.

    Examples
    --------
    >>> import fastmlp
    >>> certificate = fastmlp.parity(["numpy"], steps=20)
    >>> [(row.dtype, row.verdict) for row in certificate.rows]
    [('float64', 'holds'), ('float32', 'holds')]
    >>> certificate.raise_for_difference()
    """
    sizes = np.asarray(hidden).tolist()
    sizes = tuple(sizes) if isinstance(sizes, list) else sizes  # which refuses them
    training = Training(steps, sizes, activation, optimizer, seed)
    asked = _asked_for(backends)
    reference = training.reference()
    found = [
        contender if isinstance(contender, Missing) else _measured(contender, training, reference)
        for one in asked
        for contender in _contenders(one)
    ]
    rows = tuple(row for row in found if isinstance(row, Row))
    return Parity(training, rows, tuple(row for row in found if isinstance(row, Missing)))


def _asked_for(
    backends: str | Backend | Sequence[str | Backend] | None,
) -> tuple[str | Backend, ...]:
    if backends is None:
        return backend_names()
    asked = (backends,) if isinstance(backends, str | Backend) else tuple(backends)
    known = (*backend_names(), REFERENCE)
    for one in asked:
        if not isinstance(one, Backend) and one not in known:
            raise ValueError(
                f"backends={one!r} is unknown, expected names out of {list(known)}, or Backend "
                "records."
            )
    if not asked or len(set(asked)) < len(asked):
        raise ValueError(f"backends={asked!r} is not possible, expected one or more, none twice.")
    return asked


def _contenders(asked: str | Backend) -> Iterator[Contender | Missing]:
    if isinstance(asked, Backend):
        yield from (_of_backend(asked, dtype, "") for dtype in DTYPES)
    elif asked == REFERENCE:
        yield from _of_reference()
    else:
        yield from _of_name(asked)


def _of_name(name: str) -> Iterator[Contender | Missing]:
    """Both dtypes, and float32 multiplied in each precision that the backend offers."""
    status = backend_status(name)
    if not status.available:
        yield Missing(name, "", "", status.reason, status.hint)
        return
    yield _of_backend(get_backend(name), "float64", status.version)
    for precision in PRECISIONS:
        try:
            yield _of_backend(get_backend(name, precision=precision), "float32", status.version)
        except BackendUnavailableError as error:
            yield Missing(name, "float32", precision, error.reason, error.hint)


def _of_backend(backend: Backend, dtype: str, version: str) -> Contender:
    precision = "float64" if dtype == "float64" else backend.precision  # of float32 products alone
    make = partial(Trainer, backend)
    return Contender(backend.name, backend.device, version, dtype, precision, make)


def _of_reference() -> Iterator[Contender | Missing]:
    status = reference_status()
    if not status.available:
        yield Missing(REFERENCE, "", "", status.reason, status.hint)
        return
    for dtype in DTYPES:
        yield Contender(REFERENCE, status.device, status.version, dtype, dtype, KerasTrainer)
    for precision in PRECISIONS[1:]:
        reason = f"precision={precision!r} is not one of its own, it multiplies float32 in full"
        yield Missing(REFERENCE, "float32", precision, reason, "")


def _measured(contender: Contender, training: Training, reference: Outcome) -> Row | Missing:
    name, _, version, dtype, precision, make_trainer = contender
    limit = tolerance(precision, training.steps)

    def row(device: str, found: Distances, reason: str = "") -> Row:
        return Row(name, device, version, dtype, precision, *found, limit, reason)

    try:
        outcome = training.run(make_trainer, dtype)
        kinds = {str(np.asarray(array).dtype) for layer in outcome.params for array in layer}
        if kinds != {dtype}:
            return row(outcome.device, NOT_FINITE, f"its weights are {sorted(kinds)}")
        return row(outcome.device, distances(outcome, reference))
    except BackendUnavailableError as error:
        return Missing(name, dtype, precision, error.reason, error.hint)
    except Exception as error:  # of a library or a plug-in: a finding, and no end of the others
        return row(contender.device, NOT_FINITE, f"{type(error).__name__}: {error}")
