"""By which score a training is stopped, and its best weights are chosen."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.metrics import get_scorer, get_scorer_names

from fastmlp.estimators.course import Course
from fastmlp.estimators.validation import Validation
from fastmlp.training import Trainer, TrainerLike

# Loss and metrics of the validation samples -> score of the epoch, the larger the better.
Judge = Callable[[dict[str, float]], float]


def scorer_of(monitor: Any) -> Any:
    """Return the scorer that ``monitor`` names, or is; None for those of our own."""
    if monitor is None or monitor == "loss":
        return None
    if not isinstance(monitor, str):
        return monitor
    names = get_scorer_names()
    if monitor not in names:
        close = difflib.get_close_matches(monitor, ["loss", *names], n=1)
        raise ValueError(
            f"monitor={monitor!r} is unknown"
            + (f" (did you mean {close[0]!r}?)" if close else "")
            + ", expected 'loss', a name out of sklearn.metrics.get_scorer_names(), or a function "
            "scorer(estimator, X, y)."
        )
    return get_scorer(monitor)


def judge_of(model: Any, trainer: TrainerLike, course: Course, validation: Validation) -> Judge:
    """Return what gives the score of an epoch that has just ended."""
    monitor = model.monitor
    if monitor is None:
        if is_regressor(model) and len(validation.y) < 2:
            raise ValueError(
                f"X_val and y_val have {len(validation.y)} sample, expected at least 2: R2, which "
                "early_stopping goes by, is not defined for one. Give more, or set "
                "monitor='loss'."
            )
        return lambda found: model._score_of(
            trainer.predict(validation.X), validation.y, validation.weights
        )
    if isinstance(monitor, str) and monitor == "loss":
        return lambda found: -found["loss"]
    scorer, given = scorer_of(monitor), validation.given()

    def judge(found: dict[str, float]) -> float:
        score: Any = None
        try:
            view = model._as_of(trainer, course)
            if isinstance(trainer, Trainer):  # it goes on; whoever keeps the view keeps this epoch
                del view._trainer
            score = scorer(view, given.X, given.y)
            return float(score)
        except Exception as error:
            if not np.isfinite(trainer.predict(validation.X)).all():
                return float("nan")  # as without a monitor
            what = "raised" if score is None else f"gave {score!r:.60}, expected a number, and"
            raise ValueError(
                f"monitor={monitor!r} {what} {type(error).__name__} on the validation samples in "
                f"epoch {trainer.epoch}: {error}"
            ) from error

    return judge
