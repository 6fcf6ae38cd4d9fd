"""The network as a scikit-learn regressor."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from fastmlp.backends import Backend
from fastmlp.core import Augmentation
from fastmlp.estimators.arrays import as_host, in_kind
from fastmlp.estimators.base import BaseMLP
from fastmlp.estimators.on_device import answers
from fastmlp.estimators.parameters import CONSTRAINTS, DESCRIPTION
from fastmlp.estimators.solvers import takes_parts


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]  # noqa: D101
    __doc__ = f"""Multilayer perceptron for regression, on the array backend of your choice.

    Half the squared error (eq. 12, 13), or half the Poisson deviance of counts (eq. 25, 26).
    Parameters, defaults and random numbers are scikit-learn's; backend, device, dtype and
    precision are new.

    Parameters
    ----------
    loss : {{"squared_error", "poisson"}}, default="squared_error"
        What is minimised; "poisson" predicts exp(z).{DESCRIPTION}

    Attributes
    ----------
    coefs_, intercepts_ : lists of arrays
        W (n_in, n_out) and b (n_out,) of each layer.
    history_ : dict of lists
        One value per epoch: loss (mean over the epoch's batches as they were learnt from),
        learning_rate, epoch_s, and of validation samples val_loss and the val_score that stops
        it. ``history_.to_frame()`` is a pandas data frame.
    loss_curve_ : list of float
        The history's loss, the L2 penalty included.
    n_iter_ : int
        Epochs done.
    backend_, device_ : str
        What the network was trained on.
    precision_ : str or None
        How it multiplied: "float64", "float32" (in full), "tf32", "bfloat16"; None: not known.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0]
    >>> model = MLPRegressor(
    ...     hidden_layer_sizes=(), solver="sgd", learning_rate_init=0.05, tol=1e-9, random_state=0
    ... )
    >>> model.fit(X, y).predict([[4.0]]).round(1).tolist()
    [9.0]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "loss": [StrOptions({"squared_error", "poisson"})],
        **CONSTRAINTS,
    }

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        monitor: Any = None,
        max_fun: int = 15000,
        init: str = "auto",
        dropout: Any = 0.0,
        input_dropout: float = 0.0,
        l1: float = 0.0,
        weight_decay: float = 0.01,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        warmup_fraction: float = 0.0,
        augmentation: Augmentation | None = None,
        backend: str | Backend | None = None,
        device: str | None = None,
        dtype: str | None = None,
        precision: str | None = None,
    ) -> None:
        given = locals()
        self.__dict__.update({name: given[name] for name in given if name != "self"})

    @property
    def out_activation_(self) -> str:
        """What makes outputs of the last z: "identity" or "exp"."""
        loss = self._made_of[1] if hasattr(self, "_made_of") else self.loss
        return "exp" if loss == "poisson" else "identity"

    def _encode(self, y: Any, reset: bool) -> NDArray[Any]:
        if np.asarray(y).dtype.kind in "mMSUV":
            raise ValueError(f"y has dtype {np.asarray(y).dtype}, expected numbers.")
        targets = np.asarray(y, dtype=np.float64)
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        if reset:
            self._single = targets.ndim == 1
        elif self._single != (targets.ndim == 1):
            raise ValueError(
                f"y has shape {targets.shape}, expected as many axes as the y learnt before."
            )
        if self.loss == "poisson" and targets.min() < 0:
            raise ValueError(
                f"y has values down to {targets.min():g}, expected none below 0: loss='poisson' is "
                "for counts. Take loss='squared_error'."
            )
        return targets.reshape(targets.shape[0], -1)

    def _loss_name(self) -> str:
        return str(self.loss)

    def _score_of(
        self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None
    ) -> float:
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(r2_score(targets, outputs, sample_weight=weights))

    @available_if(takes_parts)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train for one more epoch, on these samples.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self
        """
        return self._trained(X, y, sample_weight, resume=True, incremental=True)

    def predict(self, X: Any) -> Any:
        """Values (n_samples,), or (n_samples, n_outputs) if y had several."""
        outputs = self._outputs(X, "predict")
        if isinstance(outputs, np.ndarray):
            return in_kind(outputs[:, 0] if self._single else outputs, X)
        return answers(self._trainer.backend).column(outputs) if self._single else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 of `predict`: the values, and nothing else, are compared on the host."""
        values = as_host(y, "y"), as_host(self.predict(X))
        return float(r2_score(*values, sample_weight=as_host(sample_weight, "sample_weight")))
