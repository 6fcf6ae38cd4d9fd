"""The network as a scikit-learn classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from fastmlp.estimators.arrays import as_host, in_kind
from fastmlp.estimators.base import BaseMLP
from fastmlp.estimators.parameters import DESCRIPTION


class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]  # noqa: D101
    __doc__ = f"""Multilayer perceptron for classification, on the array backend of your choice.

    Softmax with cross-entropy for three classes and more, one logistic output for two, one for
    each label of a multilabel problem (eq. 7-11). Parameters, defaults and random numbers are
    scikit-learn's; backend, device, dtype and precision are new.

    Parameters
    ----------{DESCRIPTION}

    Attributes
    ----------
    classes_ : (n_classes,) array
        Labels, in the order of the columns of `predict_proba`.
    coefs_, intercepts_ : lists of arrays
        W (n_in, n_out) and b (n_out,) of each layer.
    history_ : dict of lists
        One value per epoch: loss and accuracy (means over the epoch's batches as they were
        learnt from), val_loss and val_accuracy if validation data were given, epoch_s.
    loss_curve_ : list of float
        The history's loss, the L2 penalty included.
    n_iter_ : int
        Epochs done.
    backend_, device_ : str
        What the network was trained on.

    Examples
    --------
    >>> from fastmlp import MLPClassifier
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
    >>> model = MLPClassifier((), solver="sgd", learning_rate_init=1.0, random_state=0)
    >>> model.fit(X, y).predict([[0.5], [2.5]]).tolist()
    ['low', 'high']
    """

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
                f"y_val has the labels {unknown}, which are not in y: {self.classes_}."
            )
        targets: NDArray[Any] = self._labels.transform(y)
        return targets

    def _loss_name(self) -> str:
        several = self._labels.y_type_ == "multiclass" and len(self.classes_) > 2
        return "softmax_cross_entropy" if several else "sigmoid_cross_entropy"

    @property
    def out_activation_(self) -> str:
        """What makes probabilities of the logits: "softmax" or "logistic"."""
        return "softmax" if self._loss_name() == "softmax_cross_entropy" else "logistic"

    def predict(self, X: Any) -> Any:
        """Labels (n_samples,) of the rows of X, or label indicators (n_samples, n_outputs)."""
        return in_kind(self._labels_of(self._outputs(X)), X)

    def predict_proba(self, X: Any) -> Any:
        """Probabilities (n_samples, n_classes), columns in the order of ``classes_``."""
        p = self._outputs(X)
        if p.shape[1] == 1:
            p = np.concatenate([1.0 - p, p], axis=1)
        return in_kind(p, X)

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return in_kind(np.log(self.predict_proba(as_host(X))), X)

    def _labels_of(self, p: NDArray[Any]) -> NDArray[Any]:
        labels: NDArray[Any] = self._labels.inverse_transform(p[:, 0] if p.shape[1] == 1 else p)
        return labels

    def __sklearn_tags__(self) -> Any:
        """Add that labels may be several per sample."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
