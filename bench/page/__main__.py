"""``python -m bench.page``: write docs/performance.md and its charts, or check them."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.page.compose import charts, page
from bench.page.read import find_folder, read

ROOT = Path(__file__).parents[2]
PAGE, IMAGES = "performance.md", "images"
_WORDS = re.compile(r"<desc>.*?</desc>", re.DOTALL)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write the page; return 0, 1 if it is to be checked and differs, 2 for bad arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.page",
        description="Write docs/performance.md and its charts from the results that are committed.",
    )
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")
    parser.add_argument(
        "--results",
        type=Path,
        help="folder of one machine; the only one in bench/results if left out",
    )
    options = parser.parse_args(arguments)
    try:
        results = read(options.results or find_folder(root / "bench" / "results"))
    except ValueError as error:
        parser.error(str(error))
    drawn = charts(results)
    files = {PAGE: page(results, drawn)} | {f"{IMAGES}/{one.file}": one.svg for one in drawn}
    docs = root / "docs"
    if not options.check:
        for name, text in files.items():
            (docs / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in files.items() if not _is_same(docs / name, text)]
    for name in stale:
        print(f"docs/{name} is not what the results say: run python -m bench.page", file=sys.stderr)
    return int(bool(stale))


def _is_same(path: Path, text: str) -> bool:
    """Compare the page as it is, a chart by its figures: its strokes are matplotlib's to change."""
    if not path.exists():
        return False
    there = path.read_text(encoding="utf-8")
    return there == text if path.suffix == ".md" else _WORDS.findall(there) == _WORDS.findall(text)


if __name__ == "__main__":
    sys.exit(main())
