"""The one place that knows scikit-learn's callbacks, which are experimental (since 1.9).

Where scikit-learn has none, the same methods of a callback are called by the stand-ins below.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from fastmlp.callbacks.view import EpochView
from fastmlp.estimators.arrays import as_host
from fastmlp.estimators.on_device import rows_of
from fastmlp.estimators.solvers import Job

__all__ = ["HasCallbacks", "Hooks", "with_callbacks"]
HOOKS = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class _Context:
        """A task of a fit: the fit itself, or an epoch of it."""

        def __init__(self, callbacks: list[Any], task_name: str) -> None:
            self.callbacks, self.task_name = callbacks, task_name

        def subcontext(self, task_name: str) -> _Context:
            return _Context(self.callbacks, task_name)

        def call_on_fit_task_begin(self, *, estimator: Any, **given: Any) -> None:
            for callback in self.callbacks:
                callback.on_fit_task_begin(estimator, self)

        def call_on_fit_task_end(self, *, estimator: Any, **given: Any) -> bool:
            wishes = [callback.on_fit_task_end(estimator, self) for callback in self.callbacks]
            return any(wishes)  # all of them have been told

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """What scikit-learn's mixin of this name does, without meta-estimators."""

        _skl_callbacks: list[Any]

        def set_callbacks(self, *callbacks: Any) -> Any:
            """Let callbacks, see `fastmlp.callbacks`, hear of the next fits; none ends that."""
            for callback in callbacks:
                lacking = [name for name in HOOKS if not callable(getattr(callback, name, None))]
                if lacking or isinstance(callback, type):
                    raise TypeError(
                        f"callbacks has {callback!r}, expected an instance of a class of "
                        "fastmlp.callbacks, or another with the methods " + ", ".join(HOOKS) + "."
                    )
            self.__dict__.pop("_skl_callbacks", None)
            if callbacks:
                self._skl_callbacks = list(callbacks)
            return self

        def __sklearn_clone__(self) -> Any:
            copy = super().__sklearn_clone__()  # type: ignore[misc]
            return copy.set_callbacks(*self.__dict__.get("_skl_callbacks", []))

        def _init_callback_context(self, max_subtasks: int) -> _Context:
            self._told: list[Any] = []
            self._callback_fit_ctx = _Context(self._skl_callbacks, "fit")
            for callback in self._skl_callbacks:
                self._told.append(callback)
                callback.setup(self, self._callback_fit_ctx)
            return self._callback_fit_ctx

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Tear down, however the method ends, the callbacks that it has set up."""

        @functools.wraps(method)
        def managed(model: Any, *args: Any, **how: Any) -> Any:
            try:
                return method(model, *args, **how)
            finally:
                context = model.__dict__.pop("_callback_fit_ctx", None)
                errors = []
                for callback in model.__dict__.pop("_told", []):
                    try:
                        callback.teardown(model, context)
                    except Exception as error:
                        errors.append(error)
                if errors:
                    raise errors[0]

        return managed


class HasCallbacks(CallbackSupportMixin):  # type: ignore[misc]
    """Adds ``set_callbacks(*callbacks)`` to an estimator."""

    _epoch_view: EpochView | None = None  # of the epoch that callbacks are told of

    @property
    def _has_callbacks(self) -> bool:
        return bool(self.__dict__.get("_skl_callbacks"))


class Hooks:
    """Tells the callbacks of a model that a training and its epochs begin and end."""

    def __init__(self, model: Any, job: Job) -> None:
        self.model, self.samples = model, job.samples
        self.trainer, self.course = job.trainer, job.course
        self.backend, self.recipe, self.dtype = job.backend, job.recipe, job.dtype
        self.settings = MappingProxyType(model.get_params(deep=False))
        self.fit = model._init_callback_context(max_subtasks=model.max_iter)
        self.fit.call_on_fit_task_begin(**self._task())
        self.n_begun, self.started = 0, time.perf_counter()
        self.epoch: Any = None  # the task that is under way
        self._begin_epoch()

    def epoch_ended(self, goes_on: bool) -> bool:
        """Tell of an epoch; return whether a callback wants it to be the last one."""
        model, backend, (X, y, _, rows, *_) = self.model, self.backend, self.samples
        model._epoch_view = EpochView(
            epoch=self.course.history.n_epochs,
            values=MappingProxyType(self.course.history.row()),
            time_s=time.perf_counter() - self.started,
            n_samples=rows.size,
            settings=self.settings,
            recipe=self.recipe,
            backend=backend,
            dtype=self.dtype,
            _fetch=self.trainer.params,
            _take=lambda places: (as_host(rows_of(X, rows[places], backend)), y[rows[places]]),
        )
        try:
            epoch, self.epoch = self.epoch, None
            is_enough = bool(epoch.call_on_fit_task_end(**self._task(self._learnt_by_now)))
        finally:
            del model._epoch_view
        if goes_on and not is_enough and self.n_begun < model.max_iter:
            self._begin_epoch()
        return is_enough

    def ended(self) -> None:
        """Tell that training has ended; the model has what it has learnt."""
        if self.epoch is not None:  # begun, as nobody could know that it would not be run
            self.epoch.call_on_fit_task_end(estimator=self.model)
        self.fit.call_on_fit_task_end(**self._task(dict))

    def _begin_epoch(self) -> None:
        self.n_begun += 1
        self.epoch = self.fit.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self._task(self._learnt_by_now))

    def _task(self, learnt: Callable[[], dict[str, Any]] | None = None) -> dict[str, Any]:
        """What scikit-learn passes on to the callbacks that ask for it, made when they ask."""
        given, rows = self.samples.given, self.samples.rows
        return {
            "estimator": self.model,
            "X": lambda: given.of(rows).X,
            "y": lambda: given.of(rows).y,
            "metadata": None
            if given.weights is None
            else lambda: {"sample_weight": np.asarray(given.of(rows).weights)},
            "reconstruction_attributes": learnt,
        }

    def _learnt_by_now(self) -> dict[str, Any]:
        """Attributes of the model, had its training ended here; they outlive the epoch."""
        model, trainer, course = self.model, self.trainer, self.course
        own = model._trainer_of(self.backend, self.recipe, trainer.params(), 1, self.dtype, False)
        own.epoch = trainer.epoch
        learnt = vars(model._as_of(own, course))
        learnt["history_"] = course.history.copied()
        before = vars(model)
        return {name: value for name, value in learnt.items() if before.get(name) is not value}
