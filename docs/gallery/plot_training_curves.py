"""Training curves: what the optimizer and the schedule of the learning rate make of the same start.

Each line is the same network with the same initial weights on the same digits in the same order.
Above, the optimizers differ, each at a constant learning rate that suits it; below, Nesterov's
momentum gets a rate too large to be kept up, and three ways to change it on the way.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from fastmlp import MLPClassifier
from fastmlp.data import load_digits

SGD: dict[str, Any] = {"solver": "sgd", "learning_rate_init": 0.1}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {**SGD, "momentum": 0.0},  # eq. 18
    "momentum": {**SGD, "nesterovs_momentum": False},  # eq. 19
    "Nesterov": SGD,  # eq. 20
    "adam": {"solver": "adam", "learning_rate_init": 0.003},  # eq. 21
    "adamw": {"solver": "adamw", "learning_rate_init": 0.003, "weight_decay": 0.1},  # eq. 39
}
LARGE: dict[str, Any] = {"solver": "sgd", "learning_rate_init": 0.5}
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": LARGE,
    "cosine": {**LARGE, "learning_rate": "cosine"},  # eq. 42
    "cosine, warm-up": {**LARGE, "learning_rate": "cosine", "warmup_fraction": 0.1},  # eq. 41
    "one_cycle": {**LARGE, "learning_rate": "one_cycle"},  # eq. 43
}
# Colours that colour-blind eyes tell apart, and dashes for prints in grey.
STYLES = (
    {"color": "black", "ls": "-"},
    {"color": "#E69F00", "ls": "--"},
    {"color": "#0072B2", "ls": "-"},
    {"color": "#009E73", "ls": "-."},
    {"color": "#D55E00", "ls": ":"},
)


def main(quick: bool = False) -> Figure:
    digits = load_digits()
    X, X_val = digits.X_train * digits.scale, digits.X_test * digits.scale
    epochs = 3 if quick else 30
    fig, axes = plt.subplots(2, 2, figsize=(10, 7), sharex=True, sharey="row", layout="constrained")
    for row, what, recipes in zip(
        axes, ("optimizers", "schedules"), (OPTIMIZERS, SCHEDULES), strict=True
    ):
        for (name, recipe), style in zip(recipes.items(), STYLES, strict=False):
            model = MLPClassifier(
                (64,),
                **{"alpha": 0.0, **recipe},
                batch_size=32,
                max_iter=epochs,
                tol=0,
                n_iter_no_change=np.inf,  # the schedules plan with all epochs
                random_state=0,
            ).fit(X, digits.y_train, X_val=X_val, y_val=digits.y_test)
            right = model.history_["val_accuracy"][-1]
            for ax, key in zip(row, ("loss", "val_loss"), strict=True):
                ax.plot(range(1, epochs + 1), model.history_[key], lw=1.8, **style)
            row[1].lines[-1].set_label(f"{name}: {right:.1%}")
        row[1].legend(title="correct after the last epoch", fontsize=9)
        for ax, which in zip(row, ("learnt from", "not learnt from"), strict=True):
            ax.set(yscale="log", title=f"{what}: digits {which}")
            ax.grid(alpha=0.3)
        row[0].set_ylabel("mean loss (nats per digit)")
    for ax in axes[1]:
        ax.set_xlabel("epoch")
    return fig


if __name__ == "__main__":
    fig = main()
    if plt.get_backend().lower() == "agg":  # no display
        fig.savefig("training_curves.png")
        print("no display, see training_curves.png")
    plt.show()
