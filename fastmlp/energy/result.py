"""The record of one measured window: joules per component and how each was obtained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from fastmlp.energy.checks import mapping
from fastmlp.energy.devices import is_gpu
from fastmlp.energy.explain import explain
from fastmlp.energy.grid import GridZone, as_grid, co2e_mg
from fastmlp.energy.parts import COMPONENTS, LABELS
from fastmlp.energy.record import checked

SCHEMA_VERSION = 1
PUE = 1.0  # power of a building over that of its computers: joules here are those of the computer


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyResult:
    """Energy of one window; what is not known is None, never 0.

    Parameters
    ----------
    wall_s, cpu_s
        Wall time of the work in seconds; processor time of this process and of those of its
        children that it has waited for.
    cpu_j, gpu_j, ram_j
        Energy per component in joules. ``gpu_j`` is charged to the work only if ``device`` is a
        GPU; otherwise it is what the GPU took idle, and in no sum.
    source, method
        For each of `COMPONENTS` one of `LABELS`, and what its joules are made of or why there are
        none.
    label, backend, device
        What was measured, with which library, and where it computed: "cpu", "cuda:0", ...;
        "" = not said.
    work, unit
        How much was done: 10.0 and "epoch" for 10 epochs.
    rss_peak_bytes
        Largest resident memory of this process up to the end of the window.
    codecarbon_total_j
        CodeCarbon's own total, untouched; None if it was not asked.
    idle_w
        Watts of the idle machine, for each component whose counter was read while idle.
    model_j
        Joules of the work under each power model by name, see `MODELS`; empty where the processor
        was measured.
    foreign_cpu_share
        Share of the machine's processor time that other processes took, 0 to 1.
    engine, scope
        Sources that were read; "process" or "machine", which is what CPU and RAM cover.
    grid
        The electricity grid for `co2e_mg`; None = not named.
    flags
        Names from `FLAGS`.
    versions
        Of fastmlp, Python, and the libraries that were read.

    Raises
    ------
    ValueError
        A value that contradicts another or its meaning: joules that are not finite and positive, a
        label or flag that is not in its table, an amount of work that is not above 0. Numbers are
        kept as floats, and mappings as read-only copies.

    Examples
    --------
    >>> result = EnergyResult(
    ...     wall_s=20.0, cpu_j=80.0, gpu_j=None, ram_j=200.0, work=10, unit="epoch", device="cpu",
    ...     source={"cpu": "estimated", "gpu": "absent", "ram": "estimated"},
    ...     method={"cpu": "4 W/thread x CPU time", "gpu": "no GPU", "ram": "5 W/DIMM guess"},
    ... )
    >>> result.compute_j, result.total_j, result.per_unit().compute_j, result.total_source
    (80.0, 280.0, 8.0, 'estimated')
    >>> round(result.co2e_mg("WORLD"), 2)
    36.94
    >>> EnergyResult.from_dict(result.to_dict()) == result
    True
    """

    wall_s: float
    cpu_j: float | None
    gpu_j: float | None
    ram_j: float | None
    source: Mapping[str, str]
    method: Mapping[str, str]
    label: str = ""
    backend: str = ""
    device: str = ""
    work: float = 1.0
    unit: str = "run"
    cpu_s: float | None = None
    rss_peak_bytes: int | None = None
    codecarbon_total_j: float | None = None
    idle_w: Mapping[str, float] = field(default_factory=dict)
    model_j: Mapping[str, float] = field(default_factory=dict)
    foreign_cpu_share: float | None = None
    engine: str = ""
    scope: str = ""
    grid: GridZone | None = None
    flags: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a record that contradicts itself."""
        for name, value in checked(self).items():
            object.__setattr__(self, name, value)

    def components_j(self) -> dict[str, float | None]:
        """Joules of each of `COMPONENTS`, the idle GPU's too."""
        return {"cpu": self.cpu_j, "gpu": self.gpu_j, "ram": self.ram_j}

    @property
    def compute_j(self) -> float | None:
        """CPU, and the GPU if the work ran on one, in joules; None where one of them is absent."""
        if not is_gpu(self.device):
            return self.cpu_j
        return None if self.cpu_j is None or self.gpu_j is None else self.cpu_j + self.gpu_j

    @property
    def total_j(self) -> float | None:
        """``compute_j`` and RAM where it has a value, in joules; None without ``compute_j``."""
        compute_j = self.compute_j
        return None if compute_j is None else compute_j + (self.ram_j or 0.0)

    @property
    def net_j(self) -> float | None:
        """``compute_j`` without the idle power, ``compute_j - idle_w * wall_s``.

        None unless the idle power of all that is in ``compute_j`` was measured.
        """
        compute_j, used = self.compute_j, ("cpu", "gpu") if is_gpu(self.device) else ("cpu",)
        if compute_j is None or not all(name in self.idle_w for name in used):
            return None
        return compute_j - sum(self.idle_w[name] for name in used) * self.wall_s

    @property
    def model_band_j(self) -> tuple[float, float] | None:
        """Least and most of the power models in joules; None where the processor was measured."""
        joules = self.model_j.values()
        return (min(joules), max(joules)) if joules else None

    @property
    def total_source(self) -> str:
        """The weakest label of what is in ``total_j``; "absent" if there is no total."""
        if self.total_j is None:
            return "absent"
        return max((self.source[name] for name in self._charged_j()), key=LABELS.index)

    @property
    def measured_share(self) -> float | None:
        """Share of ``total_j`` that counters measured, 0 to 1."""
        charged = self._charged_j()
        if self.total_j is None:
            return None
        measured = [joules for name, joules in charged.items() if self.source[name] == "measured"]
        return math.fsum(measured) / math.fsum(charged.values())

    def per_unit(self) -> EnergyResult:
        """The same for one unit of work: times and joules divided by ``work``; flags stay."""
        return replace(
            self,
            work=1.0,
            wall_s=self.wall_s / self.work,
            cpu_s=_divided(self.cpu_s, self.work),
            cpu_j=_divided(self.cpu_j, self.work),
            gpu_j=_divided(self.gpu_j, self.work),
            ram_j=_divided(self.ram_j, self.work),
            codecarbon_total_j=_divided(self.codecarbon_total_j, self.work),
            model_j={name: joules / self.work for name, joules in self.model_j.items()},
        )

    def co2e_mg(self, zone: str | GridZone | None = None, *, of: str = "total") -> float | None:
        """Milligrams of CO2e: ``total_j / 3.6e6 * g_per_kwh * 1000``.

        A footprint leaves out as little as it can, so it has the memory, guessed or not. To
        compare, take ``of="compute"``, which is ``compute_j`` and nothing else.

        Parameters
        ----------
        zone
            As `grid_intensity` takes it, or a `GridZone` of your own; None = the result's ``grid``.
        of
            "total" or "compute", the joules that are converted.

        Raises
        ------
        ValueError
            No grid at all, or one that is not known; ``of`` is neither of the two.
        ImportError
            A country is asked for and CodeCarbon, which carries the table, is not installed.
        """
        grid = self.grid if zone is None else as_grid(zone)
        if grid is None:
            raise ValueError("zone=None: the result names no grid; expected a zone such as 'FRA'")
        if of not in ("total", "compute"):
            raise ValueError(f"of={of!r}: expected 'total' or 'compute'")
        return co2e_mg(self.total_j if of == "total" else self.compute_j, grid.g_per_kwh)

    def explain(self) -> str:
        """Say in one sentence what the number is made of and what limits it."""
        return explain(self)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, and what follows from them, as plain JSON types."""
        stored = {one.name: _plain(getattr(self, one.name)) for one in fields(self)}
        derived = {name: _plain(getattr(self, name)) for name in DERIVED}
        return {"schema_version": SCHEMA_VERSION, **stored, **derived, "pue": PUE}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> EnergyResult:
        """Read what `to_dict` wrote; what follows from the fields is computed anew.

        Raises
        ------
        ValueError
            Another ``schema_version``, or a document that is none of an `EnergyResult`.
        """
        if not isinstance(document, Mapping):
            raise ValueError(f"document={document!r}: expected a mapping, as to_dict() returns it")
        version = document.get("schema_version")
        if isinstance(version, bool) or version != SCHEMA_VERSION:
            versions = document.get("versions")
            wrote = versions.get("fastmlp") if isinstance(versions, Mapping) else None
            raise ValueError(
                f"schema_version={version!r}: expected {SCHEMA_VERSION}; written by fastmlp "
                f"{wrote or 'of an unknown version'}, read it with that one"
            )
        names = [one.name for one in fields(cls)]
        missing = [name for name in names if name not in document]
        if missing:  # a default would be a guess: of the device, of the work, of the flags
            raise ValueError(f"document: not an EnergyResult, without {', '.join(missing)}")
        known = {name: document[name] for name in names}
        try:
            if known.get("grid") is not None:
                known["grid"] = GridZone(**mapping("grid", known["grid"]))
            return cls(**known)
        except (TypeError, ValueError) as error:
            raise ValueError(f"document: not an EnergyResult, {error}") from error

    def _charged_j(self) -> dict[str, float]:
        names = [name for name in COMPONENTS if name != "gpu" or is_gpu(self.device)]
        joules = self.components_j()
        return {name: value for name in names if (value := joules[name]) is not None}


DERIVED = ("compute_j", "total_j", "net_j", "model_band_j", "total_source", "measured_share")


def _divided(value: float | None, by: float) -> float | None:
    return None if value is None else value / by


def _plain(value: Any) -> Any:
    if isinstance(value, GridZone):
        return value._asdict()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
