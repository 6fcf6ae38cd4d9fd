"""Many networks that differ in seeds, learning rates or rows, learnt in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import _num_samples

from fastmlp.backends import array_backend
from fastmlp.backends.notices import warn
from fastmlp.estimators.arrays import as_host
from fastmlp.estimators.base import BaseMLP
from fastmlp.estimators.on_device import home, rows_of
from fastmlp.estimators.pairs import Rows, paired
from fastmlp.estimators.progress import Show, progress_bar
from fastmlp.estimators.solvers import Hear, Job, advise, end_diverged, epochs_of
from fastmlp.training import DivergenceError, Trainer
from fastmlp.training.many import Learner, train_many

# What networks of one pass may differ in; it changes no program and no shape.
OWN = ("random_state", "learning_rate_init")


def fit_many(
    model: Any,
    X: Any,
    y: Any,
    params: Iterable[Mapping[str, Any]] | None = None,
    *,
    rows: Sequence[ArrayLike] | None = None,
    sample_weight: Any = None,
    X_val: Any = None,
    y_val: Any = None,
) -> list[Any]:
    """Train many networks, at once where the backend can; each as ``fit`` would, to rounding.

    Networks that differ in ``random_state``, ``learning_rate_init`` and rows alone are learnt in
    one pass on JAX, from one copy of X; all others one after the other.

    Parameters
    ----------
    model : MLPClassifier or MLPRegressor
        What the networks have in common; it is left as it is.
    X, y, sample_weight, X_val, y_val
        As for `MLPClassifier.fit`.
    params : iterable of dict, optional
        Parameters of each network that differ from the model's, such as scikit-learn's
        ``ParameterGrid`` gives them; left out, there are none.
    rows : sequence of int arrays, optional
        Numbers of the rows that each network learns from, as for cross-validation; left out, all.
        With params, one for each of them.

    Returns
    -------
    list of MLPClassifier or MLPRegressor
        In the order of params and rows. One that diverges keeps the weights of the epoch before,
        or stays unfitted if there are none, and a warning names it; the others do not notice.

    Raises
    ------
    TypeError, ValueError
        The model, a parameter, rows or the data are not usable; nothing is trained then.
    DeviceMemoryError
        There is no room for so many networks at once.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> from fastmlp import MLPClassifier, fit_many
    >>> X, y = [[0.0], [0.1], [0.9], [1.0]], [0, 0, 1, 1]
    >>> model = MLPClassifier((), solver="sgd", learning_rate_init=1.0, tol=0, random_state=0)
    >>> folds = list(KFold(4).split(X))
    >>> models = fit_many(model, X, y, rows=[train for train, _ in folds])
    >>> [model.predict([X[test[0]]]).tolist() for model, (_, test) in zip(models, folds)]
    [[0], [0], [1], [1]]
    """
    if not isinstance(model, BaseMLP):
        raise TypeError(
            f"model={model!r} is a {type(model).__name__}, expected an MLPClassifier or an "
            "MLPRegressor: of a pipeline give the last step, and X as the steps before it leave it."
        )
    weighed = [sample_weight] if np.ndim(sample_weight) else []
    check_consistent_length(X, y, *weighed)
    settings, parts = paired(params, rows, _num_samples(X))
    models = [clone(model).set_params(**setting) for setting in settings]
    for found in models:
        found._validate_params()
    data = _Samples(X, y, sample_weight, X_val, y_val)
    failed: list[int] = []
    for numbers in _groups(models, parts, X):
        left = numbers
        if len(numbers) > 1:
            left = _together(models, parts, data, numbers, failed)
        for number in left:
            try:
                X_own, y_own, weights = data.of(parts[number])
                models[number].fit(X_own, y_own, weights, X_val=X_val, y_val=y_val)
            except DivergenceError:
                failed.append(number)
    if failed:
        _warn_of(models, settings, sorted(failed))
    return models


class _Samples(NamedTuple):
    """What fit_many was given to learn from and to judge by."""

    X: Any
    y: Any
    weights: Any
    X_val: Any
    y_val: Any

    def of(self, rows: Rows | None) -> tuple[Any, Any, Any]:
        """X, y and weights of these rows, or of all."""
        if rows is None:
            return self.X, self.y, self.weights
        y, weights = as_host(self.y, "y"), as_host(self.weights, "sample_weight")
        if np.ndim(weights):
            weights = _safe_indexing(weights, rows)
        return _rows(self.X, rows), _safe_indexing(y, rows), weights


def _rows(X: Any, rows: Rows) -> Any:
    owner = array_backend(X)
    if owner is not None:
        return rows_of(X, rows, owner)
    return _safe_indexing(X, rows)


def _groups(models: list[Any], parts: list[Rows | None], X: Any) -> list[list[int]]:
    """Numbers of networks that may be learnt in one pass."""
    groups: dict[Any, list[int]] = {}
    for number, (model, rows) in enumerate(zip(models, parts, strict=True)):
        others = model.get_params(deep=False)
        key: Any = number
        if _can_join(model, X):
            n_rows = None if rows is None else rows.size
            key = n_rows, repr(sorted((name, others[name]) for name in others if name not in OWN))
        groups.setdefault(key, []).append(number)
    return list(groups.values())


def _can_join(model: Any, X: Any) -> bool:
    """Tell whether a network may be learnt beside others."""
    if model.solver == "lbfgs":  # takes steps of its own
        return False
    if isinstance(model.random_state, np.random.RandomState):  # which others may draw from
        return False
    if model._has_callbacks:  # which would hear of many trainings at once
        return False
    return model._backend(X).many is not None


def _together(
    models: list[Any],
    parts: list[Rows | None],
    data: _Samples,
    numbers: list[int],
    failed: list[int],
) -> list[int]:
    """Learn networks that are alike in one pass; return those that turn out not to be."""
    whole = clone(models[numbers[0]])
    X, y = whole._check_data(data.X, data.y, whole._backend(data.X), reset=True)
    targets = whole._learnt_from(whole._encode(y, True))
    jobs: dict[int, Job] = {}
    for number in numbers:
        own = data.of(parts[number])
        job = models[number]._prepared(*own, data.X_val, data.y_val, resume=False)
        if isinstance(job.trainer, Trainer) and _same_labels(models[number], whole):
            jobs[number] = _without_data(job)
    if jobs:
        with progress_bar(bool(whole.verbose), whole.max_iter) as show:
            hear = _once_per_epoch(show)
            learners = [
                _learner(models[number], job, parts[number], hear(job))
                for number, job in jobs.items()
            ]
            _train(learners, X, targets)
        for learner, (number, job) in zip(learners, jobs.items(), strict=True):
            if _ended(models[number], job, learner):
                models[number]._home = home(data.X)
            else:
                failed.append(number)
    return [number for number in numbers if number not in jobs]


def _without_data(job: Job) -> Job:
    """Let go of the copies of rows: they are found in X."""
    left: dict[str, Any] = {"X": None, "y": None, "given": None}
    if job.samples.validation is not None:
        left["validation"] = job.samples.validation._replace(given=None)  # type: ignore[arg-type]
    return job._replace(samples=job.samples._replace(**left))


def _same_labels(model: Any, whole: Any) -> bool:
    """Tell whether the rows of a network have all classes, so that its outputs are the others'."""
    return np.array_equal(getattr(model, "classes_", ()), getattr(whole, "classes_", ()))


