"""What both estimators share: parameters, data, training, fitted attributes."""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from fastmlp.backends import Backend
from fastmlp.estimators.arrays import as_host, features, filled
from fastmlp.estimators.course import Course
from fastmlp.estimators.fitted import TAKEN, Fitted
from fastmlp.estimators.progress import progress_bar
from fastmlp.estimators.solvers import Samples, advise, run_epochs, run_lbfgs
from fastmlp.estimators.validation import Validation, split_off
from fastmlp.training import Trainer, draw_params


class BaseMLP(Fitted):
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
            first = not (resume and hasattr(self, "coefs_"))
            backend = self._backend(X)
            X, y_raw = self._check_data(X, y, reset=first)
            y = self._encode(y_raw, first and learn_classes is None)
            if not first and not incremental:
                self._check_warm_start(y_raw)
            weights = sample_weight
            if weights is not None:
                weights = _check_sample_weight(as_host(weights, "sample_weight"), X)
            weights = self._weighted(weights, y_raw, incremental)
            validation = None if X_val is None else self._check_validation(X_val, y_val)
            self._run(backend, X, y, weights, validation, first, incremental)
        except BaseException:
            if self.__dict__.get("coefs_") is before.get("coefs_"):
                self.__dict__.clear()
                self.__dict__.update(before)
            raise
        return self

    def _run(
        self,
        backend: Backend,
        X: NDArray[Any],
        y: NDArray[Any],
        weights: NDArray[Any] | None,
        validation: Validation | None,
        first: bool,
        incremental: bool,
    ) -> None:
        rng = check_random_state(self.random_state)
        dtype = self.dtype or ("float32" if X.dtype == np.float32 else "float64")
        sizes = (X.shape[1], *self._hidden(), y.shape[1])
        if first:
            params = draw_params(sizes, rng, activation=self.activation, init=self.init)
            course = Course(self._rate(), stops_early=self._stops_early())
        else:
            params = self._own_params(sizes)
            keeps = incremental and self._has_moments_for(self._optimizer())
            course = self._course.resumed(None if keeps else self._rate(), self._stops_early())
        samples = Samples(X, y, weights, np.arange(X.shape[0], dtype=np.int32), validation)
        if course.stops_early and validation is None:
            samples = self._split(samples, rng)
        # of a generator of the caller's no order is drawn in vain; validation is timed apart
        overlap = (
            isinstance(self.random_state, Integral)
            and samples.validation is None
            and self.learning_rate != "adaptive"
        )
        samples = samples._replace(y=self._learnt_from(samples.y))
        batch_size, epochs = self._batch_size(samples.rows.size), self.max_iter
        recipe = self._recipe(epochs * math.ceil(samples.rows.size / batch_size), incremental)
        seed = int(rng.randint(2**31 - 1)) if recipe.dropout or recipe.augmentation else 0
        trainer = self._trainer_of(backend, recipe, params, batch_size, dtype, overlap, seed)
        if incremental:
            epochs = 1
            if not isinstance(trainer, Trainer):
                raise ValueError(f"partial_fit does not train on {trainer.name}: take fit.")
            self._give_moments(trainer)
        has_ended = False
        try:
            with progress_bar(bool(self.verbose), epochs) as show:
                if self.solver == "lbfgs":
                    run_lbfgs(self, trainer, samples, course, show)
                else:
                    run_epochs(self, trainer, samples, course, rng, epochs, show)
            has_ended = True
        except KeyboardInterrupt:
            if trainer.epoch == 0:
                raise
            warnings.warn(
                f"Training was interrupted: the weights of epoch {trainer.epoch} are kept.",
                stacklevel=4,
            )
        finally:
            if has_ended or trainer.epoch:
                self._keep(trainer, course)
        if not incremental and self.solver != "lbfgs":
            advise(self, course)

    def _check_data(self, X: Any, y: Any, reset: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        X, y = validate_data(
            self, features(X), as_host(y, "y"), reset=reset, multi_output=True, **TAKEN
        )
        return filled(X), y

    def _check_validation(self, X_val: Any, y_val: Any) -> Validation:
        try:
            X, y = self._check_data(X_val, y_val, reset=False)
            return Validation(X, self._encode(y, reset=False), None)
        except ValueError as error:
            raise ValueError(f"X_val, y_val: {error}") from error

    def _split(self, samples: Samples, rng: np.random.RandomState) -> Samples:
        """Take a part of the rows for validation."""
        X, y, weights, rows, _ = samples
        labels = y.astype(bool) if is_classifier(self) and y.shape[1] == 1 else None
        rows, others = split_off(rows, self.validation_fraction, labels, rng)
        validation = Validation(X[others], y[others], None if weights is None else weights[others])
        return Samples(X, y, weights, rows, validation)

    def __sklearn_tags__(self) -> Any:
        """Add that X may be sparse."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
