"""Part "agree": a backend against NumPy in float64, on the same numbers.

An error is ||a - reference|| / ||reference|| of an array, the largest of its kind. float64 must
stay within 1e-12, some thousand roundings. float32 must stay within 1e-5: NumPy, JAX and PyTorch
reach 4e-7 on a CPU, and products in TF32 miss it by far, with 2e-4 in the gradients at best. Where
TF32 or bfloat16 is asked for, gradients must stay within 2e-3 and 2e-2, and must miss 1e-5: else
the request was not heard.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.gpu.problems import SCALE, generated_images
from bench.gpu.settings import Row, Settings, open_backend, precisions, where
from fastmlp.backends import Backend, get_backend
from fastmlp.core import ACTIVATIONS, LOSSES, Recipe, adam, backprop, forward, gradient_descent
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

LIMITS = {"float64": 1e-12, "float32": 1e-5}
ON_REQUEST = {"tf32": 2e-3, "bfloat16": 2e-2}
GRADIENTS = (  # every activation and every loss
    ("relu", "softmax_cross_entropy"),
    ("tanh", "sigmoid_cross_entropy"),
    ("logistic", "squared_error"),
    ("identity", "softmax_cross_entropy"),
)
# In float32 a ReLU whose z is all but 0 falls on either side, rightly, and the weights part:
# the long runs of float32 are smooth. For the same reason the learning rate is small.
WEIGHTS = (("float64", "relu"), ("float32", "tanh"))
OPTIMIZERS = ((gradient_descent(), 0.02), (adam(), 0.001))
LAYER_SIZES, BATCH_SIZE, STEPS = (784, 128, 32, 10), 128, 50
SEED = 14  # keeps every z of the one batch 1e-4 away from ReLU's kink


def run(settings: Settings) -> Iterator[Row]:
    """Compare one batch's logits, loss and gradients, then the weights after 50 steps."""
    backend = open_backend(settings)
    oracle = get_backend("numpy")
    for activation, loss in GRADIENTS[:1] if settings.quick else GRADIENTS:
        reference = gradients(oracle, "float64", activation, loss)
        for dtype in LIMITS:
            result = gradients(backend, dtype, activation, loss)
            errors = {name: error(result[name], reference[name]) for name in reference}
            what = {"check": "gradients", "activation": activation, "loss": loss}
            yield _row(backend, dtype, what, errors)
    for precision in precisions(settings)[1:]:
        yield from _on_request(open_backend(settings, precision), precision)
    for optimizer, learning_rate in OPTIMIZERS:
        for dtype, activation in WEIGHTS:
            hidden = (ACTIVATIONS[activation],) * 2
            recipe = Recipe(hidden, LOSSES["softmax_cross_entropy"], optimizer, l2=0.1, scale=SCALE)
            expected = trained(oracle, "float64", recipe, learning_rate)
            errors = {"weights": error(trained(backend, dtype, recipe, learning_rate), expected)}
            what = {"check": "weights", "optimizer": optimizer.name, "activation": activation}
            yield _row(backend, dtype, what | {"steps": STEPS}, errors)


def _on_request(backend: Backend, precision: str) -> Iterator[Row]:
    for activation, loss in GRADIENTS[1:2]:  # smooth: nothing jumps over a kink
        reference = gradients(get_backend("numpy"), "float64", activation, loss)
        result = gradients(backend, "float32", activation, loss)
        errors = {name: error(result[name], reference[name]) for name in reference}
        what = {"check": "gradients", "activation": activation, "loss": loss}
        row = _row(backend, "float32", what, errors, ON_REQUEST[precision])
        heard = errors["gradients"] > LIMITS["float32"]
        yield {**row, "heard": heard, "ok": row["ok"] and heard}


def gradients(backend: Backend, dtype: str, activation: str, loss: str) -> dict[str, Any]:
    """Logits, loss and gradients of one batch, on the host."""
    xp, hidden, row = backend.xp, (ACTIVATIONS[activation],) * 2, LOSSES[loss]

    def evaluate(params: Any, x: Any, y: Any) -> Any:
        trace = forward(xp, params, x, hidden)
        value, delta = row.loss_and_delta(xp, trace.logits, y, 1.0 / x.shape[0])
        return trace.logits, value, backprop(xp, params, trace, delta, hidden)

    images, labels = generated_images(BATCH_SIZE, SEED)
    params = backend.place(draw_params(LAYER_SIZES, SEED), dtype)
    x = backend.to_device(images * SCALE, dtype)
    y = backend.to_device(one_hot(labels, 10), dtype)
    results = backend.fetch(backend.jit(evaluate)(params, x, y))
    return dict(zip(("logits", "loss", "gradients"), results, strict=True))


def trained(backend: Backend, dtype: str, recipe: Recipe, learning_rate: float) -> Any:
    """Weights after an epoch of 50 steps, on the host."""
    images, labels = generated_images(STEPS * BATCH_SIZE, SEED)
    trainer = Trainer(
        backend,
        recipe,
        draw_params(LAYER_SIZES, SEED),
        learning_rate=learning_rate,
        batch_size=BATCH_SIZE,
        dtype=dtype,
    )
    trainer.run(images, one_hot(labels, 10), [epoch_order(len(images), SEED, 1)])
    return trainer.params()


def error(result: Any, reference: Any) -> float:
    """Return the largest norm ratio over the arrays of nested tuples; NaN where there is one."""
    if isinstance(reference, tuple):
        errors = [error(a, b) for a, b in zip(result, reference, strict=True)]
        return math.nan if any(map(math.isnan, errors)) else max(errors)
    difference = np.asarray(result, dtype=np.float64) - reference
    return float(np.linalg.norm(difference) / np.linalg.norm(reference))


def _row(
    backend: Backend, dtype: str, what: Row, errors: dict[str, float], limit: float | None = None
) -> Row:
    limit = LIMITS[dtype] if limit is None else limit
    return {
        **where(backend),
        **what,
        "dtype": dtype,
        "limit": limit,
        "errors": {name: e if math.isfinite(e) else None for name, e in errors.items()},
        "ok": all(e <= limit for e in errors.values()),  # false for NaN
    }
