"""The two ways to train an estimator: epoch by epoch, or by L-BFGS."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from fastmlp.core import tree_map
from fastmlp.estimators.course import Course
from fastmlp.estimators.validation import Validation
from fastmlp.training import DivergenceError, Epoch, Trainer, TrainerLike
from fastmlp.training.lbfgs import minimize

Show = Callable[[dict[str, float]], None]


class Samples(NamedTuple):
    """What is learnt from, and what a training is judged by."""

    X: NDArray[Any]
    y: NDArray[Any]  # targets (n, n_outputs)
    weights: NDArray[Any] | None
    rows: NDArray[np.int32]  # of X, to be learnt from
    validation: Validation | None


class Job(NamedTuple):
    """A training that is ready to begin."""

    trainer: TrainerLike
    samples: Samples
    course: Course
    rng: np.random.RandomState
    epochs: int


def run_epochs(model: Any, job: Job, show: Show) -> None:
    """Train by "sgd" or "adam" until the loss, or the validation score, has settled."""
    trainer, samples, course = job.trainer, job.samples, job.course
    try:
        trainer.run(
            samples.X,
            samples.y,
            orders(model, job),
            listener(model, job, show),
            weights=samples.weights,
            learning_rates=course.rate.epochs(course.t, samples.rows.size),
        )
    except DivergenceError as error:
        keep_best(error, job)


def listener(model: Any, job: Job, show: Show) -> Callable[[Epoch], bool]:
    """Return what writes the history, and says when it is enough."""
    trainer, course = job.trainer, job.course
    n, validation = job.samples.rows.size, job.samples.validation

    def on_epoch(epoch: Epoch) -> bool:
        course.t += n
        _note(course, epoch, trainer, validation)
        score = -epoch.values["loss"]
        if validation is not None and model.early_stopping:
            outputs = trainer.predict(validation.X)
            score = model._score_of(outputs, validation.y, validation.weights)
            course.scores.append(score)
        is_best = course.patience.see(score, model.tol)
        if is_best and model.early_stopping:
            course.best = tree_map(np.array, trainer.params())
        show(epoch.values)
        if course.patience.stalled > model.n_iter_no_change:
            course.converged = course.rate.stalled()
            course.patience.stalled *= course.converged
        return course.converged

    return on_epoch


def keep_best(error: DivergenceError, job: Job) -> None:
    """Let a training that diverged end as early stopping goes, if there are good weights."""
    if job.course.best is None:
        raise error
    job.course.converged = True
    epoch = f"weights of epoch {job.trainer.epoch}"
    warnings.warn(
        str(error).replace(epoch, "best weights before"), ConvergenceWarning, stacklevel=6
    )


def _note(
    course: Course, epoch: Epoch, trainer: TrainerLike, validation: Validation | None
) -> None:
    """Write an epoch into the history."""
    found = trainer.evaluate(validation.X, validation.y) if validation else {}
    course.note(**epoch.values, epoch_s=epoch.epoch_s)
    course.note(**{f"val_{name}": value for name, value in found.items()})


def orders(model: Any, job: Job) -> Iterator[NDArray[np.int32]]:
    """Orders of the epochs: one cumulative shuffle, as scikit-learn draws it."""
    order = job.samples.rows
    for _ in range(job.epochs):
        if model.shuffle:
            places = np.arange(order.size)
            job.rng.shuffle(places)  # what sklearn.utils.shuffle draws, without its checks
            order = order[places]
        yield order


def run_lbfgs(model: Any, job: Job, show: Show) -> None:
    """Let SciPy train, on all samples at once."""
    trainer, samples, course = job.trainer, job.samples, job.course
    if not isinstance(trainer, Trainer):
        raise ValueError(f"solver='lbfgs' does not train on {trainer.name}: take 'adam' or 'sgd'.")

    def on_iteration(epoch: Epoch) -> None:
        _note(course, epoch, trainer, samples.validation)
        show(epoch.values)

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
        course.note(loss=ended.loss, epoch_s=0.0)
    if not ended.converged:
        warnings.warn(
            f"lbfgs ended after {ended.n_iter} iterations before the loss settled "
            f"({ended.reason}; it is {ended.loss:.4g}): raise max_iter={model.max_iter} or "
            f"max_fun={model.max_fun}, or scale X.",
            ConvergenceWarning,
            stacklevel=5,
        )


def advise(model: Any, course: Course) -> None:
    """Warn of epochs that went wrong or ended early; tol=0 asks for all of them."""
    losses = course.history["loss"][-course.n_iter :]
    if len(losses) > 1 and losses[-1] > losses[0]:
        advice = (
            f"The loss rose from {losses[0]:.4g} to {losses[-1]:.4g}: "
            f"learning_rate_init={model.learning_rate_init} is too large for these data, or "
            "they need scaling."
        )
    elif len(losses) == model.max_iter and model.tol > 0 and not course.converged:
        advice = (
            f"max_iter={model.max_iter} epochs are done before the loss settled to "
            f"tol={model.tol} (it is {losses[-1]:.4g}): more epochs may give a better fit."
        )
    else:
        return
    warnings.warn(advice, ConvergenceWarning, stacklevel=5)


def takes_parts(model: Any) -> bool:
    """Raise AttributeError, which hides partial_fit, unless the solver learns batch by batch."""
    if model.solver == "lbfgs":
        raise AttributeError(
            "partial_fit needs solver='adam' or 'sgd': 'lbfgs' looks at all samples at once."
        )
    return True
