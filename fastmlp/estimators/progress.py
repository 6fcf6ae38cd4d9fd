"""A progress bar for fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TypeAlias

Row: TypeAlias = Callable[[], dict[str, float]]  # gives the values of the epoch
Show: TypeAlias = Callable[[Row], None]


@contextmanager
def progress_bar(shown: bool, epochs: int) -> Iterator[Show]:
    """Give a function that is told of each epoch, and moves the bar on stderr."""
    if not shown:
        yield lambda row: None
        return
    from rich.console import Console

    console = Console(stderr=True, force_jupyter=False)
    if not console.is_terminal:  # a notebook or a file: some plain lines
        yield _lines(console.print, epochs)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
    ) as bar:
        task = bar.add_task("", total=epochs)

        def advance(row: Row) -> None:
            bar.update(task, advance=1, description=_text(row()))

        yield advance


def _lines(write: Callable[[str], None], epochs: int) -> Show:
    done = count(1)

    def advance(row: Row) -> None:
        epoch = next(done)
        if epoch == epochs or epoch % max(1, epochs // 10) == 0:
            write(f"epoch {epoch}/{epochs}  {_text(row())}")

    return advance


def _text(values: dict[str, float]) -> str:
    told = {
        name: value for name, value in values.items() if name not in ("learning_rate", "epoch_s")
    }
    return "  ".join(f"{name} {value:.4f}" for name, value in told.items())
