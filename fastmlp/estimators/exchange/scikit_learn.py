"""To scikit-learn's own estimators and back, in the middle of a training if need be.

Their parts are private; they are set as ``fit`` of scikit-learn 1.7 to 1.9 sets them.
"""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.base import is_classifier
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fastmlp.core import Layer, Params
from fastmlp.estimators.course import Course
from fastmlp.estimators.exchange.network import layers_of
from fastmlp.estimators.exchange.restored import SIGMOID, SOFTMAX, Parts, restored
from fastmlp.estimators.history import History
from fastmlp.estimators.parameters import SCHEDULES

KNOWN = {"activation": ("identity", "logistic", "tanh", "relu"), "solver": ("lbfgs", "sgd", "adam")}
SHARED = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "loss_")


def to_sklearn(model: Any) -> Any:
    """Return scikit-learn's estimator of a model; see `Exchange.to_sklearn`."""
    params: Any = layers_of(model)
    kind = neural_network.MLPClassifier if is_classifier(model) else neural_network.MLPRegressor
    made_of = {"activation": model._made_of[0], "solver": model.solver}
    for name, value in made_of.items():
        if value not in KNOWN[name]:
            raise ValueError(
                f"scikit-learn has no {name}={value!r}, only {KNOWN[name]}: take to_onnx or "
                "to_torch."
            )
    if not is_classifier(model):
        made_of["loss"] = model._made_of[1]
    ours, names = model.get_params(deep=False), kind().get_params()
    if model.learning_rate in SCHEDULES:
        made_of["learning_rate"] = "constant"
    hidden = tuple(layer.b.size for layer in params[:-1])
    if model._hidden() != hidden:  # set otherwise since the training
        made_of["hidden_layer_sizes"] = hidden
    theirs = kind(**{**{name: ours[name] for name in names}, **made_of})
    _warn_of_lost(model, ours, names)

    for name in (*SHARED, "classes_", "feature_names_in_"):
        if hasattr(model, name):
            setattr(theirs, name, deepcopy(getattr(model, name)))
    theirs.coefs_ = [layer.W.copy() for layer in params]
    theirs.intercepts_ = [layer.b.copy() for layer in params]
    theirs._random_state = check_random_state(model.random_state)
    if is_classifier(model):
        theirs._label_binarizer = deepcopy(model._labels)
    best: Any = model._course.best or params
    theirs._best_coefs = [layer.W.copy() for layer in best]
    theirs._best_intercepts = [layer.b.copy() for layer in best]
    if model.solver == "lbfgs":
        theirs._coef_indptr, theirs._intercept_indptr = _places(params)
    else:
        _give_course(model, theirs)
        theirs._optimizer = _optimizer(model, theirs)
    return theirs


def _give_course(model: Any, theirs: Any) -> None:
    course = model._course.resumed(None, model._stops_early(), repr(None))
    theirs.loss_curve_ = list(model.loss_curve_)
    theirs._no_improvement_count = course.patience.stalled
    best = course.patience.best
    theirs.best_loss_ = None if course.stops_early else -best
    theirs.validation_scores_ = course.scores if course.stops_early else None
    theirs.best_validation_score_ = best if course.stops_early else None


def _warn_of_lost(model: Any, ours: dict[str, Any], names: Any) -> None:
    defaults = type(model)().get_params(deep=False)
    lost = sorted(
        f"{name}={value!r}"
        for name, value in ours.items()
        if (name not in (*names, "backend", "device", "dtype", "precision") or value in SCHEDULES)
        and value != defaults[name]
    )
    if lost:
        warnings.warn(
            f"scikit-learn has no {', '.join(lost)}: it predicts the same, but would go on "
            "training without.",
            stacklevel=4,
        )


def _places(params: Any) -> tuple[list[Any], list[Any]]:
    """Where each W, then each b, stands in the vector that L-BFGS sees."""
    start, of_W, of_b = 0, [], []
    for W, _ in params:
        of_W.append((start, start + W.size, W.shape))
        start = of_W[-1][1]
    for _, b in params:
        of_b.append((start, start + b.size))
        start = of_b[-1][1]
    return of_W, of_b


