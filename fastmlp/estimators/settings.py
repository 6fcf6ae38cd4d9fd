"""What the parameters of an estimator amount to."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from fastmlp.backends import Backend, resolve_backend
from fastmlp.core import ACTIVATIONS, Loss, Optimizer, Params, Recipe
from fastmlp.core import optimizers as opt
from fastmlp.estimators.learning_rate import LearningRate
from fastmlp.estimators.losses import REPORTED
from fastmlp.estimators.parameters import CONSTRAINTS
from fastmlp.training import Trainer, TrainerLike
from fastmlp.training.notices import warn


class Settings(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The parameters of `MLPClassifier` and `MLPRegressor`, in the words of the core."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def _backend(self, X: Any) -> Backend:
        return resolve_backend(self.backend, X, self.device, self.precision)

    def _hidden(self) -> tuple[int, ...]:
        sizes = np.atleast_1d(np.asarray(self.hidden_layer_sizes))
        is_whole = sizes.dtype.kind in "iu" or sizes.size == 0
        if sizes.ndim != 1 or not is_whole or (sizes < 1).any():
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes} must hold whole numbers of at least "
                "1, one for each hidden layer; () is the linear model."
            )
        return tuple(sizes.tolist())

    def _recipe(self) -> Recipe:
        hidden = (ACTIVATIONS[self.activation],) * len(self._hidden())
        loss = self._loss(self._loss_name())
        return Recipe(hidden, loss, self._optimizer(), l2=float(self.alpha))

    @abstractmethod
    def _loss_name(self) -> str:
        """Row of the table of losses that fits the targets."""

    def _loss(self, name: str) -> Loss:
        return REPORTED[name]

    def _stops_early(self) -> bool:
        return bool(self.early_stopping and self.solver != "lbfgs")

    def _rate(self) -> LearningRate:
        kind = self.learning_rate if self.solver == "sgd" else "constant"
        return LearningRate(kind, self.learning_rate_init, self.power_t)

    def _optimizer(self) -> Optimizer:
        if self.solver == "lbfgs":
            return opt.gradient_descent()  # SciPy takes its place
        if self.solver == "adam":
            return opt.adam(float(self.beta_1), float(self.beta_2), float(self.epsilon))
        if self.momentum == 0:
            return opt.gradient_descent()
        factory = opt.nesterov if self.nesterovs_momentum else opt.momentum
        return factory(float(self.momentum))

    def _batch_size(self, n: int) -> int:
        if self.batch_size == "auto":
            return min(200, n)
        if int(self.batch_size) > n:
            warn(
                f"batch_size={self.batch_size} is more than the {n} samples: all of them make one "
                "batch."
            )
        return min(int(self.batch_size), n)

    def _trainer_of(
        self,
        backend: Backend,
        recipe: Recipe,
        params: Params,
        batch_size: int,
        dtype: str,
        overlap: bool,
    ) -> TrainerLike:
        return Trainer(
            backend,
            recipe,
            params,
            learning_rate=self.learning_rate_init,
            batch_size=batch_size,
            dtype=dtype,
            overlap=overlap,
        )
