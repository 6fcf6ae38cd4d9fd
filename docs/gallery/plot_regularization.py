"""Four ways to keep a network simple: L2 and L1 penalty, dropout, max-norm.

A network with far more weights than samples can learn its training set by heart, noise included.
Each panel shows what one remedy makes of the boundary between two classes, the last one what it
does to the weights.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from fastmlp import MLPClassifier

BLUE, ORANGE = "#0072B2", "#D55E00"  # told apart by colour-blind eyes, too
MARKERS = ((ORANGE, "s"), (BLUE, "o"))  # of the two classes
STYLES = (("black", "-"), (BLUE, "-"), (ORANGE, "--"), ("#009E73", "-."), ("#CC79A7", ":"))

REMEDIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "alpha=0.1 (L2)": {"alpha": 0.1},  # eq. 17: every weight shrinks in proportion to its size
    "l1=0.01": {
        "l1": 0.01
    },  # eq. 36: every weight shrinks by the same amount, small ones to nothing
    "dropout=0.5": {"dropout": 0.5},  # eq. 33: each step trains another half of the hidden units
    "max_norm=1": {"max_norm": 1.0},  # eq. 38: no column of W gets longer than this
}


def two_arcs(n: int, seed: int) -> tuple[Any, Any]:
    """Draw n points around two half circles that reach into each other."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n) + np.pi * y
    centre = np.where(y[:, None], [1.0, 0.3], [0.0, 0.0])
    X = centre + np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return X + rng.normal(0, 0.32, X.shape), y


def main(quick: bool = False) -> Figure:
    X, y = two_arcs(80, seed=1)
    X_test, y_test = two_arcs(5000, seed=2)
    fig, axes = plt.subplots(2, 3, figsize=(10, 6.6), layout="constrained")
    models = {}
    for ax, (name, remedy) in zip(axes.flat, REMEDIES.items(), strict=False):
        # The same seed: all five networks begin with the same weights and see the same batches.
        model = MLPClassifier(
            (100, 100),
            **{"alpha": 0.0, **remedy},
            learning_rate="cosine",  # down to 0 at last, so that the weights come to rest
            learning_rate_init=0.003,
            batch_size=20,
            max_iter=10 if quick else 600,
            tol=0,
            n_iter_no_change=np.inf,  # all epochs: to learn by heart takes time
            random_state=0,
        ).fit(X, y)
        draw_surface(ax, model, X, y)
        train, test = model.score(X, y), model.score(X_test, y_test)
        ax.set_title(f"{name}\naccuracy: train {train:.0%}, test {test:.1%}", fontsize=11)
        models[name] = model
    draw_weights(axes.flat[-1], models)
    return fig


def draw_surface(ax: Axes, model: MLPClassifier, X: Any, y: Any) -> None:
    """Colour the plane by the probability of the second class."""
    x1, x2 = np.meshgrid(np.linspace(-2, 3, 200), np.linspace(-1.8, 2.1, 200))
    p = model.predict_proba(np.c_[x1.ravel(), x2.ravel()])[:, 1].reshape(x1.shape)
    colours = LinearSegmentedColormap.from_list("classes", [ORANGE, "white", BLUE])
    ax.contourf(x1, x2, p, levels=np.linspace(0, 1, 11), cmap=colours, alpha=0.6)
    ax.contour(x1, x2, p, levels=[0.5], colors="black", linewidths=1.5)
    for label, (colour, marker) in enumerate(MARKERS):
        ax.scatter(
            X[y == label, 0],
            X[y == label, 1],
            c=colour,
            marker=marker,
            s=22,
            edgecolors="white",
            lw=0.6,
        )
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")


def draw_weights(ax: Axes, models: dict[str, MLPClassifier]) -> None:
    """Sort all weights by size: the curve says which part of them is smaller than that."""
    for (name, model), (colour, line) in zip(models.items(), STYLES, strict=True):
        sizes = np.sort(np.abs(np.concatenate([W.ravel() for W in model.coefs_])))
        share = 100 * np.arange(1, sizes.size + 1) / sizes.size
        ax.plot(sizes[::25], share[::25], color=colour, ls=line, label=name)
    ax.set(xscale="log", xlim=(1e-5, 5), ylim=(0, 100))
    ax.set(xlabel="size of a weight, $|W_{jk}|$", ylabel="smaller weights (%)")
    ax.set_title("the weights of each network", fontsize=11)
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0.0, 0.93))


if __name__ == "__main__":
    fig = main()
    if plt.get_backend().lower() == "agg":  # no display
        fig.savefig("regularization.png")
        print("no display, see regularization.png")
    plt.show()
