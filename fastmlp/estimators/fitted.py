"""A trained network: what is kept of a training, how it answers, and how it is gone on with."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp.backends import Backend
from fastmlp.core import ACTIVATIONS, Layer, Optimizer, Params, Recipe
from fastmlp.estimators.arrays import features, filled
from fastmlp.estimators.course import Course
from fastmlp.estimators.on_device import check_finite, check_same_home, is_finite, lies_on, stand_in
from fastmlp.estimators.settings import Settings
from fastmlp.training import Trainer, TrainerLike

# Other dtypes become the first.
TAKEN: dict[str, Any] = {
    "dtype": (np.float64, np.float32, np.uint8),
    "accept_sparse": ("csr", "csc"),
}


class Fitted(Settings):
    """What an estimator has after training."""

    _on_device: ClassVar[bool] = True  # X that lies where the network does stays there
    _trainer: Any  # a `TrainerLike`; with X on the device, a `Trainer`

    def _outputs(self, X: Any, method: str) -> Any:
        """Outputs (n, n_outputs): on the device of an X that lies with the network, or the host's.

        The host's are NumPy's.
        """
        check_is_fitted(self, "coefs_")
        check_same_home(self, X, method)
        if not hasattr(self, "_trainer"):  # after unpickling
            params = tuple(map(Layer, self.coefs_, self.intercepts_))
            recipe, dtype = self._trained_recipe(), self.coefs_[0].dtype.name
            trainer = self._trainer_of(self._backend(X), recipe, params, 1, dtype, False)
            self._give_moments(trainer)
            self._trainer = trainer
        backend = getattr(self._trainer, "backend", None)
        if backend and self._stays(X, backend):
            validate_data(self, stand_in(X), reset=False, ensure_all_finite=False, **TAKEN)
            check_finite(X, backend)
            outputs = self._trainer.answer(X)
            finite = is_finite(outputs, backend)
        else:
            outputs = self._trainer.predict(
                filled(validate_data(self, features(X), reset=False, **TAKEN))
            )
            finite = np.isfinite(outputs).all()
        if not finite:
            raise ValueError(
                "the outputs are not finite: X, or the weights of a training that diverged, are "
                f"too large for dtype {self.coefs_[0].dtype.name}. Scale X to 0..1 and train again."
            )
        return outputs

    def _stays(self, X: Any, backend: Backend) -> bool:
        return self._on_device and lies_on(X, backend)

    def _trained_recipe(self) -> Recipe:
        """What the network answers by: as it was trained, whatever the parameters say by now."""
        activation, loss = self._made_of
        hidden = (ACTIVATIONS[activation],) * (len(self.coefs_) - 1)
        return Recipe(hidden, self._loss(loss), self._optimizer())

    def _own_params(self, sizes: tuple[int, ...]) -> Params:
        """Weights to go on with, if they are those of a network of these sizes."""
        fitted = (self.coefs_[0].shape[0], *(b.shape[0] for b in self.intercepts_))
        if fitted != sizes:
            raise ValueError(
                f"the network was trained with layers of {fitted} units and cannot go on with "
                f"{sizes}: leave hidden_layer_sizes and the outputs in y as they were, or set "
                "warm_start=False."
            )
        return tuple(map(Layer, self.coefs_, self.intercepts_))

    def _moments(self) -> Any:
        """State of the optimizer on the host, steps done, and which optimizer it is."""
        trainer = self.__dict__.get("_trainer")
        if not isinstance(trainer, Trainer):
            return self.__dict__.get("_optimizer_state")
        state, t = trainer.backend.fetch((trainer.carry.state, trainer.carry.t))
        return state, t, _kind(trainer.recipe.optimizer)

    def _has_moments_for(self, optimizer: Optimizer) -> bool:
        moments = self._moments()
        return moments is not None and moments[2] == _kind(optimizer)

    def _give_moments(self, trainer: TrainerLike) -> None:
        """Let a trainer go on with the state of the optimizer, if it has the same one."""
        if isinstance(trainer, Trainer) and self._has_moments_for(trainer.recipe.optimizer):
            state, t = trainer.backend.place(self._moments()[:2], trainer.dtype)
            trainer.carry = trainer.carry._replace(state=state, t=t)

    def _keep(self, trainer: TrainerLike, course: Course) -> None:
        course.n_iter = trainer.epoch
        course.rate.advance(course.t)
        if course.best is not None:
            trainer.set_params(course.best)
        made_of = str(self.activation), self._loss_name()
        params = trainer.params()
        trained_on = trainer.name, trainer.device, _precision(trainer, params[0].W.dtype.name)
        self._take(params, course, made_of, trained_on)
        self._trainer = trainer

    def _take(
        self,
        params: Params,
        course: Course,
        made_of: tuple[str, str],
        trained_on: tuple[str, str, str | None],
    ) -> None:
        """Become the network of params, with all that is told of how it came to be."""
        history = course.history
        self.coefs_: list[Any] = [layer.W for layer in params]
        self.intercepts_: list[Any] = [layer.b for layer in params]
        self.history_ = history
        self.loss_curve_ = history.get("loss", [])
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan
        self.best_loss_ = None if course.stops_early else min(self.loss_curve_, default=np.nan)
        self.validation_scores_: Any = course.scores if course.stops_early else None
        self.best_validation_score_ = course.patience.best if course.stops_early else None
        self.n_iter_, self.t_ = course.n_iter, course.t
        self.backend_, self.device_, self.precision_ = trained_on
        self.n_layers_ = len(params) + 1
        self.n_outputs_ = self.intercepts_[-1].shape[0]
        self._made_of, self._course = made_of, course

    def _as_of(self, trainer: TrainerLike, course: Course) -> Any:
        """Return an estimator as if training had ended with the epoch that trainer is at."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        own: dict[str, Any] = {"rate": copy(course.rate), "patience": copy(course.patience)}
        own |= {"history": course.history.copied(), "scores": list(course.scores), "best": None}
        view._keep(trainer, replace(course, **own))
        return view

    def __getstate__(self) -> dict[str, Any]:
        """Leave the trainer out: it holds arrays of a device, and the weights are in coefs_."""
        state: dict[str, Any] = dict(super().__getstate__())
        state["_optimizer_state"] = self._moments()
        for name in ("_trainer", "_home", "_epoch_view"):
            state.pop(name, None)
        return state


def _precision(trainer: TrainerLike, dtype: str) -> str:
    """Tell how a trainer multiplies: only of float32 there are several ways, and not elsewhere."""
    if dtype == "float32" and isinstance(trainer, Trainer):
        return trainer.backend.precision
    return dtype


def _kind(optimizer: Optimizer) -> tuple[str, tuple[Any, ...]]:
    """Whose state it is: that of the innermost optimizer."""
    while optimizer.inner is not None:
        optimizer = optimizer.inner
    return optimizer.name, optimizer.settings
