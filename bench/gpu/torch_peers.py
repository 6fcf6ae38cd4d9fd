"""Part "torch_peers": PyTorch as its users write it, in its three documented forms.

"eager" is a model, autograd and a fused optimizer; "compile" has the step in ``torch.compile`` with
CUDA graphs of its own (mode "reduce-overhead"); "graph" has the whole step, forward, backward and
update, in one CUDA graph, which is what a small network is to be compared with. All of them gather
bytes on the device. Before they are timed, three steps must give the loss of NumPy in float64.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench.gpu.problems import PROBLEMS, SCALE, Problem, generated_images, mlp_recipe
from bench.gpu.settings import Row, Settings, open_backend
from bench.gpu.speed import DTYPE, LEARNING_RATE, QUICK, SEED, enough, timed
from fastmlp.backends import get_backend
from fastmlp.core import gradient_descent
from fastmlp.training import Trainer, draw_params, epoch_order, one_hot

FORMS = ("graph", "eager", "compile")
CHECK_STEPS, CHECK_LIMIT = 3, 1e-4


def run(settings: Settings) -> Iterator[Row]:
    """One row per problem and form."""
    backend = open_backend(settings)
    on_gpu = backend.device != "cpu"
    share_s = 2.0 if on_gpu and not settings.quick else 0.5
    for problem in PROBLEMS:
        if (settings.quick and problem.name not in QUICK) or not (on_gpu or problem.cpu_rows):
            continue
        for form in FORMS if on_gpu else ("eager",):
            try:
                yield measure(problem, form, backend.device, share_s)
            except Exception as error:  # the other forms are worth having
                reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
                yield {"backend": f"torch:{form}", "problem": problem.name, "failed": reason}


def measure(problem: Problem, form: str, device: str, share_s: float) -> Row:
    """Check a form, then time its epochs."""
    import torch

    n_steps, batch_size = problem.shape(device)
    network = Network(torch, problem, form, device)
    error = network.check()
    times_s: list[float] = []
    orders = [network.order(epoch) for epoch in (1, 2, 3)]
    while not enough(times_s, share_s):
        network.wait()
        started = time.perf_counter()
        network.epoch(orders[len(times_s) % len(orders)])
        network.wait()
        times_s.append(time.perf_counter() - started)
    return {
        "backend": f"torch:{form}",
        "device": device,
        "precision": "float32",
        "problem": problem.name,
        "batch_size": batch_size,
        "steps_per_epoch": n_steps,
        "dtype": DTYPE,
        **timed(times_s, n_steps, batch_size),
        "loss_error": error,
        "ok": error <= CHECK_LIMIT,
    }


class Network:
    """A model with its data on the device, and a step in one of the forms."""

    def __init__(self, torch: Any, problem: Problem, form: str, device: str) -> None:
        self.torch, self.problem, self.device = torch, problem, device
        n_steps, self.batch_size = problem.shape(device)
        self.n = n_steps * self.batch_size
        self.images, self.labels = generated_images(self.n, SEED)
        self.X = torch.from_numpy(self.images).to(device)
        self.y = torch.from_numpy(self.labels).to(device)
        self.model = self._model()
        on_gpu = device != "cpu"
        rate: Any = {"lr": LEARNING_RATE, "fused": True}
        self.optimizer = torch.optim.SGD(self.model.parameters(), **rate)
        self.rows = torch.zeros(self.batch_size, dtype=torch.int64, device=device)
        self.loss = torch.zeros((), device=device)
        self._step: Callable[[], Any] = self._plain
        if form == "compile":
            self._step = torch.compile(self._plain, mode="reduce-overhead" if on_gpu else "default")
        elif form == "graph":
            self._step = self._captured()

    def _model(self) -> Any:
        torch, sizes = self.torch, self.problem.layer_sizes
        layers: list[Any] = []
        for layer in draw_params(sizes, SEED):
            linear = torch.nn.Linear(*layer.W.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(np.array(layer.W).T))
                linear.bias.copy_(torch.from_numpy(np.array(layer.b)))
            layers += [linear, torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1]).to(self.device)

    def _plain(self) -> None:
        torch = self.torch
        x = self.X.index_select(0, self.rows) * SCALE
        loss = torch.nn.functional.cross_entropy(self.model(x), self.y.index_select(0, self.rows))
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss.copy_(loss.detach())

    def _captured(self) -> Callable[[], Any]:
        torch = self.torch
        start = [p.detach().clone() for p in self.model.parameters()]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._plain()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._plain()
        with torch.no_grad():
            for p, old in zip(self.model.parameters(), start, strict=True):
                p.copy_(old)
        replay: Callable[[], Any] = graph.replay
        return replay

    def order(self, epoch: int) -> Any:
        """Return the rows of each batch, (n_steps, batch_size), on the device."""
        order = epoch_order(self.n, SEED, epoch).astype(np.int64)
        return self.torch.from_numpy(order.reshape(-1, self.batch_size)).to(self.device)

    def epoch(self, order: Any) -> None:
        """Train on every batch; nothing is waited for."""
        for rows in order:
            self.rows.copy_(rows)
            self._step()

    def wait(self) -> None:
        """Until the device has finished."""
        if self.device != "cpu":
            self.torch.cuda.synchronize()

    def check(self) -> float:
        """Return how far the loss is off after some steps, relative to NumPy's in float64."""
        rows = np.arange(CHECK_STEPS * self.batch_size) % self.n
        order = self.torch.from_numpy(rows.reshape(CHECK_STEPS, -1)).to(self.device)
        self.epoch(order)
        self.wait()
        trainer = Trainer(
            get_backend("numpy"),
            mlp_recipe(self.problem.layer_sizes, gradient_descent()),
            draw_params(self.problem.layer_sizes, SEED),
            learning_rate=LEARNING_RATE,
            batch_size=self.batch_size,
            dtype="float64",
        )
        y = one_hot(self.labels, 10)
        losses: list[float] = []
        for batch in rows.reshape(CHECK_STEPS, -1).astype(np.int32):
            trainer.run(
                self.images[batch],
                y[batch],
                [np.arange(len(batch), dtype=np.int32)],
                lambda epoch: losses.append(epoch.values["loss"]),
            )
        return abs(float(self.loss) - losses[-1]) / losses[-1]
