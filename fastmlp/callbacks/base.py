"""The base of all callbacks: three methods of ours, told by four of scikit-learn's protocol."""

from __future__ import annotations

from typing import Any

from fastmlp.callbacks.view import EpochView


class Callback:
    """Hears of a training once per epoch; subclass it and write the methods that you need.

    An exception ends the training and comes through; the estimator keeps what it has learnt by
    then. One callback hears of one training at a time.

    Examples
    --------
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.callbacks import Callback
    >>> class UntilAccurate(Callback):
    ...     def on_epoch_end(self, epoch):
    ...         return epoch.values["accuracy"] >= 0.99
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
    >>> model = MLPClassifier((), solver="sgd", learning_rate_init=1.0, random_state=0)
    >>> model.set_callbacks(UntilAccurate()).fit(X, y).n_iter_ < 200
    True
    """

    _listens_to: int | None = None  # the estimator in training, by its id

    def on_fit_begin(self) -> None:
        """Prepare for a training; an exception keeps it from beginning."""

    def on_epoch_end(self, epoch: EpochView) -> bool | None:
        """Hear of an epoch; a true answer ends the training."""

    def on_fit_end(self) -> None:
        """Hear that a training has ended, well or by an exception."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is of the training that goes on, so that a copy can hear of others."""
        passing = ("_listens_to", "_file")
        return {name: value for name, value in vars(self).items() if name not in passing}

    def setup(self, estimator: Any, context: Any) -> None:
        """scikit-learn: a fit begins."""
        name = type(self).__name__
        if not hasattr(estimator, "_epoch_view"):
            raise TypeError(
                f"{name} hears of the epochs of a network, but is set on "
                f"{type(estimator).__name__}: set it on the network itself, as in "
                f"MLPClassifier().set_callbacks({name}(...))."
            )
        if self._listens_to is not None:
            raise RuntimeError(
                f"{name} hears of another training at this moment: give each its own {name}."
            )
        self._listens_to = id(estimator)
        self.on_fit_begin()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """scikit-learn: a fit, or an epoch of it, begins."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """scikit-learn: a fit, or an epoch of it, has ended."""
        epoch: EpochView | None = estimator._epoch_view
        return epoch is not None and bool(self.on_epoch_end(epoch))

    def teardown(self, estimator: Any, context: Any) -> None:
        """scikit-learn: a fit has ended, well or by an exception."""
        if self._listens_to == id(estimator):
            self._listens_to = None
            self.on_fit_end()
