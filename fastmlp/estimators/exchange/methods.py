"""What both estimators can do with files and with other libraries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self


class Exchange:
    """Methods of a fitted estimator that lead out of fastmlp, and class methods that lead in."""

    def save(self, path: str | os.PathLike[str], card: bool | Mapping[str, Any] = False) -> None:
        """Write the fitted estimator into a safetensors file, for `fastmlp.load`.

        The file appears in one step: until it is complete, what was there stays.

        Parameters
        ----------
        path : str or path
            As in "digits.safetensors".
        card : bool or mapping, default=False
            Write a model card beside it, "digits.md". A mapping gives what fastmlp cannot know:
            "text" and "data" (Markdown: what the model is for, what it was trained on), "score"
            (name to value, as in {"test accuracy": 0.97}), "energy" (the `EnergyResult` of its
            training) and "grid" (the `GridZone` where it was trained, if the energy names none).

        Raises
        ------
        NotFittedError
            There is nothing to save yet.
        ValueError
            A parameter is no plain value, such as a generator of random numbers, a label neither
            number nor text, an entry of card of the wrong kind, or a weight not finite.
        OSError
            The file cannot be written.
        ImportError
            safetensors is missing: ``pip install 'fastmlp[safetensors]'``.

        Examples
        --------
        ::

            model.save("digits.safetensors", card={"data": "The digits of UCI."})
        """
        from fastmlp.estimators.exchange.model_file import save

        save(self, path, card)

    def to_sklearn(self) -> Any:
        """Return scikit-learn's own estimator, fitted as this one, which it can go on training.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or MLPRegressor

        Raises
        ------
        ValueError
            scikit-learn does not have the activation or the solver, or a weight is not finite.

        Warns
        -----
        UserWarning
            A parameter that scikit-learn lacks would matter if training goes on there.

        Examples
        --------
        >>> from fastmlp import MLPClassifier
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
        >>> model = MLPClassifier((), solver="sgd", learning_rate_init=1.0, random_state=0)
        >>> model.fit(X, y).to_sklearn().predict([[0.5], [2.5]]).tolist()
        ['low', 'high']
        """
        from fastmlp.estimators.exchange.scikit_learn import to_sklearn

        return to_sklearn(self)

    @classmethod
    def from_sklearn(cls, fitted: Any) -> Self:
        """Make the estimator of a fitted one of scikit-learn, which it can go on training.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPClassifier or MLPRegressor
            Of the same name as this class.

        Raises
        ------
        TypeError
            It is something else.
        NotFittedError
            It has learnt nothing yet.
        ValueError
            A weight is not finite.

        Examples
        --------
        >>> from sklearn.neural_network import MLPRegressor as Theirs
        >>> from fastmlp import MLPRegressor
        >>> theirs = Theirs(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> theirs = theirs.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
        >>> MLPRegressor.from_sklearn(theirs).predict([[4.0]]).round(1).tolist()
        [9.0]
        """
        from fastmlp.estimators.exchange.scikit_learn import from_sklearn

        model: Self = from_sklearn(cls, fitted)
        return model

    def to_onnx(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Return the network as an ONNX model, of the dtype of the weights.

        The input is "X" (n, n_features), n free. A classifier has the outputs "label", as `predict`
        gives them, and "probabilities"; a regressor has "variable" (n, n_outputs). The names are
        skl2onnx's.

        Parameters
        ----------
        path : str or path, optional
            Where to write it, in one step.

        Returns
        -------
        onnx.ModelProto

        Raises
        ------
        ValueError
            The classes are neither numbers nor text, or a weight is not finite.
        ImportError
            onnx is missing: ``pip install 'fastmlp[onnx]'``.

        Examples
        --------
        ::

            model.to_onnx("digits.onnx")
            session = onnxruntime.InferenceSession("digits.onnx")
            label, probabilities = session.run(None, {"X": X.astype(model.coefs_[0].dtype)})
        """
        from fastmlp.estimators.exchange.onnx_graph import to_onnx

        return to_onnx(self, path)

    def to_keras(self) -> Any:
        """Return the network as a keras.Sequential, not compiled, output activation included.

        Raises
        ------
        ValueError
            A weight is not finite.
        ImportError
            Keras is missing: ``pip install 'fastmlp[tensorflow]'``.

        Examples
        --------
        ::

            model.to_keras().predict(X)  # probabilities, or values
        """
        from fastmlp.estimators.exchange.to_keras import to_keras

        return to_keras(self)

    @classmethod
    def from_keras(cls, network: Any, classes: Any = None) -> Self:
        """Make the estimator of a keras.Sequential of Dense layers.

        Parameters
        ----------
        network : keras.Sequential
            Dense layers with one activation for all hidden ones, within or in a layer of its own;
            Flatten in front, Rescaling before a Dense layer, and Dropout and noise, which do
            nothing in prediction. A classifier ends in softmax or sigmoid, a regressor in linear
            or exponential.
        classes : (n_classes,) array, optional
            Labels of the outputs, of a classifier; left out, 0, 1, ...

        Returns
        -------
        The fitted estimator; what the optimizer of Keras remembers stays behind.

        Raises
        ------
        ValueError
            A layer has no counterpart, or weights that are not finite; the message names it.
        TypeError
            It is no keras.Sequential.
        ImportError
            Keras is missing: ``pip install 'fastmlp[tensorflow]'``.

        Examples
        --------
        ::

            MLPClassifier.from_keras(network, classes=["cat", "dog"]).predict(X)
        """
        from fastmlp.estimators.exchange.from_keras import from_keras

        model: Self = from_keras(cls, network, classes)
        return model

    def to_torch(self) -> Any:
        """Return the network as a torch.nn.Sequential on the CPU, output activation included.

        Raises
        ------
        ValueError
            A weight is not finite.
        ImportError
            PyTorch is missing: ``pip install 'fastmlp[torch]'``.

        Examples
        --------
        ::

            model.to_torch()(torch.as_tensor(X, dtype=torch.float32))
        """
        from fastmlp.estimators.exchange.torch_modules import to_torch

        return to_torch(self)
