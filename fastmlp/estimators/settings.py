"""What the parameters of an estimator amount to."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from fastmlp import core
from fastmlp.backends import Backend, resolve_backend
from fastmlp.backends.notices import warn
from fastmlp.core import ACTIVATIONS, Augmentation, Loss, Optimizer, Params, Recipe
from fastmlp.estimators.learning_rate import LearningRate
from fastmlp.estimators.losses import REPORTED
from fastmlp.estimators.parameters import CONSTRAINTS, SCHEDULES
from fastmlp.training import Trainer, TrainerLike


class Settings(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The parameters of `MLPClassifier` and `MLPRegressor`, in the words of the core."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def _validate_params(self) -> None:
        if isinstance(self.augmentation, Mapping):
            fields = list(Augmentation._fields)
            unknown = [name for name in self.augmentation if name not in fields]
            what = f"is a dict with the unknown fields {unknown}" if unknown else "is a dict"
            raise ValueError(
                f"augmentation={self.augmentation!r} {what}, expected an Augmentation: give "
                f"fastmlp.core.Augmentation(...) with some of {fields}."
            )
        super()._validate_params()

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

    def _recipe(self, n_steps: int, incremental: bool) -> Recipe:
        """What a step is made of, in a training of n_steps at most."""
        hidden = (ACTIVATIONS[self.activation],) * len(self._hidden())
        loss = self._loss(self._loss_name())
        self._check_combinations(incremental)
        optimizer = self._limited(self._optimizer(), n_steps)
        l2, l1, dropout = float(self.alpha), float(self.l1), self._dropout()
        return Recipe(
            hidden, loss, optimizer, l2, l1=l1, dropout=dropout, augmentation=self.augmentation
        )

    def _check_combinations(self, incremental: bool) -> None:
        """Raise ValueError where parameters cannot go together."""
        rises, plans = self.warmup_fraction > 0, self.learning_rate in SCHEDULES
        if self.learning_rate == "one_cycle" and rises:
            raise ValueError(
                f"warmup_fraction={self.warmup_fraction}: learning_rate='one_cycle' has a warm-up "
                "of its own. Set warmup_fraction=0.0, or take 'cosine'."
            )
        if incremental and (rises or plans):
            raise ValueError(
                f"partial_fit does not know how many steps will follow, which learning_rate="
                f"{self.learning_rate!r} with warmup_fraction={self.warmup_fraction} plans with: "
                "take fit, or learning_rate='constant' with warmup_fraction=0.0."
            )
        if self.solver != "lbfgs":
            return
        asked = {
            "dropout": bool(np.any(self.dropout)),
            "input_dropout": self.input_dropout > 0,
            "augmentation": self.augmentation is not None,
            "max_norm": self.max_norm is not None,
            "clip_norm": self.clip_norm is not None,
            "warmup_fraction": rises,
            f"learning_rate={self.learning_rate!r}": plans,
        }
        if any(asked.values()):
            names = ", ".join(name for name, is_asked in asked.items() if is_asked)
            raise ValueError(
                f"solver='lbfgs' cannot do {names}: it looks at all samples at once and takes "
                "steps of its own. Take 'adam' or 'sgd', or leave these out."
            )

    def _dropout(self) -> tuple[float, ...]:
        """Rates of the input and of each hidden layer; () for none at all."""
        n_hidden = len(self._hidden())
        of_hidden = np.asarray(self.dropout)
        if of_hidden.ndim == 0:
            of_hidden = np.repeat(of_hidden, n_hidden)
        is_right = of_hidden.shape == (n_hidden,) and of_hidden.dtype.kind in "biuf"
        if not is_right or not ((of_hidden >= 0.0) & (of_hidden < 1.0)).all():
            raise ValueError(
                f"dropout={self.dropout!r} must be a rate of at least 0 and below 1, or a sequence "
                f"of them, one for each of the {n_hidden} hidden layers."
            )
        rates = (float(self.input_dropout), *of_hidden.tolist())
        return rates if any(rates) else ()

    def _limited(self, optimizer: Optimizer, n_steps: int) -> Optimizer:
        """Put clipping, max-norm and the schedule around an optimizer."""
        if self.clip_norm is not None:
            optimizer = core.clip_by_norm(optimizer, float(self.clip_norm))
        if self.max_norm is not None:
            optimizer = core.max_norm(optimizer, float(self.max_norm))
        kind = self.learning_rate if self.learning_rate in SCHEDULES else "constant"
        n_warm_up = round(self.warmup_fraction * n_steps)
        if kind == "constant" and not n_warm_up:
            return optimizer
        return core.scheduled(optimizer, kind, n_steps, n_warm_up)

    @abstractmethod
    def _loss_name(self) -> str:
        """Row of the table of losses that fits the targets."""

    def _loss(self, name: str) -> Loss:
        return REPORTED[name]

    def _stops_early(self) -> bool:
        return bool(self.early_stopping and self.solver != "lbfgs")

    def _rate(self) -> LearningRate:
        by_epoch = self.solver == "sgd" and self.learning_rate in ("invscaling", "adaptive")
        kind = self.learning_rate if by_epoch else "constant"
        return LearningRate(kind, self.learning_rate_init, self.power_t)

    def _optimizer(self) -> Optimizer:
        if self.solver == "lbfgs":
            return core.gradient_descent()  # SciPy takes its place
        beta1, beta2, eps = float(self.beta_1), float(self.beta_2), float(self.epsilon)
        if self.solver == "adam":
            return core.adam(beta1, beta2, eps)
        if self.solver == "adamw":
            return core.adamw(beta1, beta2, eps, float(self.weight_decay))
        if self.solver == "rmsprop":
            return core.rmsprop(beta2, eps)
        if self.momentum == 0:
            return core.gradient_descent()
        factory = core.nesterov if self.nesterovs_momentum else core.momentum
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
        seed: int = 0,
    ) -> TrainerLike:
        return Trainer(
            backend,
            recipe,
            params,
            learning_rate=self.learning_rate_init,
            batch_size=batch_size,
            dtype=dtype,
            overlap=overlap,
            seed=seed,
        )