def _optimizer(model: Any, theirs: Any) -> Any:
    """Their optimizer with our state, or a new one where ours would begin anew, too."""
    params = theirs.coefs_ + theirs.intercepts_
    goes_on = model._has_moments_for(model._optimizer())
    moments: Any = model._moments() if goes_on else ((), 0)
    state, t = moments[:2]
    if model.solver == "adam":
        adam = AdamOptimizer(
            params, model.learning_rate_init, model.beta_1, model.beta_2, model.epsilon
        )
        if goes_on:
            adam.ms, adam.vs, adam.t = _listed(state[0]), _listed(state[1]), int(t)
        if adam.t:
            corrected = np.sqrt(1 - adam.beta_2**adam.t) / (1 - adam.beta_1**adam.t)
            adam.learning_rate = adam.learning_rate_init * corrected
        return adam
    sgd = SGDOptimizer(
        params,
        model.learning_rate_init,
        model.learning_rate,
        model.momentum,
        model.nesterovs_momentum,
        model.power_t,
    )
    if goes_on:
        sgd.learning_rate = model._course.rate.value
        if state:
            sgd.velocities = _listed(state)
    return sgd


def _listed(params: Params) -> list[Any]:
    """Each W, then each b: the order of scikit-learn's lists."""
    return [np.array(layer.W) for layer in params] + [np.array(layer.b) for layer in params]


def _layers(listed: list[Any]) -> Params:
    half = len(listed) // 2
    return tuple(map(Layer, listed[:half], listed[half:]))


def from_sklearn(kind: Any, fitted: Any) -> Any:
    """Return the estimator of scikit-learn's; see `Exchange.from_sklearn`."""
    model = kind()
    expected = neural_network.MLPClassifier if is_classifier(model) else neural_network.MLPRegressor
    if not isinstance(fitted, expected):
        raise TypeError(
            f"from_sklearn got a {type(fitted).__name__}, expected a fitted "
            f"sklearn.neural_network.{expected.__name__}."
        )
    check_is_fitted(fitted, "coefs_")
    model.set_params(**fitted.get_params(deep=False))
    loss = _loss(fitted)
    copies = [np.array(array) for array in fitted.coefs_ + fitted.intercepts_]
    parts = Parts(
        _layers(copies),
        (fitted.activation, loss),
        _course(model, fitted),
        ("scikit-learn", "cpu", copies[0].dtype.name),
        _moments(model, fitted),
        feature_names=getattr(fitted, "feature_names_in_", None),
        is_single=fitted.n_outputs_ == 1,
        classes=getattr(fitted, "classes_", None),
    )
    return restored(model, parts)


def _loss(fitted: Any) -> str:
    losses = {"softmax": SOFTMAX, "logistic": SIGMOID, "exp": "poisson"}
    return losses.get(fitted.out_activation_, "squared_error")


def _course(model: Any, fitted: Any) -> Course:
    course = Course(model._rate(), t=fitted.t_, n_iter=fitted.n_iter_)
    losses = getattr(fitted, "loss_curve_", [fitted.loss_])
    course.history = History(loss=[float(loss) for loss in losses])
    if not hasattr(fitted, "_optimizer"):  # L-BFGS leaves nothing else
        return course
    course.stops_early = fitted.best_loss_ is None
    course.patience.stalled = fitted._no_improvement_count
    if course.stops_early:
        course.scores = [float(score) for score in fitted.validation_scores_]
        course.patience.best = float(fitted.best_validation_score_)
        best = [np.array(array) for array in fitted._best_coefs + fitted._best_intercepts]
        course.best = _layers(best)
    else:
        course.patience.best = -float(fitted.best_loss_)
    if isinstance(fitted._optimizer, SGDOptimizer):
        course.rate.value = float(fitted._optimizer.learning_rate)
    return course


def _moments(model: Any, fitted: Any) -> Any:
    """State of the optimizer, if it is the one that the parameters name."""
    theirs, ours = getattr(fitted, "_optimizer", None), model._optimizer()
    names = ours.name, ours.settings
    if model.solver == "adam" and isinstance(theirs, AdamOptimizer):
        return (_layers(theirs.ms), _layers(theirs.vs)), np.asarray(float(theirs.t)), names
    if model.solver == "sgd" and isinstance(theirs, SGDOptimizer):
        state = _layers(theirs.velocities) if model.momentum else ()
        return state, np.asarray(0.0), names
    return None
