"""The multilayer perceptron: forward pass and backpropagation, for any number of layers.

Rows are samples. ``hidden`` holds one `Activation` per hidden layer; none of them leaves the
linear classifier. The last layer has no activation: its z are the logits, and the loss knows
what they become.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from fastmlp.core.activations import Activation
from fastmlp.core.arrays import Array, Namespace


class Layer(NamedTuple):
    """Weights and biases of one layer, or their gradients."""

    W: Array  # (n_in, n_out)
    b: Array  # (n_out,)


Params: TypeAlias = tuple[Layer, ...]
Hidden: TypeAlias = tuple[Activation, ...]


class Trace(NamedTuple):
    """What the forward pass leaves behind for backpropagation."""

    inputs: tuple[Array, ...]  # inputs[L] enters layer L; the lecture's a^L is inputs[L + 1]
    zs: tuple[Array, ...]  # of the hidden layers
    logits: Array  # (n, n_outputs)


def forward(xp: Namespace, params: Params, x: Array, hidden: Hidden) -> Trace:
    """Go up through the layers: ``z = a W + b`` (eq. 1), ``a = h(z)`` (eq. 2).

    Parameters
    ----------
    xp : array namespace
        NumPy, jax.numpy, CuPy, or any other that follows the array API standard.
    params : tuple of Layer
        One more than there are hidden layers.
    x : (n, n_features) array
    hidden : tuple of Activation

    Returns
    -------
    Trace
        The inputs of every layer, the z of the hidden layers, the logits (n, n_outputs).

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.core import ACTIVATIONS, Layer, forward
    >>> one = Layer(W=np.asarray([[1.0], [-1.0]]), b=np.asarray([0.5]))
    >>> two = Layer(W=np.asarray([[2.0]]), b=np.asarray([0.0]))
    >>> x = np.asarray([[3.0, 1.0], [1.0, 3.0]])
    >>> forward(np, (one, two), x, (ACTIVATIONS["relu"],)).logits
    array([[5.],
           [0.]])

    References
    ----------
    Rumelhart, Hinton and Williams (1986), Nature 323, 533-536.
    """
    inputs, zs = [x], []
    for layer, activation in zip(params[:-1], hidden, strict=True):
        zs.append(inputs[-1] @ layer.W + layer.b)
        inputs.append(activation.h(xp, zs[-1]))
    logits = inputs[-1] @ params[-1].W + params[-1].b
    return Trace(tuple(inputs), tuple(zs), logits)


def backprop(
    xp: Namespace, params: Params, trace: Trace, delta: Array, hidden: Hidden
) -> tuple[Layer, ...]:
    """Come down again: ``dW = a^T delta``, ``db = sum(delta)``, the next delta (eq. 14-16).

    Parameters
    ----------
    xp : array namespace
    params : tuple of Layer
    trace : Trace
        Of `forward` with the same params and hidden.
    delta : (n, n_outputs) array
        Derivative of the loss with respect to the logits.
    hidden : tuple of Activation

    Returns
    -------
    tuple of Layer
        The gradient, of the same shapes as params.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.core import Layer, backprop, forward
    >>> params = (Layer(W=np.asarray([[1.0], [2.0]]), b=np.asarray([0.0])),)
    >>> trace = forward(np, params, np.asarray([[3.0, 1.0]]), ())
    >>> backprop(np, params, trace, np.asarray([[0.5]]), ())[0].W
    array([[1.5],
           [0.5]])

    References
    ----------
    Rumelhart, Hinton and Williams (1986), Nature 323, 533-536.
    """
    grads: list[Layer] = []
    for L in reversed(range(len(params))):
        grads.append(Layer(W=trace.inputs[L].T @ delta, b=xp.sum(delta, axis=0)))
        if L > 0:
            h_prime = hidden[L - 1].h_prime(xp, trace.zs[L - 1], trace.inputs[L])
            delta = (delta @ params[L].W.T) * h_prime
    return tuple(reversed(grads))
