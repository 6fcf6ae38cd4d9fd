"""The parameters of both estimators: what they may be, and what they mean."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from fastmlp.backends import PRECISIONS, Backend
from fastmlp.core import ACTIVATIONS

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "solver": [StrOptions({"sgd", "adam"})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "backend": [str, Backend, None],
    "device": [str, None],
    "dtype": [StrOptions({"float32", "float64"}), None],
    "precision": [StrOptions(set(PRECISIONS)), None],
}

DESCRIPTION = """
    hidden_layer_sizes : sequence of int, default=(100,)
        Units of the hidden layers; () leaves the linear model.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Of the hidden layers (eq. 3-6).
    solver : {"adam", "sgd"}, default="adam"
        Eq. 21, or eq. 18-20.
    alpha : float, default=0.0001
        L2 penalty alpha / (2 n) sum ||W||^2 with n the rows of the batch (eq. 17).
    batch_size : int or "auto", default="auto"
        Rows of a batch; "auto" is min(200, n_samples), n_samples the full batch.
    learning_rate_init : float, default=0.001
        Constant learning rate.
    max_iter : int, default=200
        Epochs at most.
    shuffle : bool, default=True
        Draw a new order of the samples for each epoch.
    random_state : int, RandomState or None, default=None
        Of the initial weights (eq. 22) and of the orders: the same on every backend.
    tol : float, default=1e-4
        Training ends when the loss has not fallen by tol for n_iter_no_change epochs.
    verbose : bool, default=False
        Show a progress bar.
    momentum : float, default=0.9
        Of sgd (eq. 19).
    nesterovs_momentum : bool, default=True
        Look ahead (eq. 20).
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of adam (eq. 21).
    n_iter_no_change : int, default=10
        See tol.
    backend : str, Backend or None, default=None
        "numpy", "jax", "cupy", "torch" or another of `fastmlp.backends.backend_names`. None: an
        array of JAX, CuPy or PyTorch decides by itself; host data takes the environment variable
        FASTMLP_BACKEND, else NumPy.
    device : str or None, default=None
        "cpu", "gpu", "cuda:1", ...; None: that of X, or the library's own choice.
    dtype : {"float32", "float64"} or None, default=None
        Of the weights and all computation; None: float32 if X is float32, else float64.
    precision : {"float32", "tf32", "bfloat16"} or None, default=None
        How float32 is multiplied, see `fastmlp.backends.get_backend`; None: that of a given
        record, else in full."""
