"""``python -m bench.mnist_dropout``: a network of 784-800-800-10 with dropout, on MNIST.

The recipe: dropout 0.2 of the pixels and 0.5 of both hidden layers, Adam under a cosine after a
short warm-up, He's initial weights, float32, no augmentation. All 60,000 training images are learnt
from; the 10,000 test images are evaluated after each epoch and decide nothing. What is published is
the accuracy after the last epoch, not the best one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.page.svg import panels, paper, standalone
from fastmlp import MLPClassifier
from fastmlp.backends import backend_status
from fastmlp.compare.machine import machine_card
from fastmlp.data import load_mnist

RECIPE: dict[str, Any] = {
    "hidden_layer_sizes": (800, 800),
    "dropout": 0.5,
    "input_dropout": 0.2,
    "init": "he_normal",
    "alpha": 0.0,
    "learning_rate": "cosine",
    "learning_rate_init": 0.002,
    "warmup_fraction": 0.05,
    "batch_size": 256,
    "max_iter": 60,
    "n_iter_no_change": float("inf"),
    "tol": 0.0,
    "dtype": "float32",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, write the curve and print its end; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.mnist_dropout", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="folder of MNIST; left out: FASTMLP_DATA")
    parser.add_argument("--backend", default="jax")
    parser.add_argument("--epochs", type=int, default=RECIPE["max_iter"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="JSON file, written by a training")
    parser.add_argument("--draw", type=Path, help="SVG file: draw the curve of --out, do not train")
    options = parser.parse_args(arguments)
    status = backend_status(options.backend)
    if not status.available:
        parser.error(f"--backend {options.backend}: {status.reason}. {status.hint}")
    if not options.out.parent.is_dir():
        parser.error(f"--out {options.out}: there is no folder {options.out.parent}")
    if options.draw:
        result = json.loads(options.out.read_text(encoding="utf-8"))
        options.draw.write_text(curve(result), encoding="utf-8")
        return 0
    result = run(options.data_dir, options.backend, options.epochs, options.seed)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(words(result))
    return 0


def run(data_dir: Path | None, backend: str, epochs: int, seed: int) -> dict[str, Any]:
    """Return the recipe, its curve and its time, with the machine."""
    mnist = load_mnist(data_dir)
    X, X_test = ((part / 255.0).astype("float32") for part in (mnist.X_train, mnist.X_test))
    used = dict.fromkeys(["numpy", backend])
    settings = {**RECIPE, "max_iter": epochs, "backend": backend, "random_state": seed}
    model = MLPClassifier(**settings)
    started = time.perf_counter()
    model.fit(X, mnist.y_train, X_val=X_test, y_val=mnist.y_test)
    fit_s = time.perf_counter() - started
    return {
        "settings": {**settings, "n_iter_no_change": "inf"},
        "accuracy": model.score(X_test, mnist.y_test),
        "fit_s": fit_s,  # compiling and the evaluation after each epoch included
        "history": model.history_,
        "device": model.device_,
        "machine": machine_card({name: backend_status(name).version for name in used}),
    }


def words(result: dict[str, Any]) -> str:
    """Say what came out."""
    settings, machine = result["settings"], result["machine"]
    return (
        f"{result['accuracy']:.2%} of the test images after {settings['max_iter']} epochs and "
        f"{result['fit_s'] / 60:.1f} minutes ({settings['backend']}, "
        f"{machine['cpu']}, {machine['cores']} cores, evaluation included)"
    )


def curve(result: dict[str, Any]) -> str:
    """Draw the errors of each epoch."""
    history = result["history"]
    epochs = range(1, len(history["accuracy"]) + 1)
    with paper():
        figure, (axes,) = panels(1, 3.2, share_y=False)
        for name, label in (("accuracy", "training, thinned network"), ("val_accuracy", "test")):
            errors = [100.0 * (1.0 - value) for value in history[name]]
            axes.plot(epochs, errors, label=label)
        axes.set_yscale("log")
        axes.set_yticks([1, 2, 5, 10, 20], labels=["1", "2", "5", "10", "20"])
        axes.minorticks_off()
        axes.grid(visible=True)
        axes.set(xlabel="epoch", ylabel="errors (%)", title=words(result))
        axes.title.set_fontsize("small")
        axes.legend(frameon=False)
        return standalone(figure, "MNIST with dropout", words(result))


if __name__ == "__main__":
    sys.exit(main())
