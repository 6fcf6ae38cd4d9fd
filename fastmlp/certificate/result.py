"""What a certificate says: a row for each that ran, a reason for each that did not."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastmlp.certificate.training import Training
from fastmlp.page.folder import write_whole

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SCHEMA_VERSION = 1
# The largest distance that roundings explain after PROVEN_STEPS steps; docs/parity.md derives it.
TOLERANCE = {"float64": 1e-12, "float32": 1e-5, "tf32": 2e-3, "bfloat16": 2e-2}
PROVEN_STEPS = 200
WIDTH = 100  # of the table as a string


class ParityError(ArithmeticError):
    """A backend computes something else than NumPy."""


def tolerance(precision: str, steps: int) -> float:
    """Distance that roundings explain: each step adds its own, so that it grows with the steps.

    Examples
    --------
    >>> tolerance("float32", 100), tolerance("float32", 2000)
    (1e-05, 0.0001)
    """
    return TOLERANCE[precision] * max(1.0, steps / PROVEN_STEPS)


@dataclass(frozen=True)
class Row:
    """One backend in one dtype and precision.

    Attributes
    ----------
    backend, device, version : str
        What computed, where, and which release of the library; "" where it does not say.
    dtype : {"float64", "float32"}
        Of the weights.
    precision : {"float64", "float32", "tf32", "bfloat16"}
        In which matrices were multiplied.
    weights, losses, predictions : float
        Distances ``||a - b|| / ||b||``: the largest of all W and b, that of the losses of the
        epochs, and that of the probabilities of 359 test images. NaN if there are none.
    tolerance : float
        The largest distance that roundings explain.
    reason : str
        Why there are no distances.
    """

    backend: str
    device: str
    version: str
    dtype: str
    precision: str
    weights: float
    losses: float
    predictions: float
    tolerance: float
    reason: str = ""

    @property
    def verdict(self) -> Literal["holds", "exceeds", "failed"]:
        """Whether all distances are within the tolerance; "failed" if there are none."""
        if self.reason:
            return "failed"
        found = (self.weights, self.losses, self.predictions)
        return "holds" if all(distance <= self.tolerance for distance in found) else "exceeds"


@dataclass(frozen=True)
class Missing:
    """What could not run; a dtype of "" stands for all of a backend."""

    backend: str
    dtype: str
    precision: str
    reason: str
    hint: str


@dataclass(frozen=True)
class Parity:
    """A parity certificate, see `fastmlp.parity`.

    ``print(certificate)`` shows it as a table.

    Attributes
    ----------
    training : Training
        Steps, hidden, activation, optimizer and seed.
    rows : tuple of Row
    missing : tuple of Missing
    """

    training: Training
    rows: tuple[Row, ...]
    missing: tuple[Missing, ...]

    @property
    def differences(self) -> tuple[Row, ...]:
        """Rows that exceed their tolerance, or failed."""
        return tuple(row for row in self.rows if row.verdict != "holds")

    def raise_for_difference(self) -> None:
        """Raise `ParityError` if a row exceeds its tolerance, or failed, or if there is none."""
        if not self.rows:
            raise ParityError("nothing could run, so nothing is certified: see .missing.")
        if self.differences:
            raise ParityError(". ".join(map(_sentence, self.differences)) + ".")

    def to_dict(self) -> dict[str, Any]:
        """All of it in JSON's types; a distance that is not finite is None."""
        from fastmlp import __version__

        return {
            "schema_version": SCHEMA_VERSION,
            "fastmlp_version": __version__,
            "training": {**asdict(self.training), "hidden": list(self.training.hidden)},
            "rows": [{**_finite(asdict(row)), "verdict": row.verdict} for row in self.rows],
            "missing": [asdict(missing) for missing in self.missing],
        }

    def write(self, path: str | Path) -> None:
        """Write `to_dict` as a JSON file, whole or not at all."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        write_whole(text + "\n", Path(path))

    def print(self, console: Console) -> None:
        """Print the table, what is missing, and what was done."""
        from rich.text import Text

        if self.rows:
            console.print(_table(self.rows))
            console.print()
        for line in (*map(_failure, self.differences), *map(_absence, self.missing)):
            if line:
                console.print(Text(line, overflow="fold"))
        console.print(Text(_conditions(self.training), overflow="fold"))

    def __str__(self) -> str:
        from rich.console import Console

        file = StringIO()
        self.print(Console(file=file, width=WIDTH))
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def _table(rows: tuple[Row, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    for name in ("backend", "device", "dtype", "products"):
        table.add_column(name, overflow="fold")
    for name in ("weights", "losses", "predictions", "tolerance"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        names = (row.backend, row.device, row.dtype, row.precision)
        numbers = (row.weights, row.losses, row.predictions, row.tolerance)
        cells = (*names, *map(_shown, numbers), row.verdict)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _shown(distance: float) -> str:
    return f"{distance:.1e}" if math.isfinite(distance) else "-"


def _name(row: Row) -> str:
    products = "" if row.precision == row.dtype else f" with products in {row.precision}"
    return f"{row.backend} on {row.device} in {row.dtype}{products}"


def _sentence(row: Row) -> str:
    if row.reason:
        return f"{_name(row)} failed: {row.reason}"
    return (
        f"{_name(row)} is not NumPy's: weights {_shown(row.weights)}, losses {_shown(row.losses)}, "
        f"predictions {_shown(row.predictions)} away, expected {row.tolerance:.1e} at most"
    )


def _failure(row: Row) -> str:
    return f"{_sentence(row)}." if row.reason else ""


def _absence(missing: Missing) -> str:
    what = f" {missing.dtype} in {missing.precision}" if missing.dtype else ""
    hint = f" {missing.hint}." if missing.hint else ""
    return f"{missing.backend}{what} did not run: {missing.reason}.{hint}"


def _conditions(training: Training) -> str:
    sizes = "-".join(map(str, (64, *training.hidden, 10)))
    return (
        f"Distances ||a - b|| / ||b|| from NumPy float64 after {training.steps} steps of "
        f"{training.optimizer} on the digits: {sizes}, {training.activation}, seed {training.seed}."
    )
