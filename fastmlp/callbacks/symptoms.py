"""What goes wrong in trainings, how to see it, and what to do: a function for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastmlp.callbacks.examination import Examination

DEAD_SHARE = 0.6  # of the units of a layer: fast trainings that end well lose up to half of them
LEARNT = 0.01  # loss, in that of the first epoch, that is low enough whatever happened to units
LARGEST_SCALE = 30.0  # of a column: Glorot's weights are made for values around 1
SMALLEST_SCALE = 0.01
VANISHED = 1e-4  # gradient of the first layer, in that of the last
EXPLODED = 100.0  # gradient of a layer, in its weights
WINDOW = 8  # epochs that tell whether a loss swings
SWING, NOISY_SWING = 0.02, 0.05  # rise of an epoch, in the first loss; with noise of our own making
LOOKS = 4  # at the network, that tell of a loss which falls in a straight line
GAP = 0.3  # rise of the validation loss above its best, in the best


class TrainingAdvice(UserWarning):
    """What `TrainingDoctor` found in a training, and what to do about it."""


@dataclass(frozen=True)
class Finding:
    """Something that goes wrong in a training.

    Attributes
    ----------
    name : str
        "dead_units", "vanishing_gradients", "exploding_gradients", "unscaled_inputs",
        "high_learning_rate", "low_learning_rate", "one_class" or "overtraining".
    epoch : int
        In which it was first seen.
    text, remedy : str
        What was seen, in plain words, and what to try.
    """

    name: str
    epoch: int
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"Epoch {self.epoch}: {self.text} {self.remedy}"


class Symptom(NamedTuple):
    """A finding before it has an epoch."""

    name: str
    text: str
    remedy: str


Settings = Mapping[str, Any]


def dead_units(seen: Examination, settings: Settings) -> Symptom | None:
    """ReLU units that are zero on every row: no gradient brings them back."""
    if settings["activation"] != "relu":
        return None
    for layer, largest in enumerate(seen.largest, start=1):
        n_dead = int((largest <= 0.0).sum())
        if n_dead > DEAD_SHARE * largest.size:
            return Symptom(
                "dead_units",
                f"{n_dead} of {largest.size} units of hidden layer {layer} never fire on "
                f"{len(seen.X)} samples: relu is zero there, and so is their gradient.",
                f"Lower {_rate(settings)}, scale X to values around 1, or take "
                "activation='leaky_relu' or 'elu'.",
            )
    return None


def vanishing_gradients(seen: Examination, settings: Settings) -> Symptom | None:
    """A first layer whose gradient is nothing beside that of the last."""
    first, last = seen.gradient_norms[0], seen.gradient_norms[-1]
    if len(seen.gradient_norms) < 3 or first >= VANISHED * last:
        return None
    return Symptom(
        "vanishing_gradients",
        f"The gradient shrinks from {last:.2g} in the last layer to {first:.2g} in the first, "
        f"which hardly learns (activation={settings['activation']!r}, "
        f"{len(seen.largest)} hidden layers).",
        "Take activation='relu' or 'gelu', or fewer hidden layers.",
    )


def exploding_gradients(seen: Examination, settings: Settings) -> Symptom | None:
    """A layer whose gradient is far larger than its weights."""
    ratios = [
        g / max(W, 1e-30) for g, W in zip(seen.gradient_norms, seen.weight_norms, strict=True)
    ]
    layer = int(np.argmax(ratios))
    if ratios[layer] <= EXPLODED:
        return None
    return Symptom(
        "exploding_gradients",
        f"The gradient of layer {layer + 1} is {seen.gradient_norms[layer]:.2g}, its weights are "
        f"{seen.weight_norms[layer]:.2g}: a step throws them away.",
        f"Scale X, and y in a regression, to values around 1, or lower {_rate(settings)}.",
    )


def unscaled_inputs(seen: Examination, settings: Settings) -> Symptom | None:
    """Columns of X with values far from 1."""
    X = seen.X.astype(np.float64)
    sizes = np.sqrt((X * X).mean(axis=0))
    large = np.flatnonzero(sizes > LARGEST_SCALE)
    remedy = "Scale X, for instance by sklearn.preprocessing.StandardScaler in a pipeline."
    if large.size:
        worst = int(np.argmax(sizes))
        text = (
            f"{large.size} of {sizes.size} columns of X have large values (column {worst}: "
            f"{sizes[worst]:.3g}): weights are drawn and steps are made for values around 1."
        )
        return Symptom("unscaled_inputs", text, remedy)
    if 0.0 < np.abs(X).max() < SMALLEST_SCALE:
        text = f"No value of X is larger than {np.abs(X).max():.2g}: the network hardly sees them."
        return Symptom("unscaled_inputs", text, remedy)
    return None


def one_class(seen: Examination, settings: Settings) -> Symptom | None:
    """Every sample is predicted to be of one class, though there are others."""
    logits, y = seen.logits, seen.y
    if y.shape[1] > 1 and not np.allclose(y.sum(axis=1), 1.0):  # several labels per sample
        return None
    predicted = logits.argmax(axis=1) if y.shape[1] > 1 else (logits[:, 0] > 0).astype(int)
    actual = y.argmax(axis=1) if y.shape[1] > 1 else (y[:, 0] > 0.5).astype(int)
    if np.unique(predicted).size > 1 or np.unique(actual).size == 1:
        return None
    return Symptom(
        "one_class",
        f"From here to the end all of {len(y)} samples are predicted to be of class number "
        f"{predicted[0]}.",
        f"Look at {_rate(settings)} (too high: the units died; too low: they have not begun), "
        "scale X, and give rare classes class_weight='balanced'.",
    )


def high_learning_rate(losses: Sequence[float], settings: Settings) -> Symptom | None:
    """A training loss that has risen well above its best, or that swings."""
    recent = losses[-WINDOW:]
    scale = max(abs(losses[0]), 1e-30)
    rises = [max(b - a, 0.0) / scale for a, b in pairwise(recent)]
    remedy = f"Lower {_rate(settings)}, by a factor of 3 to 10 at first, or scale X."
    has_risen = len(losses) > 2 and min(losses[-2:]) > min(losses) + 0.2 * scale
    if has_risen:
        text = f"The loss has risen from {min(losses):.3g} to {losses[-1]:.3g}."
    elif sum(rise > (NOISY_SWING if _is_noisy(settings) else SWING) for rise in rises) >= 3:
        text = (
            f"The loss swings between {min(recent):.3g} and {max(recent):.3g} from epoch to epoch."
        )
    else:
        return None
    return Symptom("high_learning_rate", text, remedy)


def low_learning_rate(looks: Sequence[float], settings: Settings) -> Symptom | None:
    """A loss that falls to the end as at the beginning, and has not come far."""
    if len(looks) < LOOKS or settings["early_stopping"] or settings["solver"] == "lbfgs":
        return None
    first, middle, last = looks[0], looks[len(looks) // 2], looks[-1]
    falls = all(b < a for a, b in pairwise(looks))
    if not falls or last < 2 / 3 * first or middle - last < 0.5 * (first - middle):
        return None
    return Symptom(
        "low_learning_rate",
        f"The loss has only come from {first:.3g} to {last:.3g}, and falls as it did in the "
        "beginning.",
        f"Raise {_rate(settings)}, by a factor of 3 to 10 at first, or max_iter="
        f"{settings['max_iter']}; scale X, and y in a regression, to values around 1.",
    )


def _is_noisy(settings: Settings) -> bool:
    """Tell whether units or images change by chance from step to step, and the loss with them."""
    dropout = np.any(settings["dropout"]) or settings["input_dropout"] > 0
    return bool(dropout) or settings["augmentation"] is not None


def overtraining(
    losses: Sequence[float], val_losses: Sequence[float], settings: Settings
) -> Symptom | None:
    """A validation loss that has been rising while the training loss fell."""
    if settings["early_stopping"] or len(val_losses) < 3 or not all(map(math.isfinite, val_losses)):
        return None
    best = int(np.argmin(val_losses))
    is_long_ago = len(val_losses) - 1 - best >= 5
    has_risen = min(val_losses[-3:]) > (1.0 + GAP) * val_losses[best]
    if not (is_long_ago and has_risen and losses[-1] < losses[best]):
        return None
    return Symptom(
        "overtraining",
        f"The validation loss was best {len(val_losses) - 1 - best} epochs ago and has risen from "
        f"{val_losses[best]:.3g} to {val_losses[-1]:.3g}, while the training loss fell to "
        f"{losses[-1]:.3g}: the network learns its samples by heart.",
        f"Set early_stopping=True, raise dropout or alpha={settings['alpha']:g}, or take fewer "
        "units.",
    )


def _rate(settings: Settings) -> str:
    return f"learning_rate_init={settings['learning_rate_init']:g}"
