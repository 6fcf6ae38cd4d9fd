"""Partial dependence: what a network has learnt about each feature, seen from outside.

Give all patients the same value of one feature, leave the rest as it is, and average what the
network says: done for a row of values, that draws a curve. Networks that differ by their initial
weights alone draw several, and how far they lie apart says how much of the shape to believe.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPRegressor

BLUE, ORANGE = "#0072B2", "#D55E00"  # told apart by colour-blind eyes, too
FEATURES = {
    "bmi": "body mass index (kg/m²)",
    "bp": "mean blood pressure (mmHg)",
    "s5": "logarithm of triglycerides in blood",
}
TARGET = "progression after a year (score)"


def network(seed: int, quick: bool) -> Any:
    """Return a network that sees features and target with mean 0 and variance 1."""
    mlp = MLPRegressor(
        hidden_layer_sizes=(32,),
        activation="tanh",
        alpha=1.0,  # eq. 17: 332 patients are few
        learning_rate="cosine",
        learning_rate_init=0.01,
        max_iter=3 if quick else 100,
        tol=0,
        n_iter_no_change=np.inf,  # all epochs, as the schedule plans
        random_state=seed,
    )
    pipeline = make_pipeline(StandardScaler(), mlp)
    return TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def main(quick: bool = False) -> Figure:
    patients: Any = load_diabetes(scaled=False)
    X, y = patients.data, patients.target
    is_test = np.arange(y.size) % 4 == 3
    X_train, y_train, X_test, y_test = X[~is_test], y[~is_test], X[is_test], y[is_test]
    line = LinearRegression().fit(X_train, y_train)
    networks = [network(seed, quick).fit(X_train, y_train) for seed in range(2 if quick else 8)]
    # Look at a curve only after asking whether the model is any good.
    R2 = [model.score(X_test, y_test) for model in networks]
    names = (
        f"{len(networks)} networks, test $R^2$ {min(R2):.2f} to {max(R2):.2f}",
        f"straight line, test $R^2$ {line.score(X_test, y_test):.2f}",
    )

    fig, axes = plt.subplots(2, 2, figsize=(10, 7.4), layout="constrained")
    places = {name: patients.feature_names.index(name) for name in FEATURES}
    for ax, (name, place) in zip(axes.flat, places.items(), strict=False):
        draw_curves(ax, networks, line, X_train, place)
        ax.set(xlabel=FEATURES[name], ylabel=TARGET, ylim=(30, 290))
    for drawn, label in zip((axes[0, 0].lines[-2], axes[0, 0].lines[-1]), names, strict=True):
        drawn.set_label(label)
    axes[0, 0].lines[0].set_label("single patients, first network")
    axes[0, 0].legend(fontsize=9, loc="upper left")
    draw_pair(axes[1, 1], networks, X_train, (places["bmi"], places["s5"]))
    axes[1, 1].set(xlabel=FEATURES["bmi"], ylabel=FEATURES["s5"])
    return fig


def draw_curves(ax: Axes, networks: list[Any], line: Any, X: Any, place: int) -> None:
    """Draw every tenth patient, the average of each network, and that of the straight line."""
    at: dict[str, Any] = {"features": [place], "grid_resolution": 30}
    first = partial_dependence(networks[0], X, kind="individual", **at)
    values = first["grid_values"][0]  # without the outermost 5 % on both sides: few patients there
    ax.plot(values, first["individual"][0][::10].T, color="grey", alpha=0.35, lw=0.7)
    for model, colour, dashes in [*((each, BLUE, "-") for each in networks), (line, ORANGE, "--")]:
        average = partial_dependence(model, X, kind="average", **at)["average"][0]
        ax.plot(values, average, color=colour, ls=dashes, lw=1.5)


def draw_pair(ax: Axes, networks: list[Any], X: Any, places: tuple[int, int]) -> None:
    """Draw what two features say together, averaged over the networks."""
    found = [
        partial_dependence(model, X, [places], kind="average", grid_resolution=15)
        for model in networks
    ]
    average = np.mean([each["average"][0] for each in found], axis=0)
    drawn = ax.contourf(*found[0]["grid_values"], average.T, levels=12, cmap="cividis")
    ax.set_autoscale_on(False)  # points outside of the surface stay outside
    ax.plot(*X[:, places].T, ".", color="white", ms=4, alpha=0.6)
    ax.figure.colorbar(drawn, ax=ax, label=TARGET)


if __name__ == "__main__":
    fig = main()
    if plt.get_backend().lower() == "agg":  # no display
        fig.savefig("partial_dependence.png")
        print("no display, see partial_dependence.png")
    plt.show()
