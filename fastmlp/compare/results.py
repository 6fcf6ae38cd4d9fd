"""results.json: a documented, versioned format (docs/results-format.md)."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from fastmlp.page.folder import write_whole

SCHEMA_VERSION = 1

Status: TypeAlias = Literal["ok", "unavailable", "failed", "interrupted"]


@dataclass
class Run:
    """What one contender did; None is "not known", never zero."""

    backend: str
    device: str = ""
    version: str = ""
    is_reference: bool = False
    status: Status = "unavailable"
    reason: str = ""  # why the status is not "ok"
    hint: str = ""  # what to do about it
    test_accuracy: float | None = None
    test_loss: float | None = None
    first_call_s: float | None = None  # the first epoch: trace, compile, run
    epoch_s: list[float] = field(default_factory=list)  # every epoch, the first one included
    samples_per_s: float | None = None  # of the median epoch, the first one left out
    speed_ratio: float | None = None  # samples_per_s over the reference's
    energy_j: float | None = None  # of training for all epochs
    energy_source: str = "absent"
    energy: dict[str, Any] = field(default_factory=dict)  # components, sources, methods, flags
    co2e_mg: float | None = None
    history: dict[str, list[float]] = field(default_factory=dict)

    @property
    def median_epoch_s(self) -> float | None:
        """Median time of an epoch, the first one left out because it compiles."""
        return statistics.median(self.epoch_s[1:]) if len(self.epoch_s) > 1 else None


@dataclass
class Results:
    """All runs of one comparison, with the machine and the configuration they ran on."""

    created: str  # ISO 8601, UTC
    fastmlp_version: str
    machine: dict[str, Any]
    config: dict[str, Any]
    runs: list[Run]
    schema_version: int = SCHEMA_VERSION

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        write_whole(json.dumps(asdict(self), indent=2, allow_nan=False) + "\n", path)

    @classmethod
    def read(cls, path: str | Path) -> Results:
        """Read a results.json of this schema version; fields that are new to us are left out.

        Raises
        ------
        ValueError
            The file is not JSON, or of another schema version.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            version = values["schema_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a results.json of fastmlp ({error}).") from error
        if version != SCHEMA_VERSION:
            raise ValueError(
                f"{path} has schema_version {version}, expected {SCHEMA_VERSION}: read it with the "
                f"fastmlp that wrote it ({values.get('fastmlp_version', 'unknown')})."
            )
        values["runs"] = [_known(Run, run) for run in values["runs"]]
        results: Results = _known(cls, values)
        return results


def _known(record: type[Any], values: dict[str, Any]) -> Any:
    names = {field.name for field in fields(record)}
    return record(**{name: value for name, value in values.items() if name in names})
