"""What a training has been through."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace

from fastmlp.core import Params
from fastmlp.estimators.history import History
from fastmlp.estimators.learning_rate import LearningRate
from fastmlp.estimators.patience import Patience


@dataclass
class Course:
    """The state of a training beside the network: a warm start and partial_fit go on with it."""

    rate: LearningRate
    patience: Patience = field(default_factory=Patience)
    history: History = field(default_factory=History)
    scores: list[float] = field(default_factory=list)  # of validation, with early stopping
    best: Params | None = None  # weights of the best of them, on the host
    t: int = 0  # samples seen
    n_iter: int = 0  # epochs of the last call
    n_samples: int = 0  # learnt from in the last call; 0 where that is not known
    converged: bool = False
    diverged: bool = False
    stops_early: bool = False  # by scores, not by the loss
    monitor: str = repr(None)  # `identity` of what gives the scores

    def resumed(self, rate: LearningRate | None, stops_early: bool, monitor: str) -> Course:
        """Return a copy to go on with, under a new learning rate if there is one."""
        # what was best by one measure says nothing of another
        alike = (stops_early, monitor) == (self.stops_early, self.monitor)
        return replace(
            self,
            rate=rate or copy(self.rate),
            patience=copy(self.patience) if alike else Patience(),
            best=self.best if alike else None,
            stops_early=stops_early,
            monitor=monitor,
            history=self.history.copied(),
            scores=list(self.scores) if alike else [],
            n_iter=0,
            converged=False,
            diverged=False,
        )
