"""`EnergyMeter` opens windows around work; each window yields one `EnergyResult`."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from functools import partial

import fastmlp
from fastmlp.energy.assemble import Setting, Work, assemble
from fastmlp.energy.checks import positive, text
from fastmlp.energy.devices import parse
from fastmlp.energy.engines import choose
from fastmlp.energy.grid import GridZone, as_grid
from fastmlp.energy.host import threads, threads_are_pinned
from fastmlp.energy.parts import Finding, Span
from fastmlp.energy.result import EnergyResult
from fastmlp.energy.window import EnergyWindow


class EnergyMeter:
    """Measure the energy of any work in this process, and say how each joule was obtained.

    No window ever raises because of a source of joules: where one fails, the result has None and a
    flag. Exceptions of the work pass through. Nothing is written or sent, and signal handlers stay
    as they are.

    Parameters
    ----------
    grid
        Electricity grid for `EnergyResult.co2e_mg`: a country's ISO 3166-1 alpha-3 code ("FRA"),
        "WORLD", or a `GridZone`. None = none; it is never guessed.
    scope
        What CPU and RAM cover: "machine", "process", or "auto", which is the machine where
        counters are read and the process elsewhere.
    engine
        "counters": RAPL and NVML; what RAPL will not tell of the CPU is estimated as by "model".
        "codecarbon": CodeCarbon's offline tracker. "model": processor time at the power of a
        thread, without any dependency. "auto": "counters" where RAPL can be read, else CodeCarbon
        with the GPU from NVML where there is one.
    gpu
        The GPU that computes, by UUID ("GPU-..."), bus id or place on the bus, for NVML; None = the
        only one.
    tdp_w
        Thermal design power of the processor in watts, wherever it is not measured: for "model",
        for "codecarbon", and for the power models of a result; None = what CodeCarbon assumes if
        it is the engine, else 4 W per thread.

    Raises
    ------
    ValueError
        An argument that is not known, or contradicts another; a zone that is not in the table.
    ImportError
        CodeCarbon is needed and missing or too old: ``pip install 'fastmlp[energy]'``, or take
        ``engine="model"``.

    Examples
    --------
    >>> meter = EnergyMeter(engine="model")
    >>> with meter.window("sum", work=3, unit="sum", device="cpu") as window:
    ...     sums = [sum(range(100_000)) for _ in range(3)]
    >>> window.result.source["cpu"], window.result.gpu_j
    ('estimated', None)
    >>> window.result.per_unit().compute_j < window.result.compute_j
    True
    """

    def __init__(
        self,
        grid: str | GridZone | None = None,
        scope: str = "auto",
        engine: str = "auto",
        gpu: str | int | None = None,
        tdp_w: float | None = None,
    ) -> None:
        self._grid = None if grid is None else as_grid(grid)
        choice = choose(engine, scope, gpu, tdp_w)
        self._engine, self._sources, self._tdp_w = choice.name, choice.sources, choice.tdp_w
        own = {"fastmlp": fastmlp.__version__, "python": platform.python_version()}
        self._versions = {**own, **choice.versions}
        self._idle_w: dict[str, float] = {}
        self._pid = os.getpid()

    @property
    def engine(self) -> str:
        """Sources that are read: "rapl+nvml", "nvml+codecarbon", "codecarbon", "model", ..."""
        return self._engine

    def window(
        self,
        label: str = "",
        work: float = 1.0,
        unit: str = "run",
        *,
        sync: Callable[[], object] | None = None,
        backend: str = "",
        device: str = "",
    ) -> EnergyWindow:
        """Return a new window to be used once in a ``with`` statement.

        Parameters
        ----------
        label
            What is measured, for people.
        work, unit
            How much of it is done inside, as in 10 and "epoch".
        sync
            Called before the window opens and before it closes; it waits until the device has
            finished what it was given. Time and joules of the second call are inside.
        backend
            Name of the library that computes, for people.
        device
            Where it computes, as backends name it: "cpu", "gpu:0", "cuda:0", ... Only a GPU that
            is named here is charged. "" or "auto" = not said.

        Raises
        ------
        ValueError
            ``work`` is not a finite number above 0, ``unit`` is empty, ``device`` is no
            device's name, ``sync`` cannot be called, or ``label`` or ``backend`` is not text.
        RuntimeError
            The meter was made in the parent of a forked process.
        """
        amount, unit = positive("work", work), text("unit", unit, empty=False)
        label, backend = text("label", label), text("backend", backend)
        if sync is not None and not callable(sync):
            raise ValueError(
                f"sync={sync!r}: expected a function without arguments that waits for the device, "
                "such as torch.cuda.synchronize, or None"
            )
        device = parse(device).name
        if os.getpid() != self._pid:
            raise RuntimeError(
                f"window(): the meter belongs to process {self._pid}, this is {os.getpid()}; "
                "construct an EnergyMeter in each process"
            )
        about = Work(label, amount, unit, backend)
        return EnergyWindow(self._sources, device, sync, partial(self._result, about))

    def measure_idle(self, duration_s: float = 10.0) -> dict[str, float]:
        """Measure what the idle machine takes, for `EnergyResult.net_j` of later windows.

        Parameters
        ----------
        duration_s
            How long to wait and count, in seconds; nothing else should run.

        Returns
        -------
        dict
            Watts of each component that has a counter; empty, and at once, where none has.

        Raises
        ------
        ValueError
            ``duration_s`` is not a finite number above 0.
        """
        duration_s = positive("duration_s", duration_s, "seconds above 0")
        if not {"rapl", "nvml"} & set(self._engine.split("+")):
            return {}
        with self.window("idle", device="cpu") as window:
            time.sleep(duration_s)
        idle = window.result
        self._idle_w = {
            name: joules / idle.wall_s
            for name, joules in idle.components_j().items()
            if joules is not None and idle.source[name] == "measured"
        }
        return dict(self._idle_w)

    def _result(self, work: Work, span: Span, finding: Finding) -> EnergyResult:
        pinned = threads_are_pinned()
        setting = Setting(
            self._engine, self._grid, threads(), pinned, self._tdp_w, self._idle_w, self._versions
        )
        return assemble(work, span, finding, setting)
