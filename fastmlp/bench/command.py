"""``fastmlp bench run``, ``report`` and ``compare``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fastmlp
from fastmlp.bench.comparison import LIMIT, compare, smaller_is_better
from fastmlp.bench.comparison_table import print_comparison
from fastmlp.bench.document import read
from fastmlp.bench.kept import one_signal, tell, written
from fastmlp.bench.zones import find_zone
from fastmlp.page.folder import writable

SUITES = ("speed", "accuracy", "emissions")
PROFILES = ("smoke", "publish")
FILE, PAGE = "bench.json", "report.html"
REGRESSION, FAILED, INTERRUPTED = 1, 1, 130


def add_bench(commands: Any) -> None:
    """Add ``bench`` and its own commands."""
    bench = commands.add_parser(
        "bench",
        help="measure speed, accuracy and emissions, and compare with an earlier run",
        description="The suites of the repository: pytest-benchmark's figures of every backend, "
        "the reference, scikit-learn and PyTorch.",
    )
    inner = bench.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(inner)
    _add_report(inner)
    _add_compare(inner)


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="run the suites (from a checkout)",
        description="Run the suites, each contender in processes of its own and in random turns. "
        f"Writes {FILE} and {PAGE}. Ends with 1 if a contender failed.",
    )
    run.set_defaults(run=run_suites)
    add = run.add_argument
    add("--profile", choices=PROFILES, default=PROFILES[0], help="default: %(default)s")
    add("--suites", type=_suites, default=SUITES, metavar="NAME,...", help="default: all three")
    add("--backends", type=_names, metavar="NAME,...", help="default: all that can run here")
    add("--threads", type=_count, metavar="N", help="of each contender; default: all cores")
    add("--seed", type=int, default=0, metavar="N", help="of the turns; default: %(default)s")
    _add_grid(run)
    add(
        "--save",
        metavar="MACHINE",
        help="add the run to the history of this machine, bench/results/MACHINE/suites",
    )
    add(
        "--output-dir",
        type=Path,
        default=Path("fastmlp-bench"),
        metavar="DIR",
        help="default: %(default)s",
    )


def _add_report(commands: Any) -> None:
    command = commands.add_parser(
        "report",
        help="write the page of a run, and print its table",
        description=f"Turn {FILE} into a page beside it, {PAGE}, and a table in Markdown; the page "
        "of a file with another name has that name.",
    )
    command.set_defaults(run=run_report)
    command.add_argument("file", type=Path, help=FILE)
    _add_grid(command)


def _add_grid(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--grid",
        metavar="ZONE",
        help="electricity grid of the table, ISO 3166 alpha-3 or WORLD; default: FRA, and WORLD "
        "without CodeCarbon, which has the table",
    )


def _add_compare(commands: Any) -> None:
    command = commands.add_parser(
        "compare",
        help="relate a run to an earlier one",
        description="Relate the figures of a run to those of an earlier one. Ends with 1 if "
        "something has become slower, or needs more energy, by more than the limit.",
    )
    command.set_defaults(run=run_compare)
    add = command.add_argument
    add("old", type=Path, help=f"{FILE} of the earlier run")
    add("new", type=Path, help=f"{FILE} of the later run")
    limit = f"{100 * LIMIT:g}%"
    for what in ("speed", "energy"):
        add(
            f"--fail-{what}",
            type=_part,
            default=LIMIT,
            metavar="N%",
            help=f"default: {limit}".replace("%", "%%"),
        )
    add(
        "--format",
        choices=("table", "customSmallerIsBetter"),
        default="table",
        help="the latter is JSON of the new run's figures for github-action-benchmark",
    )


def run_suites(options: argparse.Namespace) -> int:
    """Run the suites and write what they found."""
    suites = _checkout()
    names = import_module("bench.suites.contenders").names()
    for name in options.backends or ():
        if name not in names:
            raise ValueError(f"--backends: {name!r} is unknown, expected some of {','.join(names)}")
    profiles = import_module("bench.suites.profiles").PROFILES
    cores = import_module("fastmlp.compare.config").cores()
    images_of = import_module("bench.gpu.problems").images_of
    threads = options.threads or cores
    if not 1 <= threads <= cores:
        raise ValueError(f"--threads {threads}: expected 1 to {cores}, the cores of this machine")
    profile = profiles[options.profile]
    folder = os.environ.get("FASTMLP_DATA")
    try:
        images_of(folder)  # a folder without the files is no use to a child
    except FileNotFoundError as error:
        raise ValueError(
            f"FASTMLP_DATA={folder}: there are no files of MNIST; name their folder, or unset the "
            "variable for generated images"
        ) from error
    history = suites.history_of(options.save, profile) if options.save else None
    find_zone(options.grid)  # nobody wants to learn after the rounds that it is unknown
    plan = suites.Plan(profile, options.suites, options.backends or names, threads, options.seed)
    suites.ready(plan)  # before there is a folder
    path = writable(options.output_dir, "--output-dir", FILE, PAGE) / FILE

    def show(turn: Any, number: int, total: int) -> None:
        tell(f"{number}/{total}  {turn}", sys.stderr)

    with one_signal():
        outcome = suites.run(plan, show)
        path = written(json.dumps(outcome.content, indent=1, allow_nan=False) + "\n", path)
        tell(f"Written: {path}", sys.stdout)
        if history and not outcome.interrupted:
            tell(f"Saved: {suites.save(outcome.content, history)}", sys.stdout)
        text = _report(path, options.grid)
    print(text)
    for words in outcome.failed:
        tell(f"fastmlp: {words}", sys.stderr)
    if outcome.interrupted:
        return INTERRUPTED
    return FAILED if outcome.failed else 0


def run_report(options: argparse.Namespace) -> int:
    """Write the page of a run."""
    print(_report(options.file, options.grid))
    return 0


def _report(path: Path, zone: str | None) -> str:
    """Write the page of a file, and return its table."""
    from fastmlp.bench.report import markdown, write_report

    document, page = read(path), path.with_name(PAGE if path.name == FILE else f"{path.stem}.html")
    if page == path:
        raise ValueError(f"{path}: its page would replace it; give it a name that ends in .json")
    text = markdown(document, zone)
    try:
        write_report(document, page, zone)
    except ImportError as error:  # the figures are worth more than their page
        tell(f"fastmlp: {page.name} is not written: {error}", sys.stderr)
        return text
    return f"{text}\nWritten: {page}"


def run_compare(options: argparse.Namespace) -> int:
    """Print what has changed."""
    old, new = read(options.old), read(options.new)
    comparison = compare(old, new, fail_speed=options.fail_speed, fail_energy=options.fail_energy)
    if options.format == "table":
        print_comparison(comparison)
    else:
        print(json.dumps(smaller_is_better(new), indent=1, allow_nan=False))
    return REGRESSION if comparison.regressions or comparison.lost else 0


def _checkout() -> Any:
    """Import the suites from the checkout that this package, or the working directory, lies in."""
    for root in (Path(fastmlp.__file__).parents[1], Path.cwd()):
        if (root / "bench" / "suites" / "run.py").is_file():
            break
    else:
        raise ValueError(
            "the suites are not part of the installed package, they live in the repository: clone "
            "it, and run fastmlp bench there"
        )
    needed = {"pytest": "pytest", "pytest-benchmark": "pytest_benchmark"}
    packages = [package for package, module in needed.items() if find_spec(module) is None]
    if packages:
        raise ImportError(
            f"fastmlp bench run needs {' and '.join(packages)}: pip install {' '.join(packages)}"
        )
    sys.path.insert(0, str(root))
    return import_module("bench.suites.run")


def _suites(text: str) -> tuple[str, ...]:
    chosen = _names(text)
    for name in chosen:
        if name not in SUITES:
            raise argparse.ArgumentTypeError(
                f"{name!r} is no suite, expected some of {','.join(SUITES)}"
            )
    return chosen


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing, expected NAME,NAME,...")
    return names


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _part(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    # "10" without its sign would be a thousand percent
    if not 0 <= value < (float("inf") if text.endswith("%") else 1):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no part of the old value, expected one such as '10%' or '0.1'"
        )
    return value
