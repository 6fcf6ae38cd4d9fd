"""A doctor for trainings: looks at the network now and then, says what is wrong and what to do."""

from __future__ import annotations

import math
from numbers import Integral

import numpy as np

from fastmlp.backends.notices import warn
from fastmlp.callbacks import symptoms
from fastmlp.callbacks.base import Callback
from fastmlp.callbacks.examination import examine
from fastmlp.callbacks.symptoms import Finding, Symptom, TrainingAdvice
from fastmlp.callbacks.view import EpochView


class TrainingDoctor(Callback):
    """Look for what commonly goes wrong, and warn of it in plain words at the end of fit.

    Of each epoch the losses are read; in the first and in every ``every``-th the network itself
    is looked at, on some of the rows: units that never fire, gradients that vanish or explode,
    columns of X far from 1, one class for all, a loss that hardly falls. Each is told once, as a
    `TrainingAdvice`.

    Parameters
    ----------
    every : int, default=5
        Epochs between two looks at the network.
    n_rows : int, default=1000
        Rows that are looked at, at most.

    Attributes
    ----------
    findings_ : list of Finding
        Of the newest training that it was told of.

    Examples
    --------
    >>> import numpy as np, warnings
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.callbacks import TrainingDoctor
    >>> X = 1000.0 * np.random.default_rng(0).normal(size=(60, 3))
    >>> doctor = TrainingDoctor()
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     model = MLPClassifier(max_iter=3, random_state=0).set_callbacks(doctor)
    ...     model = model.fit(X, X[:, 0] > 0)
    >>> doctor.findings_[0].name
    'unscaled_inputs'
    """

    def __init__(self, *, every: int = 5, n_rows: int = 1000) -> None:
        for name, value in {"every": every, "n_rows": n_rows}.items():
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name}={value!r} must be a whole number above 0.")
        self.every, self.n_rows = every, n_rows
        self.findings_: list[Finding] = []

    def on_fit_begin(self) -> None:
        """Forget the training before."""
        self.findings_ = []
        self._losses: list[float] = []
        self._val_losses: list[float] = []
        self._one_class: list[Finding] = []  # of each look since the last that saw several
        self._look_losses: list[float] = []
        self._slow: Finding | None = None  # as of the newest look

    def on_epoch_end(self, epoch: EpochView) -> None:
        """Look at the losses, and now and then at the network."""
        self._losses.append(epoch.values["loss"])
        self._val_losses.append(epoch.values.get("val_loss", math.nan))
        found = [
            symptoms.high_learning_rate(self._losses, epoch.settings),
            symptoms.overtraining(self._losses, self._val_losses, epoch.settings),
        ]
        n_epochs = len(self._losses)
        if n_epochs == 1 or n_epochs % self.every == 0:
            found += self._look(epoch)
        known = {finding.name for finding in self.findings_}
        for symptom in found:
            if symptom and symptom.name not in known:
                self.findings_.append(Finding(symptom.name, epoch.epoch, *symptom[1:]))

    def _look(self, epoch: EpochView) -> list[Symptom | None]:
        seen, settings = examine(epoch, self.n_rows), epoch.settings
        self._look_losses.append(seen.loss)
        slow = symptoms.low_learning_rate(self._look_losses, settings)
        self._slow = slow and Finding(slow.name, epoch.epoch, *slow[1:])
        if not np.isfinite(seen.logits).all():
            return []
        dead = symptoms.dead_units(seen, settings)
        found = [symptoms.unscaled_inputs(seen, settings), dead]
        found.append(symptoms.exploding_gradients(seen, settings))
        if not dead:  # whose gradients are zero for that reason
            found.append(symptoms.vanishing_gradients(seen, settings))
        if "class_weight" in settings:
            symptom = symptoms.one_class(seen, settings)
            if symptom is None:
                self._one_class = []  # slow to begin is no illness
            else:
                self._one_class.append(Finding(symptom.name, epoch.epoch, *symptom[1:]))
        return found

    def on_fit_end(self) -> None:
        """Warn of each finding."""
        if len(self._one_class) > 1:
            self.findings_.append(self._one_class[0])
        if self._losses and self._losses[-1] < symptoms.LEARNT * self._losses[0]:
            self.findings_ = [found for found in self.findings_ if found.name != "dead_units"]
        if self._slow and not self.findings_:  # which would say why
            self.findings_ = [self._slow]
        for finding in self.findings_:
            warn(str(finding), TrainingAdvice)