def _once_per_epoch(show: Show) -> Callable[[Job], Hear]:
    """Let a progress bar see the first network that tells of each epoch."""
    shown = 0

    def of_job(job: Job) -> Hear:
        def hear(goes_on: bool) -> bool:
            nonlocal shown
            if job.trainer.epoch > shown:
                shown = job.trainer.epoch
                show(job.course.history.row)
            return False

        return hear

    return of_job


def _learner(model: Any, job: Job, rows: Rows | None, hear: Hear) -> Learner:
    epochs, samples = epochs_of(model, job, hear), job.samples
    return Learner(
        trainer=job.trainer,  # type: ignore[arg-type]  # asked before
        orders=epochs.orders,
        on_epoch=epochs.on_epoch,
        learning_rates=epochs.learning_rates,
        rows=rows,
        weights=samples.weights,
        looks=samples.validation is not None,
    )


def _train(learners: list[Learner], X: Any, targets: Any) -> None:
    """Train until all have ended, or the user has had enough."""
    try:
        train_many(learners, X, targets)
    except KeyboardInterrupt:
        epoch = min(learner.trainer.epoch for learner in learners)
        if epoch == 0:
            raise
        warn(
            f"Training was interrupted in epoch {epoch + 1}: each network keeps what it had learnt "
            "by then."
        )


def _ended(model: Any, job: Job, learner: Learner) -> bool:
    """Give a network what it has learnt; tell whether all is well."""
    is_well = True
    if learner.error is not None:
        try:
            end_diverged(learner.error, job)
        except DivergenceError:
            is_well = False
    if job.trainer.epoch:
        model._keep(job.trainer, job.course)
    else:
        model.__dict__ = clone(model).__dict__
    if is_well:
        advise(model, job.course)
    return is_well


def _warn_of(models: list[Any], settings: list[Mapping[str, Any]], failed: list[int]) -> None:
    """Name the networks that diverged."""
    ends = [
        f"after epoch {models[number].n_iter_}"
        if hasattr(models[number], "coefs_")
        else "in the first epoch, which leaves it unfitted"
        for number in failed
    ]
    named = "; ".join(
        f"number {number} with {dict(settings[number])} {end}"
        for number, end in zip(failed, ends, strict=True)
    )
    warn(
        f"{len(failed)} of {len(models)} networks diverged and keep the weights of the epoch "
        f"before: {named}. Try a smaller learning_rate_init, or scale X to 0..1.",
        ConvergenceWarning,
    )
