"""The network as a scikit-learn regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d

from fastmlp.estimators.arrays import in_kind
from fastmlp.estimators.base import BaseMLP
from fastmlp.estimators.parameters import DESCRIPTION


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]  # noqa: D101
    __doc__ = f"""Multilayer perceptron for regression, on the array backend of your choice.

    Half the squared error, summed over the outputs and averaged over the samples (eq. 12, 13).
    Parameters, defaults and random numbers are scikit-learn's; backend, device, dtype and
    precision are new.

    Parameters
    ----------{DESCRIPTION}

    Attributes
    ----------
    coefs_, intercepts_ : lists of arrays
        W (n_in, n_out) and b (n_out,) of each layer.
    history_ : dict of lists
        One value per epoch: loss (mean over the epoch's batches as they were learnt from),
        val_loss if validation data were given, epoch_s.
    loss_curve_ : list of float
        The history's loss, the L2 penalty included.
    n_iter_ : int
        Epochs done.
    backend_, device_ : str
        What the network was trained on.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0]
    >>> model = MLPRegressor((), solver="sgd", learning_rate_init=0.05, tol=1e-9, random_state=0)
    >>> model.fit(X, y).predict([[4.0]]).round(1).tolist()
    [9.0]
    """

    out_activation_ = "identity"

    def _encode(self, y: Any, reset: bool) -> NDArray[Any]:
        if np.asarray(y).dtype.kind in "mMSUV":
            raise ValueError(f"y has dtype {np.asarray(y).dtype}, expected numbers.")
        targets = np.asarray(y, dtype=np.float64)
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        if reset:
            self._single = targets.ndim == 1
        elif self._single != (targets.ndim == 1):
            raise ValueError(f"y_val has shape {targets.shape}, expected as many axes as y has.")
        return targets.reshape(targets.shape[0], -1)

    def _loss_name(self) -> str:
        return "squared_error"

    def predict(self, X: Any) -> Any:
        """Values (n_samples,), or (n_samples, n_outputs) if y had several."""
        outputs = self._outputs(X)
        return in_kind(outputs[:, 0] if self._single else outputs, X)
