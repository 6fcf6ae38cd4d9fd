"""Keras' optimizers for those of the core, and what is put around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastmlp.core import Optimizer
from fastmlp.core.schedules import FACTORS
from fastmlp.reference.library import number, row

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "gradient_descent": lambda keras, rate, clip: keras.optimizers.SGD(rate, global_clipnorm=clip),
    "momentum": lambda keras, rate, clip, m: keras.optimizers.SGD(
        rate, momentum=m, global_clipnorm=clip
    ),
    "nesterov": lambda keras, rate, clip, m: keras.optimizers.SGD(
        rate, momentum=m, nesterov=True, global_clipnorm=clip
    ),
    # epsilon is added to the uncorrected root in Keras as well
    "adam": lambda keras, rate, clip, beta1, beta2, eps: keras.optimizers.Adam(
        rate, beta_1=beta1, beta_2=beta2, epsilon=eps, global_clipnorm=clip
    ),
    "adamw": lambda keras, rate, clip, beta1, beta2, eps, decay: keras.optimizers.AdamW(
        rate, weight_decay=decay, beta_1=beta1, beta_2=beta2, epsilon=eps, global_clipnorm=clip
    ),
    "rmsprop": lambda keras, rate, clip, rho, eps: keras.optimizers.RMSprop(
        rate, rho=rho, epsilon=eps, global_clipnorm=clip
    ),
}
AROUND = ("clip_by_norm", "scheduled", "max_norm")


def unwrapped(optimizer: Optimizer) -> tuple[Optimizer, dict[str, tuple[Any, ...]]]:
    """Return the innermost optimizer, and the settings of all that is put around it."""
    around: dict[str, tuple[Any, ...]] = {}
    while optimizer.inner is not None and optimizer.name in AROUND:
        around[optimizer.name], optimizer = optimizer.settings, optimizer.inner
    return optimizer, around


def build_optimizer(
    keras: Any, optimizer: Optimizer, learning_rate: Any, biases: list[Any], dtype: str
) -> Any:
    """Build Keras' optimizer of the same name and settings; its own update rules are ours.

    ``learning_rate`` is a variable; ``biases``, which do not decay, are too.

    Raises
    ------
    ValueError
        The optimizer is none of the core's.
    """
    innermost, around = unwrapped(optimizer)
    settings = [number(setting, dtype) for setting in innermost.settings]

    def rate() -> Any:  # as a function: as a number it would become a float32 variable
        if "scheduled" not in around:
            return learning_rate
        kind, n_steps, n_warm_up = around["scheduled"]
        t = keras.ops.cast(made.iterations + 1, dtype)
        return learning_rate * FACTORS[kind](keras.ops, t, n_steps, n_warm_up)

    clip = number(around["clip_by_norm"][0], dtype) if "clip_by_norm" in around else None
    made = row(OPTIMIZERS, innermost.name, "optimizer")(keras, rate, clip, *settings)
    if innermost.name == "adamw":
        made.exclude_from_weight_decay(var_list=biases)
    return made
