"""What a training has been through."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace

from fastmlp.core import Params
from fastmlp.estimators.learning_rate import LearningRate
from fastmlp.estimators.patience import Patience


@dataclass
class Course:
    """The state of a training beside the network: a warm start and partial_fit go on with it."""

    rate: LearningRate
    patience: Patience = field(default_factory=Patience)
    history: dict[str, list[float]] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)  # of validation, with early stopping
    best: Params | None = None  # weights of the best of them, on the host
    t: int = 0  # samples seen
    n_iter: int = 0  # epochs of the last call
    n_samples: int = 0  # learnt from in the last call; 0 where that is not known
    converged: bool = False
    stops_early: bool = False  # by scores, not by the loss

    def note(self, **values: float) -> None:
        """Append to the history."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    def resumed(self, rate: LearningRate | None, stops_early: bool) -> Course:
        """Return a copy to go on with, under a new learning rate if there is one."""
        alike = stops_early == self.stops_early  # else what was best by loss says nothing of scores
        return replace(
            self,
            rate=rate or copy(self.rate),
            patience=copy(self.patience) if alike else Patience(),
            best=self.best if alike else None,
            stops_early=stops_early,
            history={name: list(values) for name, values in self.history.items()},
            scores=list(self.scores),
            n_iter=0,
            converged=False,
        )
