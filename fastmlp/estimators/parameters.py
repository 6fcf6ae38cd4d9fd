"""The parameters of both estimators: what they may be, and what they mean."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from fastmlp.backends import PRECISIONS, Backend
from fastmlp.core import ACTIVATIONS, Augmentation
from fastmlp.training.host import INITS

LARGEST = float(np.finfo(np.float32).max)
SCHEDULES = ("cosine", "one_cycle")  # of the learning rate, step by step

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "solver": [StrOptions({"lbfgs", "sgd", "adam", "adamw", "rmsprop"})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", *SCHEDULES})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        Options(Real, {np.inf}),
    ],
    "monitor": [str, callable, None],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "init": [StrOptions({"auto", *INITS})],
    "dropout": ["array-like", Interval(Real, 0, 1, closed="left")],
    "input_dropout": [Interval(Real, 0, 1, closed="left")],
    "l1": [Interval(Real, 0, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "max_norm": [Interval(Real, 0, LARGEST, closed="right"), None],
    "clip_norm": [Interval(Real, 0, LARGEST, closed="right"), None],
    "warmup_fraction": [Interval(Real, 0, 1, closed="left")],
    "augmentation": [Augmentation, None],
    "backend": [str, Backend, None],
    "device": [str, None],
    "dtype": [StrOptions({"float32", "float64"}), None],
    "precision": [StrOptions(set(PRECISIONS)), None],
}

DESCRIPTION = """
    hidden_layer_sizes : sequence of int, default=(100,)
        Units of the hidden layers; () leaves the linear model.
    activation : str, default="relu"
        Of the hidden layers: "relu", "tanh", "logistic", "identity" (eq. 3-6), "leaky_relu", "elu",
        "gelu", "silu" or "softplus" (eq. 27-31).
    solver : {"adam", "sgd", "lbfgs", "adamw", "rmsprop"}, default="adam"
        Eq. 21, eq. 18-20, SciPy's L-BFGS on all samples at once, eq. 39 or eq. 40.
    alpha : float, default=0.0001
        L2 penalty alpha / (2 n) sum ||W||^2 with n the rows of the batch, or what they weigh
        together (eq. 17).
    batch_size : int or "auto", default="auto"
        Rows of a batch; "auto" is min(200, n_samples), n_samples the full batch.
    learning_rate : str, default="constant"
        Of sgd: "invscaling" divides by (t + 1)^power_t after t samples; "adaptive" divides by 5
        whenever training would end, and ends it below 1e-6. Of all but lbfgs: "cosine" and
        "one_cycle", which change it in each step and plan with all max_iter epochs (eq. 42, 43).
    learning_rate_init : float, default=0.001
        Of the first epoch; the largest one of "cosine" and "one_cycle".
    power_t : float, default=0.5
        Of "invscaling".
    max_iter : int, default=200
        Epochs at most; iterations of lbfgs.
    shuffle : bool, default=True
        Draw a new order of the samples for each epoch.
    random_state : int, RandomState or None, default=None
        Of the initial weights (eq. 22) and of the orders: the same on every backend.
    tol : float, default=1e-4
        Training ends when the loss has not fallen by tol, or the validation score not risen by it,
        for more than n_iter_no_change epochs; lbfgs, when no part of the gradient is larger.
    verbose : bool, default=False
        Show a progress bar.
    warm_start : bool, default=False
        Let fit go on from the weights of the fit before.
    momentum : float, default=0.9
        Of sgd (eq. 19).
    nesterovs_momentum : bool, default=True
        Look ahead (eq. 20).
    early_stopping : bool, default=False
        Score a part of the samples after each epoch, stop by it, and keep the best weights.
    validation_fraction : float, default=0.1
        How large that part is, unless fit is given validation data.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of adam and adamw (eq. 21); beta_2 and epsilon also of rmsprop, as rho and epsilon (eq. 40).
    n_iter_no_change : int or inf, default=10
        See tol.
    monitor : str, callable or None, default=None
        Score of the validation samples that early_stopping goes by, the larger the better:
        accuracy or R2; "loss": minus their loss; one of `sklearn.metrics.get_scorer_names`, or
        scorer(estimator, X, y).
    max_fun : int, default=15000
        Evaluations of the loss at most, of lbfgs.
    init : str, default="auto"
        How initial weights are drawn: "auto" as scikit-learn does (eq. 22), or "glorot_uniform",
        "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal" (eq. 44).
    dropout : float or sequence of float, default=0.0
        The part of the units of the hidden layers that is left out of each step, at random: one
        for all of them, or one for each (eq. 33). The same seed leaves out the same units on every
        backend.
    input_dropout : float, default=0.0
        The same for the features.
    l1 : float, default=0.0
        L1 penalty: l1 / n times the sum of all absolute weights (eq. 36).
    weight_decay : float, default=0.01
        Of adamw: the part of the weights that is taken off per step, times the learning rate
        (eq. 39). alpha, the L2 penalty, comes on top of it.
    max_norm : float or None, default=None
        No weights that enter a unit are longer, together (eq. 38).
    clip_norm : float or None, default=None
        No gradient is longer, all weights and biases together (eq. 37).
    warmup_fraction : float, default=0.0
        The part of all steps in max_iter epochs in which the learning rate rises to its value
        (eq. 41).
    augmentation : fastmlp.core.Augmentation or None, default=None
        Rows of X are images: move each of them a little in each step, at random (eq. 45-48). The
        same seed moves them alike on every backend. Loss and accuracy of an epoch are those of the
        moved images; outputs and scores see images as they are.
    backend : str, Backend or None, default=None
        "numpy", "jax", "cupy", "torch" or another of `fastmlp.backends.backend_names`. None: an
        array of JAX, CuPy or PyTorch decides by itself; host data takes the environment variable
        FASTMLP_BACKEND, else NumPy.
    device : str or None, default=None
        "cpu", "gpu", "cuda:1", ...; None: that of X, else a GPU that the library can use, else the
        CPU.
    dtype : {"float32", "float64"} or None, default=None
        Of the weights and all computation; None: float32 if X is float32, else float64.
    precision : {"float32", "tf32", "bfloat16"} or None, default=None
        How float32 is multiplied, see `fastmlp.backends.get_backend`; None: that of a given
        record, else in full."""
