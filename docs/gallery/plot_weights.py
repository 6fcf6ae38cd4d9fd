"""What a hidden unit looks for: the weights of the first layer, drawn as images.

A unit adds up pixels times weights (eq. 1), so its column of W is an image: red where ink wakes
the unit, blue where ink silences it. Dropout (eq. 33) takes the other units away at random, so that
none can live on correcting its neighbours.
"""

from __future__ import annotations

import os
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fastmlp import MLPClassifier
from fastmlp.data import load_digits, load_mnist

REMEDIES: dict[str, dict[str, Any]] = {
    "without dropout": {},
    "dropout=0.5, input_dropout=0.2": {"dropout": 0.5, "input_dropout": 0.2},
}


def main(quick: bool = False, data_dir: str | None = None) -> Figure:
    """Draw the units of two networks: on the digits, or on the MNIST of a folder."""
    data = load_mnist(data_dir) if data_dir else load_digits()
    rows = slice(12_000)  # of MNIST, enough for a picture
    X, X_test = (np.float32(pixels * data.scale) for pixels in (data.X_train[rows], data.X_test))
    models = [
        MLPClassifier(
            (64,),
            **remedy,
            alpha=0.0,
            batch_size=64,
            learning_rate="cosine",
            learning_rate_init=0.005,
            max_iter=2 if quick else (20 if data_dir else 100),
            tol=0,
            n_iter_no_change=np.inf,  # all epochs, as the schedule plans
            random_state=0,
        ).fit(X, data.y_train[rows])
        for remedy in REMEDIES.values()
    ]
    shown = [longest(model.coefs_[0]) for model in models]
    most = float(np.quantile(np.abs(shown), 0.99))  # one scale of colours for all
    fig = plt.figure(figsize=(10, 5.6), layout="constrained")
    halves: Any = fig.subfigures(1, 2, wspace=0.03)
    for half, name, model, units in zip(halves, REMEDIES, models, shown, strict=True):
        test = model.score(X_test, data.y_test)
        half.suptitle(f"{name}\naccuracy on the test digits: {test:.1%}", fontsize=11)
        draw_units(half, units.reshape(-1, *data.image_shape), most)
    return fig


def longest(W: Any) -> Any:
    """Return the 20 columns of W with the longest weights, as rows."""
    lengths = np.linalg.norm(W, axis=0)
    return W.T[np.argsort(-lengths)[:20]]


def draw_units(half: Any, images: Any, most: float) -> None:
    """Draw an image of weights for each unit; white is 0."""
    axes = half.subplots(4, 5)
    for ax, image in zip(axes.flat, images, strict=True):
        drawn = ax.imshow(image, cmap="RdBu_r", vmin=-most, vmax=most)
        ax.set(xticks=[], yticks=[])
    bar = half.colorbar(drawn, ax=axes, location="bottom", shrink=0.8, aspect=40, extend="both")
    bar.set_label("weight of a pixel")
    bar.locator = MaxNLocator(5)


if __name__ == "__main__":
    fig = main(data_dir=os.environ.get("FASTMLP_DATA"))
    if plt.get_backend().lower() == "agg":  # no display
        fig.savefig("weights.png")
        print("no display, see weights.png")
    plt.show()
