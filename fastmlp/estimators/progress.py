"""A progress bar for fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(shown: bool, epochs: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Give a function that takes the values of each epoch and moves the bar on stderr."""
    if not shown:
        yield lambda values: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("", total=epochs)

        def advance(values: dict[str, float]) -> None:
            text = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
            bar.update(task, advance=1, description=text)

        yield advance
