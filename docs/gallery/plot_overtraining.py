"""Overtraining: what the validation loss sees and the training loss does not.

A network with far more weights than samples follows a noisy curve, at first its shape, then its
noise. Early stopping watches samples that are not learnt from, and keeps the weights that did best.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastmlp import MLPRegressor

BLUE, ORANGE = "#0072B2", "#D55E00"  # told apart by colour-blind eyes, too
NOISE = 0.3  # standard deviation


def truth(x: Any) -> Any:
    return np.sin(2.5 * x) * np.exp(-0.3 * x)


def noisy(n: int, seed: int) -> tuple[Any, Any]:
    """Measure the curve at n random places."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 4, (n, 1))
    return X, truth(X[:, 0]) + rng.normal(0, NOISE, n)


def main(quick: bool = False) -> Figure:
    X, y = noisy(40, seed=0)
    X_val, y_val = noisy(200, seed=1)
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (60, 60),
        "activation": "tanh",
        "alpha": 0.0,
        "learning_rate_init": 0.003,
        "beta_2": 0.99,  # a shorter memory: Adam leaps less when gradients have become small
        "max_iter": 60 if quick else 4000,
        "tol": 0,
        "n_iter_no_change": np.inf,  # all epochs
        "random_state": 0,  # both begin with the same weights and see the same batches
    }
    to_the_end = MLPRegressor(**settings).fit(X, y, X_val=X_val, y_val=y_val)
    # With early stopping, X_val and y_val decide when to stop and which weights to keep.
    settings |= {"early_stopping": True, "n_iter_no_change": 20 if quick else 300}
    stopped = MLPRegressor(**settings).fit(X, y, X_val=X_val, y_val=y_val)

    best = int(np.argmax(stopped.validation_scores_)) + 1
    names = {"after all": f"after all {to_the_end.n_iter_} epochs", "best": f"epoch {best}"}
    fig, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    draw_losses(axes[0], to_the_end, stopped.n_iter_, best)
    axes[0].set_title("losses")
    x = np.linspace(0, 4, 400)
    axes[1].scatter(X, y, s=18, color="grey", label="learnt from")
    axes[1].plot(x, truth(x), color="black", ls=":", lw=2, label="the truth")
    axes[1].plot(x, to_the_end.predict(x[:, None]), color=ORANGE, label=names["after all"])
    axes[1].plot(x, stopped.predict(x[:, None]), color=BLUE, lw=2, label=names["best"])
    axes[1].set(xlabel="$x$", ylabel="$y$", title="what the two networks say")
    axes[1].set_ylim(-1.6, 1.3)
    axes[1].legend(fontsize=9, loc="lower center", ncols=2)
    return fig


def draw_losses(ax: Axes, model: MLPRegressor, stopped: int, best: int) -> None:
    """Draw the losses over the epochs, and when the other training found and knew the best."""
    epochs = np.arange(1, model.n_iter_ + 1)
    ax.plot(epochs, model.history_["val_loss"], color=ORANGE, label="validation")
    ax.plot(epochs, model.history_["loss"], color="#56B4E9", ls="--", label="training")
    ax.axhline(NOISE**2 / 2, color="black", ls=":", label="the truth itself")
    least = model.history_["val_loss"][best - 1]
    ax.plot(best, least, "o", color=BLUE, label=f"best weights, epoch {best}")
    ax.axvline(stopped, color=BLUE, ls="-.", lw=1, label=f"stopped, epoch {stopped}")
    ax.set(xscale="log", yscale="log", xlabel="epoch", ylabel="half the mean squared error")
    ax.legend(fontsize=9, loc="lower left")


if __name__ == "__main__":
    fig = main()
    if plt.get_backend().lower() == "agg":  # no display
        fig.savefig("overtraining.png")
        print("no display, see overtraining.png")
    plt.show()
