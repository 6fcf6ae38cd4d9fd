"""What both estimators share: parameters, data, training, fitted attributes."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp.backends import Backend, resolve_backend
from fastmlp.core import ACTIVATIONS, LOSSES, Layer, Optimizer, Params, Recipe
from fastmlp.core import optimizers as opt
from fastmlp.estimators.arrays import as_host, features
from fastmlp.estimators.parameters import CONSTRAINTS
from fastmlp.estimators.patience import Patience
from fastmlp.estimators.progress import progress_bar
from fastmlp.training import Epoch, Trainer, TrainerLike, draw_params

X_DTYPES = (np.float64, np.float32, np.uint8)  # others become the first


class BaseMLP(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Parameters, fit and outputs of `MLPClassifier` and `MLPRegressor`."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        backend: str | Backend | None = None,
        device: str | None = None,
        dtype: str | None = None,
        precision: str | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.backend = backend
        self.device = device
        self.dtype = dtype
        self.precision = precision

    # The two hooks of the estimators: what y means, and which loss goes with it.

    @abstractmethod
    def _encode(self, y: Any, reset: bool) -> NDArray[Any]:
        """Targets (n, n_outputs) of y; learn what y means if reset, else refuse what is new."""

    @abstractmethod
    def _loss_name(self) -> str:
        """Row of the table of losses that fits the targets."""

    def fit(self, X: Any, y: Any, X_val: Any = None, y_val: Any = None) -> Any:
        """Train the network.

        Parameters
        ----------
        X : (n_samples, n_features) array
            uint8 stays uint8 until a batch needs it, at face value.
        y : (n_samples,) or (n_samples, n_outputs) array
        X_val, y_val : arrays, optional
            Evaluated after each epoch into ``history_["val_..."]``; nothing is learnt from them.
            Steps before this one in a pipeline do not see them: transform them as X was.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter, X or y is not usable; the message says which and why.
        BackendUnavailableError
            The backend asked for cannot run here.
        DivergenceError
            The loss stopped being finite; the estimator keeps the last finite weights.
        """
        before = dict(self.__dict__)
        try:
            return self._fit(X, y, X_val, y_val)
        except BaseException:
            if "coefs_" in before and getattr(self, "_trainer", None) is before.get("_trainer"):
                self.__dict__.clear()  # nothing was learnt: the model stays the one it was
                self.__dict__.update(before)
            raise

    def _fit(self, X: Any, y: Any, X_val: Any, y_val: Any) -> Any:
        self._validate_params()
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: give both, or neither.")
        backend = self._backend(X)
        X, y = self._check_data(X, y, reset=True)
        n, n_features = X.shape
        dtype = self.dtype or ("float32" if X.dtype == np.float32 else "float64")
        rng = check_random_state(self.random_state)
        sizes = (n_features, *self._hidden(), y.shape[1])
        params = draw_params(sizes, rng, activation=self.activation)
        recipe, batch_size = self._recipe(), self._batch_size(n)
        # of a generator of the caller's no order is drawn in vain; validation is timed apart
        overlap = isinstance(self.random_state, Integral) and X_val is None
        trainer = self._trainer_of(backend, recipe, params, batch_size, dtype, overlap)
        validation = None if X_val is None else self._check_validation(X_val, y_val)
        history: dict[str, list[float]] = {}
        patience = Patience(self.tol, self.n_iter_no_change)

        with progress_bar(bool(self.verbose), self.max_iter) as show:

            def on_epoch(epoch: Epoch) -> bool:
                for name, value in {**epoch.values, "epoch_s": epoch.epoch_s}.items():
                    history.setdefault(name, []).append(value)
                if validation is not None:
                    for name, value in trainer.evaluate(*validation).items():
                        history.setdefault(f"val_{name}", []).append(value)
                show(epoch.values)
                return patience.see(epoch.values["loss"])

            try:
                trainer.run(X, y, self._orders(n, rng), on_epoch)
            except KeyboardInterrupt:
                if trainer.epoch == 0:
                    raise
                warnings.warn(
                    f"Training was interrupted: the weights of epoch {trainer.epoch} are kept.",
                    stacklevel=3,
                )
            finally:
                if trainer.epoch or not hasattr(self, "coefs_"):
                    self._keep(trainer, history, n)
        self._advise(self.loss_curve_, patience)
        return self

    def _outputs(self, X: Any) -> NDArray[Any]:
        """Outputs of the network (n, n_outputs) on the host."""
        check_is_fitted(self, "coefs_")
        X = validate_data(self, features(X), reset=False, dtype=X_DTYPES)
        if not hasattr(self, "_trainer"):  # after unpickling
            params = tuple(map(Layer, self.coefs_, self.intercepts_))
            self._trainer = self._trainer_of(
                self._backend(None), self._recipe(), params, 1, self.coefs_[0].dtype.name, False
            )
        outputs: NDArray[Any] = self._trainer.predict(X)
        if not np.isfinite(outputs).all():
            raise ValueError(
                "the outputs are not finite: X, or the weights of a training that diverged, are "
                f"too large for dtype {self.coefs_[0].dtype.name}. Scale X to 0..1 and train again."
            )
        return outputs

    def _backend(self, X: Any) -> Backend:
        return resolve_backend(self.backend, X, self.device, self.precision)

    def _trainer_of(
        self,
        backend: Backend,
        recipe: Recipe,
        params: Params,
        batch_size: int,
        dtype: str,
        overlap: bool,
    ) -> TrainerLike:
        return Trainer(
            backend,
            recipe,
            params,
            learning_rate=self.learning_rate_init,
            batch_size=batch_size,
            dtype=dtype,
            overlap=overlap,
        )

    def _check_data(self, X: Any, y: Any, reset: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        X, y = validate_data(
            self, features(X), as_host(y, "y"), reset=reset, dtype=X_DTYPES, multi_output=True
        )
        return X, self._encode(y, reset)

    def _check_validation(self, X_val: Any, y_val: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        try:
            return self._check_data(X_val, y_val, reset=False)
        except ValueError as error:
            raise ValueError(f"X_val, y_val: {error}") from error

    def _hidden(self) -> tuple[int, ...]:
        sizes = tuple(int(size) for size in np.ravel(self.hidden_layer_sizes))
        if any(size < 1 for size in sizes):
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes} must hold sizes of at least 1; () "
                "is the linear model."
            )
        return sizes

    def _recipe(self) -> Recipe:
        hidden = (ACTIVATIONS[self.activation],) * len(self._hidden())
        loss = LOSSES[self._loss_name()]
        return Recipe(hidden, loss, self._optimizer(), l2=float(self.alpha))

    def _optimizer(self) -> Optimizer:
        if self.solver == "adam":
            return opt.adam(float(self.beta_1), float(self.beta_2), float(self.epsilon))
        if self.momentum == 0:
            return opt.gradient_descent()
        factory = opt.nesterov if self.nesterovs_momentum else opt.momentum
        return factory(float(self.momentum))

    def _batch_size(self, n: int) -> int:
        if self.batch_size == "auto":
            return min(200, n)
        if int(self.batch_size) > n:
            warnings.warn(
                f"batch_size={self.batch_size} is more than the {n} samples: all of them make one "
                "batch.",
                stacklevel=4,
            )
        return min(int(self.batch_size), n)

    def _orders(self, n: int, rng: np.random.RandomState) -> Iterator[NDArray[np.int32]]:
        """Orders of the epochs: one cumulative shuffle, as scikit-learn draws it."""
        order = np.arange(n, dtype=np.int32)
        for _ in range(self.max_iter):
            if self.shuffle:
                places = np.arange(n)
                rng.shuffle(places)  # what sklearn.utils.shuffle draws, without its checks
                order = order[places]
            yield order

    def _advise(self, losses: list[float], patience: Patience) -> None:
        """Warn of a training that went wrong or ended early; tol=0 asks for all epochs."""
        if len(losses) > 1 and losses[-1] > losses[0]:
            advice = (
                f"The loss rose from {losses[0]:.4g} to {losses[-1]:.4g}: "
                f"learning_rate_init={self.learning_rate_init} is too large for these data, or "
                "they need scaling."
            )
        elif len(losses) == self.max_iter and self.tol > 0 and not patience.is_over:
            advice = (
                f"max_iter={self.max_iter} epochs are done before the loss settled to "
                f"tol={self.tol} (it is {losses[-1]:.4g}): more epochs may give a better fit."
            )
        else:
            return
        warnings.warn(advice, ConvergenceWarning, stacklevel=4)

    def _keep(self, trainer: TrainerLike, history: dict[str, list[float]], n: int) -> None:
        params = trainer.params()
        self.coefs_ = [layer.W for layer in params]
        self.intercepts_ = [layer.b for layer in params]
        self.history_ = history
        self.loss_curve_ = history.get("loss", [])
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan
        self.best_loss_ = min(self.loss_curve_, default=np.nan)
        self.n_iter_ = trainer.epoch
        self.t_ = trainer.epoch * n
        self.backend_, self.device_ = trainer.name, trainer.device
        self.n_layers_ = len(params) + 1
        self.n_outputs_ = self.intercepts_[-1].shape[0]
        self._trainer = trainer

    def __getstate__(self) -> dict[str, Any]:
        """Leave the trainer out: it holds arrays of a device, and the weights are in coefs_."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_trainer"}
