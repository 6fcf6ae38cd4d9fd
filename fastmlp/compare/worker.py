"""The child process of one contender: train for one epoch per word from the parent, and report.

It reads lines on stdin ("go", or the end of the file to give up) and writes one JSON object per
line to what was its stdout; whatever a library prints goes to stderr.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO

from fastmlp import core, data
from fastmlp.backends import BackendUnavailableError, backend_status, get_backend
from fastmlp.compare.config import REFERENCE, Config
from fastmlp.energy import EnergyMeter, EnergyWindow
from fastmlp.training import (
    DivergenceError,
    Epoch,
    OnEpoch,
    Trainer,
    TrainerLike,
    draw_params,
    epoch_order,
    one_hot,
)

ENERGY_WINDOW_S = 2.0  # process times tick every 10 ms: 0.5 % of it


class GiveUpError(Exception):
    """The parent closed the line."""


class Line:
    """The two-way line to the parent."""

    def __init__(self, incoming: TextIO, outgoing: TextIO) -> None:
        self.incoming, self.outgoing = incoming, outgoing

    def wait(self) -> None:
        """Wait for the word that it is this contender's turn."""
        if not self.incoming.readline():
            raise GiveUpError

    def tell(self, event: str, **fields: Any) -> None:
        """Report to the parent."""
        self.outgoing.write(json.dumps({"event": event, **fields}, allow_nan=False) + "\n")
        self.outgoing.flush()


def main() -> None:
    """Serve one comparison; the configuration is the first line of stdin."""
    line = Line(sys.stdin, os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # a library that prints must not break the line
    try:
        fields = json.loads(line.incoming.readline())
        name = fields.pop("contender")
        fields["hidden"], fields["backends"] = tuple(fields["hidden"]), tuple(fields["backends"])
        config = Config(**fields)
        if hasattr(os, "sched_setaffinity"):  # XLA counts the cores that it may use, nothing else
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: config.threads])
        serve(name, config, line)
    except (GiveUpError, BrokenPipeError, KeyboardInterrupt):
        return
    except BackendUnavailableError as error:
        line.tell("unavailable", reason=error.reason, hint=error.hint)
    except Exception as error:
        line.tell("failed", reason=f"{type(error).__name__}: {error}")


def serve(name: str, config: Config, line: Line) -> None:
    """Train config.epochs epochs in turns, then once more under the energy meter."""
    make_trainer, version = contender(name, config)
    dataset = data.load(config.dataset, config.data_dir)
    y_train = one_hot(dataset.y_train, dataset.n_classes)
    y_test = one_hot(dataset.y_test, dataset.n_classes)
    n, n_features = dataset.X_train.shape
    recipe = core.Recipe(
        hidden=(core.ACTIVATIONS[config.activation],) * len(config.hidden),
        loss=core.LOSSES["softmax_cross_entropy"],
        optimizer=core.gradient_descent(),
        scale=dataset.scale,
    )
    params = draw_params(
        (n_features, *config.hidden, dataset.n_classes), config.seed, activation=config.activation
    )
    trainer = make_trainer(recipe, params)
    meter = Meter(name, trainer.device)
    line.tell("ready", device=trainer.device, version=version)

    times: list[float] = []
    readings: list[dict[str, Any] | None] = []

    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            readings.append(meter.close())
        times.append(epoch.epoch_s)
        test = trainer.evaluate(dataset.X_test, y_test)
        if not math.isfinite(test["loss"]):
            raise DivergenceError(
                f"the test loss is {test['loss']} after epoch {epoch.epoch}: try a smaller "
                f"learning rate than {config.learning_rate:g}."
            )
        line.tell("epoch", epoch_s=epoch.epoch_s, values=epoch.values, test=test)
        if epoch.epoch < config.epochs:
            line.wait()

    def train(epochs: range, on_epoch: OnEpoch | None) -> None:
        orders = (epoch_order(n, config.seed, epoch) for epoch in epochs)
        trainer.run(dataset.X_train, y_train, orders, on_epoch)

    line.wait()
    meter.open("first epoch", 1)  # compiles
    train(range(1, config.epochs + 1), on_epoch)

    line.wait()
    more = math.ceil(
        ENERGY_WINDOW_S / min(times)
    )  # the fastest: no disturbance shortens the window
    meter.open("steady epochs", more)
    reason = meter.reason
    try:
        train(range(config.epochs + 1, config.epochs + 1 + more), None)
    except DivergenceError as error:  # after the epochs that were asked for, which stand
        reason = str(error)
    steady = meter.close() if not reason else None
    line.tell("energy", first_epoch=readings[0], steady=steady, epochs=more, reason=reason)


def contender(name: str, config: Config) -> tuple[Callable[..., TrainerLike], str]:
    """How to make the trainer of a contender, and the version of its library."""
    settings: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "batch_size": config.batch_size,
        "dtype": config.dtype,
    }
    if name == REFERENCE:
        from fastmlp.reference import KerasTrainer, reference_status

        status = reference_status()
        if not status.available:
            raise BackendUnavailableError(name, status.reason, status.hint)
        return partial(KerasTrainer, **settings), status.version
    backend = get_backend(name)
    status = backend_status(name)
    return partial(Trainer, backend, **settings), status.version


class Meter:
    """Windows of an energy meter if there can be one, else the reason why there is no energy."""

    def __init__(self, backend: str, device: str) -> None:
        self._backend, self._device = backend, device
        self._meter: EnergyMeter | None = None
        self._window: EnergyWindow | None = None
        self.reason = ""
        try:
            self._meter = EnergyMeter()
        except ImportError as error:
            self.reason = str(error)

    def open(self, label: str, epochs: int) -> None:
        """Begin a window of so many epochs."""
        if self._meter is None:
            return
        self._window = self._meter.window(
            label, epochs, "epoch", backend=self._backend, device=self._device
        )
        self._window.__enter__()

    def close(self) -> dict[str, Any] | None:
        """End the window, and say what it read."""
        if self._window is None:
            return None
        self._window.__exit__(None, None, None)
        return {**self._window.result.to_dict(), "explain": self._window.result.explain()}


if __name__ == "__main__":
    main()
