"""The network as a scikit-learn classifier."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
)

from fastmlp.backends import Backend
from fastmlp.core import Augmentation, smooth_labels
from fastmlp.estimators.arrays import as_host, in_kind
from fastmlp.estimators.base import BaseMLP
from fastmlp.estimators.on_device import answers
from fastmlp.estimators.parameters import CONSTRAINTS, DESCRIPTION
from fastmlp.estimators.solvers import takes_parts


class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]  # noqa: D101
    __doc__ = f"""Multilayer perceptron for classification, on the array backend of your choice.

    Softmax with cross-entropy for three classes and more, one logistic output for two, one for
    each label of a multilabel problem (eq. 7-11). Parameters, defaults and random numbers are
    scikit-learn's; backend, device, dtype and precision are new.

    Parameters
    ----------{DESCRIPTION}
    class_weight : dict of label to weight, "balanced" or None, default=None
        Weights the samples of a class in learning; "balanced": so that all classes weigh the same.
        A class that the dict leaves out weighs 1. Scores count samples by sample_weight alone.
    label_smoothing : float, default=0.0
        The part of a label's certainty that is given to all classes alike (eq. 32).

    Attributes
    ----------
    classes_ : (n_classes,) array
        Labels, in the order of the columns of `predict_proba`.
    coefs_, intercepts_ : lists of arrays
        W (n_in, n_out) and b (n_out,) of each layer.
    history_ : dict of lists
        One value per epoch: loss and accuracy (means over the epoch's batches as they were
        learnt from), learning_rate, epoch_s, and of validation samples val_loss, val_accuracy
        and the val_score that stops it. ``history_.to_frame()`` is a pandas data frame.
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
    >>> from fastmlp import MLPClassifier
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
    >>> model = MLPClassifier((), solver="sgd", learning_rate_init=1.0, random_state=0)
    >>> model.fit(X, y).predict([[0.5], [2.5]]).tolist()
    ['low', 'high']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
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
        class_weight: Any = None,
        label_smoothing: float = 0.0,
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

    def _encode(self, y: Any, reset: bool) -> NDArray[Any]:
        check_classification_targets(y)
        if not type_of_target(y).startswith("multilabel"):
            y = column_or_1d(y, warn=True)
        elif not set(np.unique(y).tolist()) <= {0, 1}:
            raise ValueError(
                f"y has several columns with the values {np.unique(y)[:5]}, expected label "
                "indicators, 0 or 1: make them as in (y == value).astype(int)."
            )
        if reset:
            self._labels = LabelBinarizer().fit(y)
            self.classes_ = self._labels.classes_
        elif unknown := sorted(set(np.ravel(y).tolist()) - set(self.classes_.tolist())):
            raise ValueError(
                f"y has the labels {unknown}, which are not among those learnt before: "
                f"{self.classes_}."
            )
        targets: NDArray[Any] = self._labels.transform(y)
        return targets

    def _check_warm_start(self, y: Any) -> None:
        labels = self.classes_ if y.ndim == 2 else np.unique(y)
        if set(labels.tolist()) != set(self.classes_.tolist()):
            raise ValueError(
                f"y has the classes {labels}, expected those of the fit before, {self.classes_}: "
                "set warm_start=False to begin anew."
            )

    def _weighted(self, weights: Any, y: Any, incremental: bool) -> Any:
        if self.class_weight is None:
            return weights
        _check_class_weight(self.class_weight)
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "partial_fit does not support class_weight='balanced': it sees one part of the "
                "samples. Give the weights of the classes as a dict."
            )
        if isinstance(self.class_weight, dict) and y.ndim == 1:
            unknown = sorted(set(self.class_weight) - set(self.classes_.tolist()), key=str)
            if unknown:
                raise ValueError(
                    f"class_weight has the classes {unknown}, which are not in y: {self.classes_}."
                )
            by_class = np.asarray([self.class_weight.get(label, 1.0) for label in y.tolist()])
        else:
            by_class = compute_sample_weight(self.class_weight, y)
        return by_class if weights is None else weights * by_class

    def _learnt_from(self, targets: Any) -> Any:
        if self.label_smoothing == 0.0:
            return targets
        n_classes = targets.shape[1] if self._loss_name() == "softmax_cross_entropy" else 2
        return smooth_labels(targets, self.label_smoothing, n_classes)

    def _score_of(
        self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None
    ) -> float:
        if not np.isfinite(outputs).all():
            return float("nan")
        labels = self._labels_of(targets), self._labels_of(outputs)
        return float(accuracy_score(*labels, sample_weight=weights))

    @available_if(takes_parts)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:
        """Train for one more epoch, on these samples.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`; y need not have all classes.
        classes : (n_classes,) array, optional
            All classes that there will be: needed in the first call.

        Returns
        -------
        self
        """
        y = as_host(y, "y")

        def learn_classes() -> None:
            if _check_partial_fit_first_call(self, classes):
                several = type_of_target(y).startswith("multilabel")
                self._labels = LabelBinarizer().fit(y if several else classes)

        return self._trained(
            X, y, sample_weight, resume=True, incremental=True, learn_classes=learn_classes
        )

    def _loss_name(self) -> str:
        several = self._labels.y_type_ == "multiclass" and len(self.classes_) > 2
        return "softmax_cross_entropy" if several else "sigmoid_cross_entropy"

    @property
    def out_activation_(self) -> str:
        """What makes probabilities of the logits: "softmax" or "logistic"."""
        return "softmax" if self._loss_name() == "softmax_cross_entropy" else "logistic"

    def predict(self, X: Any) -> Any:
        """Labels (n_samples,) of the rows of X, or label indicators (n_samples, n_outputs).

        They are of the library of X and on its device; labels that are no numbers are NumPy's.
        """
        p = self._outputs(X, "predict")
        if isinstance(p, np.ndarray):
            return in_kind(self._labels_of(p), X)
        backend = self._trainer.backend
        if self._labels.y_type_.startswith("multilabel"):
            return answers(backend).indicators(p, backend.to_device(np.arange(2), "int64"))
        n = self.classes_.size
        places = np.resize(np.arange(n, dtype=np.int32), max(n, 2))  # one class has an output, too
        dtype = self.classes_.dtype
        if dtype.kind in "iufc" and dtype.name not in ("uint16", "uint32", "uint64"):
            values = backend.to_device(self.classes_[places], dtype.name)
            return answers(backend).labels(p, values)
        chosen = answers(backend).labels(p, backend.to_device(places, "int32"))
        # of text, and of wide unsigned numbers, from which PyTorch cannot take
        return in_kind(self.classes_[backend.to_host(chosen)], X)

    def predict_proba(self, X: Any) -> Any:
        """Probabilities (n_samples, n_classes), columns in the order of ``classes_``."""
        p = self._outputs(X, "predict_proba")
        if not isinstance(p, np.ndarray):
            return answers(self._trainer.backend).proba(p)
        return in_kind(_of_all_classes(p), X)

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of `predict_proba`."""
        p = self._outputs(X, "predict_log_proba")
        if not isinstance(p, np.ndarray):
            return answers(self._trainer.backend).log_proba(p)
        with np.errstate(divide="ignore"):
            return in_kind(np.log(_of_all_classes(p)), X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of `predict`: the labels, and nothing else, are compared on the host."""
        labels = as_host(y, "y"), as_host(self.predict(X))
        weights = as_host(sample_weight, "sample_weight")
        return float(accuracy_score(*labels, sample_weight=weights))

    def _labels_of(self, p: NDArray[Any]) -> NDArray[Any]:
        labels: NDArray[Any] = self._labels.inverse_transform(p[:, 0] if p.shape[1] == 1 else p)
        return labels

    def __sklearn_tags__(self) -> Any:
        """Add that labels may be several per sample."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _check_class_weight(class_weight: Any) -> None:
    """Raise ValueError for a dict with what is no weight."""
    if not isinstance(class_weight, dict):
        return
    for label, weight in class_weight.items():
        if not (isinstance(weight, Real) and 0.0 <= float(weight) < np.inf):
            raise ValueError(
                f"class_weight[{label!r}]={weight!r}, expected a finite number of at least 0: "
                "leave out a class that is to weigh 1."
            )


def _of_all_classes(p: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([1.0 - p, p], axis=1) if p.shape[1] == 1 else p
