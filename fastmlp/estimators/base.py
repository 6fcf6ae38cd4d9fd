"""What both estimators share: parameters, data, training, fitted attributes."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from fastmlp.backends import Backend
from fastmlp.backends.notices import warn
from fastmlp.estimators.arrays import as_host, features, filled
from fastmlp.estimators.course import Course
from fastmlp.estimators.exchange.methods import Exchange
from fastmlp.estimators.fitted import TAKEN, Fitted
from fastmlp.estimators.hooks import HasCallbacks, Hooks, with_callbacks
from fastmlp.estimators.identity import identity
from fastmlp.estimators.monitor import judge_of, scorer_of
from fastmlp.estimators.on_device import check_finite, home, rows_of, stand_in
from fastmlp.estimators.progress import progress_bar
from fastmlp.estimators.solvers import Job, Samples, advise, run_epochs, run_lbfgs
from fastmlp.estimators.validation import Validation, as_given, split_off
from fastmlp.training import Trainer, draw_params
from fastmlp.training.placed import dtype_name


class BaseMLP(HasCallbacks, Fitted, Exchange):
    """Training and outputs of `MLPClassifier` and `MLPRegressor`."""

    # What an estimator says: what y means, which loss goes with it, how good outputs are.

    @abstractmethod
    def _encode(self, y: Any, reset: bool) -> NDArray[Any]:
        """Targets (n, n_outputs) of y; learn what y means if reset, else refuse what is new."""

    @abstractmethod
    def _score_of(
        self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None
    ) -> float:
        """Accuracy or R2 of outputs."""

    def _check_warm_start(self, y: Any) -> None:
        """Raise ValueError unless a network trained before can go on with y."""

    def _weighted(self, weights: Any, y: Any, incremental: bool) -> Any:
        """Weights (n,) of the samples with these y, or None."""
        return weights

    def _learnt_from(self, targets: Any) -> Any:
        """What the network is to say where the truth is targets."""
        return targets

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Any:
        """Train the network.

        Parameters
        ----------
        X : (n_samples, n_features) array or sparse matrix
            uint8 stays uint8 until a batch needs it, at face value; a sparse matrix is filled up.
            An array of the backend's library on its device stays there, and answers are of its
            kind; y and sample_weight pass through the host once.
        y : (n_samples,) or (n_samples, n_outputs) array
        sample_weight : (n_samples,) array, optional
            What each sample counts in the mean of its batch (eq. 24).
        X_val, y_val : arrays, optional
            Evaluated after each epoch into ``history_["val_..."]``; nothing is learnt from them,
            but with early_stopping they take the place of the part that is split off.
            Steps before this one in a pipeline do not see them: transform them as X was.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter, X or y is not usable; the message says which and why.
        BackendUnavailableError
            The backend asked for cannot run here.
        DivergenceError
            The loss stopped being finite; the estimator keeps the last finite weights.
        """
        return self._trained(X, y, sample_weight, X_val, y_val, resume=self.warm_start)

    def _trained(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any = None,
        y_val: Any = None,
        *,
        resume: bool,
        incremental: bool = False,
        learn_classes: Any = None,
    ) -> Any:
        """Train; an estimator that has learnt nothing by an error stays the one it was."""
        before = dict(self.__dict__)
        try:
            job = self._prepared(
                X,
                y,
                sample_weight,
                X_val,
                y_val,
                resume=resume,
                incremental=incremental,
                learn_classes=learn_classes,
            )
            self._run(job, incremental)
            self._home = home(X)
        except BaseException:
            if self.__dict__.get("coefs_") is before.get("coefs_"):
                self.__dict__.clear()
                self.__dict__.update(before)
            raise
        return self

    def _prepared(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        *,
        resume: bool,
        incremental: bool = False,
        learn_classes: Any = None,
    ) -> Job:
        """Check all that is given, learn what y means, and draw what comes before the epochs."""
        self._validate_params()
        if learn_classes is not None:
            learn_classes()
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: give both, or neither.")
        if incremental and self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: it sees one part of the "
                "samples. Set early_stopping=False, or take fit."
            )
        self._check_monitor(has_validation=X_val is not None)
        first = not (resume and hasattr(self, "coefs_"))
        backend, given_X = self._backend(X), X
        X, y_raw = self._check_data(X, y, backend, reset=first)
        y = self._encode(y_raw, first and learn_classes is None)
        if not first and not incremental:
            self._check_warm_start(y_raw)
        weights = sample_weight
        if weights is not None:
            rows = stand_in(X) if self._stays(X, backend) else X
            weights = _check_sample_weight(as_host(weights, "sample_weight"), rows)
        given = as_given(given_X, y_raw, weights)
        weights = self._weighted(weights, y_raw, incremental)
        validation = None
        if X_val is not None:
            validation = self._check_validation(X_val, y_val, backend)
        samples = Samples(X, y, weights, np.arange(X.shape[0], dtype=np.int32), given, validation)
        return self._job(backend, samples, first, incremental)

    def _job(self, backend: Backend, samples: Samples, first: bool, incremental: bool) -> Job:
        rng = check_random_state(self.random_state)
        X, y = samples.X, samples.y
        dtype = self.dtype or ("float32" if dtype_name(X) == "float32" else "float64")
        sizes = (X.shape[1], *self._hidden(), y.shape[1])
        stops_early = self._stops_early()
        if first:
            params = draw_params(sizes, rng, activation=self.activation, init=self.init)
            course = Course(self._rate(), stops_early=stops_early, monitor=identity(self.monitor))
        else:
            params = self._own_params(sizes)
            keeps = incremental and self._has_moments_for(self._optimizer())
            rate = None if keeps else self._rate()
            course = self._course.resumed(rate, stops_early, identity(self.monitor))
        if stops_early and samples.validation is None:
            samples = self._split(samples, rng, backend)
        course.n_samples = samples.rows.size
        # of a generator of the caller's no order is drawn in vain; validation and callbacks are
        # timed apart
        overlap = (
            isinstance(self.random_state, Integral)
            and samples.validation is None
            and self.learning_rate != "adaptive"
            and not self._has_callbacks
        )
        samples = samples._replace(y=self._learnt_from(samples.y))
        batch_size, epochs = self._batch_size(samples.rows.size), self.max_iter
        n_steps = math.ceil(samples.rows.size / batch_size)
        recipe = self._recipe(epochs * n_steps, incremental)
        seed = int(rng.randint(2**31 - 1)) if recipe.dropout or recipe.augmentation else 0
        trainer = self._trainer_of(backend, recipe, params, batch_size, dtype, overlap, seed)
        if incremental:
            epochs = 1
            if not isinstance(trainer, Trainer):
                raise ValueError(f"partial_fit does not train on {trainer.name}: take fit.")
            self._give_moments(trainer)
        judge = None
        if samples.validation is not None and (stops_early or self.monitor is not None):
            judge = judge_of(self, trainer, course, samples.validation)
        return Job(backend, recipe, dtype, trainer, samples, course, rng, epochs, n_steps, judge)

    @with_callbacks  # type: ignore[untyped-decorator]  # tears down those that Hooks sets up
    def _run(self, job: Job, incremental: bool) -> None:
        trainer, course = job.trainer, job.course
        hooks = Hooks(self, job) if self._has_callbacks and not incremental else None
        has_ended = False
        try:
            with progress_bar(bool(self.verbose), job.epochs) as show:

                def hear(goes_on: bool) -> bool:
                    show(course.history.row)
                    return hooks is not None and hooks.epoch_ended(goes_on)

                (run_lbfgs if self.solver == "lbfgs" else run_epochs)(self, job, hear)
            has_ended = True
        except KeyboardInterrupt:
            if trainer.epoch == 0:
                raise
            kept = "weights of" if course.best is None else "best weights up to"
            warn(f"Training was interrupted: the {kept} epoch {trainer.epoch} are kept.")
        finally:
            if has_ended or trainer.epoch:
                self._keep(trainer, course)
        if hooks is not None:
            hooks.ended()
        if not incremental and self.solver != "lbfgs":
            advise(self, course)

    def _check_monitor(self, has_validation: bool) -> None:
        scorer_of(self.monitor)
        if self.monitor is not None and not has_validation and not self._stops_early():
            ignored = " (solver='lbfgs' ignores it)" if self.solver == "lbfgs" else ""
            raise ValueError(
                f"monitor={self.monitor!r} has no samples to look at: set early_stopping=True"
                f"{ignored}, or give X_val and y_val to fit."
            )

    def _check_data(
        self, X: Any, y: Any, backend: Backend, reset: bool
    ) -> tuple[Any, NDArray[Any]]:
        """X as it lies on the device, or else on the host, and y on the host."""
        stays = self._stays(X, backend)
        found, y = validate_data(
            self,
            stand_in(X) if stays else features(X),
            filled(as_host(y, "y")),
            reset=reset,
            multi_output=True,
            ensure_all_finite=not stays,
            **TAKEN,
        )
        if stays:
            check_finite(X, backend)
        return X if stays else filled(found), y

    def _check_validation(self, X_val: Any, y_val: Any, backend: Backend) -> Validation:
        try:
            X, y = self._check_data(X_val, y_val, backend, reset=False)
            given = partial(as_given, X_val, y, None)
            return Validation(X, self._encode(y, reset=False), None, given)
        except ValueError as error:
            raise ValueError(f"X_val, y_val: {error}") from error

    def _split(self, samples: Samples, rng: np.random.RandomState, backend: Backend) -> Samples:
        """Take a part of the rows for validation."""
        X, y, _, rows, given, _ = samples
        labels = y.astype(bool) if is_classifier(self) and y.shape[1] == 1 else None
        rows, others = split_off(rows, self.validation_fraction, labels, rng)
        # without class_weight, which is for learning: a score counts samples as `score` does
        weights = None if given.weights is None else given.weights[others]
        given_of_others = partial(given.of, others)
        validation = Validation(rows_of(X, others, backend), y[others], weights, given_of_others)
        return samples._replace(rows=rows, validation=validation)

    def __sklearn_tags__(self) -> Any:
        """Add that X may be sparse, or lie on a device."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags
