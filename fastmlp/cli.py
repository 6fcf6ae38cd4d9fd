"""The command line: ``fastmlp compare``, ``parity``, ``bench`` and ``backends``."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import fastmlp
from fastmlp.backends import BackendUnavailableError
from fastmlp.page.folder import writable

if TYPE_CHECKING:
    from fastmlp.compare import Results

USAGE, INTERRUPTED, FAILED, BROKEN_PIPE = 2, 130, 1, 141
FILES = ("results.json", "report.html")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and end with 2."""
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 a run failed, 2 bad input, 130 Ctrl-C."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed before the start
            setattr(sys, name, io.StringIO())
    options = parser().parse_args(argv)
    try:
        code = int(options.run(options))
        sys.stdout.flush()  # not at the end, where nobody catches what it raises
        return code
    except KeyboardInterrupt as error:
        print(f"fastmlp: {str(error) or 'interrupted'}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # of head, or a pager that was left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        return BROKEN_PIPE
    except (ValueError, OSError, ImportError, BackendUnavailableError) as error:
        message = " ".join(str(error).split())
        print(f"fastmlp: error: {message}", file=sys.stderr)
        return USAGE


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    from fastmlp.bench.command import add_bench
    from fastmlp.compare.config import BATCH_SIZE, EPOCHS, REFERENCE, Config
    from fastmlp.data import DATASETS

    default = Config()
    top = Parser(prog="fastmlp", description=fastmlp.__doc__)
    top.add_argument("--version", action="version", version=f"fastmlp {fastmlp.__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    backends = commands.add_parser(
        "backends", help="list what this machine can run, and why not the others"
    )
    backends.set_defaults(run=run_backends)

    _add_parity(commands)
    add_bench(commands)
    compare = commands.add_parser(
        "compare",
        help="train the same network on every backend and show accuracy, time and CO2",
        description="Train the same network, from the same weights and in the same order, on "
        "every available backend and the Keras reference. Writes results.json and report.html.",
    )
    compare.set_defaults(run=run_compare)
    add = compare.add_argument
    add("--dataset", choices=DATASETS, default=default.dataset, help="default: %(default)s")
    add("--data-dir", metavar="DIR", help="folder of the IDX files; else FASTMLP_DATA")
    add(
        "--hidden",
        type=_sizes,
        default=default.hidden,
        metavar="N,N,...",
        help="units of the hidden layers, '' for none; default: 128",
    )
    add("--epochs", type=_positive(int), metavar="N", help=f"default: {_by_dataset(EPOCHS)}")
    add(
        "--batch-size", type=_positive(int), metavar="N", help=f"default: {_by_dataset(BATCH_SIZE)}"
    )
    add(
        "--learning-rate",
        type=_positive(float),
        default=default.learning_rate,
        metavar="RATE",
        help="default: %(default)s",
    )
    add(
        "--backends",
        type=_names,
        default=(),
        metavar="NAME,NAME,...",
        help=f"default: all of them, and the reference, {REFERENCE}",
    )
    add("--seed", type=int, default=default.seed, metavar="N", help="default: %(default)s")
    add("--threads", type=_positive(int), metavar="N", help="of each contender; default: all cores")
    add(
        "--grid",
        default=default.grid,
        metavar="ZONE",
        help="electricity grid, ISO 3166 alpha-3 or WORLD; default: %(default)s",
    )
    add(
        "--output-dir",
        type=Path,
        default=Path("fastmlp-results"),
        metavar="DIR",
        help="default: %(default)s",
    )
    add("--quiet", action="store_true", help="write the files, and print nothing but errors")
    return top


def _add_parity(commands: Any) -> None:
    from fastmlp.certificate import REFERENCE, Training

    default = Training()
    parity = commands.add_parser(
        "parity",
        help="train the same network on every backend and show how far each is from NumPy",
        description="Train the same network, from the same weights and in the same order, on every "
        "available backend, in each dtype and precision, and measure the distance of weights, "
        "losses and predictions to NumPy float64. Ends with 1 if one exceeds its tolerance.",
    )
    parity.set_defaults(run=run_parity)
    add = parity.add_argument
    add(
        "--backends",
        type=_names,
        metavar="NAME,NAME,...",
        help=f"default: all of them; {REFERENCE} is the reference",
    )
    add("--steps", type=_positive(int), default=default.steps, metavar="N", help="default: 100")
    add("--hidden", type=_sizes, default=default.hidden, metavar="N,N,...", help="default: 32")
    add("--activation", default=default.activation, help="default: %(default)s")
    add("--optimizer", default=default.optimizer, help="default: %(default)s")
    add("--seed", type=int, default=default.seed, metavar="N", help="default: %(default)s")
    add("--json", type=Path, metavar="FILE", help="write the certificate there, too")


def run_parity(options: argparse.Namespace) -> int:
    """Make a parity certificate and print it."""
    from rich.console import Console

    from fastmlp.certificate import parity

    if options.json:
        writable(options.json.parent, "--json", options.json.name)
    names = ("backends", "steps", "hidden", "activation", "optimizer", "seed")
    certificate = parity(**{name: getattr(options, name) for name in names})
    certificate.print(Console())
    if options.json:
        certificate.write(options.json)
    return FAILED if certificate.differences or not certificate.rows else 0


def run_backends(options: argparse.Namespace) -> int:
    """List the backends and the reference."""
    from fastmlp.backends import backend_names, backend_status
    from fastmlp.reference import reference_status

    looks: list[Callable[[], Any]] = [partial(backend_status, name) for name in backend_names()]
    for look in (*looks, reference_status):
        with warnings.catch_warnings(record=True) as caught:
            status = look()
        if status.available:
            print(f"{status.name:8} yes  {status.device:8} {status.version}")
        else:
            print(f"{status.name:8} no   {status.reason}")
        if status.hint:
            print(f"{'':13} {status.hint}")
        for warning in caught:
            print(f"{'':13} {' '.join(str(warning.message).split())}")
    return 0


def run_compare(options: argparse.Namespace) -> int:
    """Run the main job, write its files, print its table."""
    from rich.console import Console

    from fastmlp.compare import Config, compare
    from fastmlp.compare.table import print_table

    names = Config.__dataclass_fields__
    chosen = {k: v for k, v in vars(options).items() if k in names and v is not None}
    config = Config(**chosen)
    folder = writable(options.output_dir, "--output-dir", *FILES)
    with _progress(options.quiet) as show:
        results = compare(config, show)
    if not options.quiet:
        print_table(results, Console())
    _write(results, folder, options.quiet)
    states = {run.status for run in results.runs}
    if "interrupted" in states or not states:
        return INTERRUPTED
    return 0 if "ok" in states and "failed" not in states else FAILED


def _write(results: Results, folder: Path, quiet: bool) -> None:
    from fastmlp.compare.report import write_report

    results_file, page = (folder / name for name in FILES)
    results.write(results_file)
    written = [str(results_file)]
    try:
        write_report(results, page)
        written.append(str(page))
    except ImportError as error:
        print(f"fastmlp: {page.name} is not written: {error}", file=sys.stderr)
    if not quiet:
        print(f"\nWritten: {', '.join(written)}")
    for run in results.runs:
        if run.status == "failed":
            print(f"fastmlp: {run.backend} failed: {run.reason}", file=sys.stderr)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that moves a bar per contender on stderr, or does nothing."""
    if quiet:
        yield lambda contender, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    name = TextColumn("{task.description:>8}")
    columns = (name, BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    tasks: dict[str, Any] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def show(contender: str, done: int, total: int) -> None:
            if contender not in tasks:
                tasks[contender] = bars.add_task(contender, total=total)
            bars.update(tasks[contender], completed=done)

        yield show


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(_positive(int)(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of layer sizes, expected '128' or '128,64'"
        ) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _positive(kind: type[int] | type[float]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text!r} is not possible, expected more than 0")
        return value

    parse.__name__ = kind.__name__  # argparse names it in its message
    return parse


def _by_dataset(values: dict[str, int]) -> str:
    return ", ".join(f"{value} for {name}" for name, value in values.items())
