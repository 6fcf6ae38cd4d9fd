"""The two ways to train an estimator: epoch by epoch, or by L-BFGS."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from fastmlp.backends import Backend
from fastmlp.backends.notices import warn
from fastmlp.core import Recipe
from fastmlp.estimators.course import Course
from fastmlp.estimators.learning_rate import planned
from fastmlp.estimators.monitor import Judge
from fastmlp.estimators.parameters import SCHEDULES
from fastmlp.estimators.validation import Given, Validation
from fastmlp.training import DivergenceError, Epoch, Trainer, TrainerLike
from fastmlp.training.lbfgs import minimize

# Hears of an epoch, and whether there may be another; a true answer ends the training.
Hear = Callable[[bool], bool]


class Samples(NamedTuple):
    """What is learnt from, and what a training is judged by."""

    X: NDArray[Any]
    y: NDArray[Any]  # targets (n, n_outputs)
    weights: NDArray[Any] | None
    rows: NDArray[np.int32]  # of X, to be learnt from
    given: Given  # the same rows and others, before they became numbers
    validation: Validation | None


class Job(NamedTuple):
    """A training that is ready to begin."""

    backend: Backend
    recipe: Recipe
    dtype: str
    trainer: TrainerLike
    samples: Samples
    course: Course
    rng: np.random.RandomState
    epochs: int
    n_steps: int  # of an epoch
    judge: Judge | None


class Epochs(NamedTuple):
    """What a trainer asks for, epoch by epoch, and whom it tells."""

    orders: Iterator[NDArray[np.int32]]
    learning_rates: Iterator[float]
    on_epoch: Callable[[Epoch], bool]


def run_epochs(model: Any, job: Job, hear: Hear) -> None:
    """Train epoch by epoch until the loss, or the validation score, has settled."""
    of_others: list[DivergenceError] = []  # trainings that a callback runs

    def heard(goes_on: bool) -> bool:
        try:
            return hear(goes_on)
        except DivergenceError as error:
            of_others.append(error)
            raise

    samples, epochs = job.samples, epochs_of(model, job, heard)
    try:
        job.trainer.run(
            samples.X,
            samples.y,
            epochs.orders,
            epochs.on_epoch,
            weights=samples.weights,
            learning_rates=epochs.learning_rates,
        )
    except DivergenceError as error:
        if any(error is other for other in of_others):
            raise
        end_diverged(error, job)


def epochs_of(model: Any, job: Job, hear: Hear) -> Epochs:
    """Return the epochs of a job; the last one is that in which on_epoch says so."""
    trainer, samples, course = job.trainer, job.samples, job.course
    n = samples.rows.size
    rates: deque[float] = deque()  # of the epochs that have begun

    def noted_rates() -> Iterator[float]:
        for rate in course.rate.epochs(course.t, n):
            rates.append(rate)
            yield rate

    def on_epoch(epoch: Epoch) -> bool:
        course.t += n
        # what a schedule makes of the rate of the first step
        factor = planned(job.recipe.optimizer, (epoch.epoch - 1) * job.n_steps + 1)
        rate = rates.popleft() * factor
        course.history.begin_row(**epoch.values, learning_rate=rate, epoch_s=epoch.epoch_s)
        _validate(course, trainer, samples.validation, job.judge)
        score = -epoch.values["loss"]
        if course.stops_early:
            score = course.history["val_score"][-1]
            course.scores.append(score)
        is_best = course.patience.see(score, model.tol)
        if is_best and course.stops_early:
            course.best = trainer.params()
        if course.patience.stalled > model.n_iter_no_change:
            course.converged = course.rate.stalled()
            course.patience.stalled *= course.converged
        is_enough = hear(not course.converged)
        return course.converged or is_enough

    return Epochs(_orders(model, job), noted_rates(), on_epoch)


def end_diverged(error: DivergenceError, job: Job) -> None:
    """Let a training that diverged end as early stopping goes, or raise the error.

    There are weights to keep, the best ones or, where no epoch had a finite score, those of the
    last.
    """
    course, epoch = job.course, job.trainer.epoch
    if not (course.stops_early and (course.best is not None or epoch > 0)):
        raise error
    course.converged = course.diverged = True
    text = str(error)
    if course.best is not None:
        text = text.replace(f"weights of epoch {epoch}", "best weights before")
    warn(text, ConvergenceWarning)


def _validate(
    course: Course, trainer: TrainerLike, validation: Validation | None, judge: Judge | None
) -> None:
    """Write what validation finds into the row of the epoch, which is there by now."""
    if validation is None:
        return
    found = trainer.evaluate(validation.X, validation.y)
    course.history.add(**{f"val_{name}": value for name, value in found.items()})
    if judge is not None:
        course.history.add(val_score=judge(found))


def _orders(model: Any, job: Job) -> Iterator[NDArray[np.int32]]:
    """Orders of the epochs: one cumulative shuffle, as scikit-learn draws it."""
    order = job.samples.rows
    for _ in range(job.epochs):
        if model.shuffle:
            places = np.arange(order.size)
            job.rng.shuffle(places)  # what sklearn.utils.shuffle draws, without its checks
            order = order[places]
        yield order


def run_lbfgs(model: Any, job: Job, hear: Hear) -> None:
    """Let SciPy train, on all samples at once."""
    trainer, samples, course = job.trainer, job.samples, job.course
    if not isinstance(trainer, Trainer):
        raise ValueError(f"solver='lbfgs' does not train on {trainer.name}: take 'adam' or 'sgd'.")
    is_enough = False

    def on_iteration(epoch: Epoch) -> bool:
        nonlocal is_enough
        course.history.begin_row(**epoch.values, epoch_s=epoch.epoch_s)
        _validate(course, trainer, samples.validation, job.judge)
        is_enough = hear(True)
        return is_enough

    ended = minimize(
        trainer,
        samples.X,
        samples.y,
        weights=samples.weights,
        max_iter=model.max_iter,
        max_fun=model.max_fun,
        tol=model.tol,
        on_iteration=on_iteration,
    )
    course.converged = ended.converged
    if not ended.n_iter:
        course.history.begin_row(loss=ended.loss, epoch_s=0.0)
    if not ended.converged and not is_enough:
        warn(
            f"lbfgs ended after {ended.n_iter} iterations before the loss settled "
            f"({ended.reason}; it is {ended.loss:.4g}): raise max_iter={model.max_iter} or "
            f"max_fun={model.max_fun}, or scale X.",
            ConvergenceWarning,
        )


def advise(model: Any, course: Course) -> None:
    """Warn of epochs that went wrong or ended early; tol=0 asks for all of them."""
    losses = course.history["loss"][-course.n_iter :]
    if course.diverged:
        return  # has been said
    if len(losses) > 1 and losses[-1] > losses[0]:
        advice = (
            f"The loss rose from {losses[0]:.4g} to {losses[-1]:.4g}: "
            f"learning_rate_init={model.learning_rate_init} is too large for these data, or "
            "they need scaling."
        )
    elif (
        len(losses) == model.max_iter
        and model.tol > 0
        and not course.converged
        and model.learning_rate not in SCHEDULES  # they end where they were planned to
    ):
        advice = (
            f"max_iter={model.max_iter} epochs are done before the loss settled to "
            f"tol={model.tol} (it is {losses[-1]:.4g}): more epochs may give a better fit."
        )
    else:
        return
    warn(advice, ConvergenceWarning)


def takes_parts(model: Any) -> bool:
    """Raise AttributeError, which hides partial_fit, unless the solver learns batch by batch."""
    if model.solver == "lbfgs":
        raise AttributeError(
            "partial_fit needs solver='adam' or 'sgd': 'lbfgs' looks at all samples at once."
        )
    return True
