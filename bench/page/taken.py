"""The section that says how the figures were taken, and on what."""

from __future__ import annotations

from collections.abc import Iterator

from bench.page.read import Document, Results
from bench.page.words import listed, table
from bench.peers.ratios import headline
from bench.scaling.findings import disturbed

HOW = """\
- Contenders are processes of their own and take turns, so that a slow minute meets all of them;
  ratios are formed within a run, then averaged over runs.
- Before a contender is timed, its results are checked against NumPy in float64; wrong results are
  named and not timed.
- A configuration or a size is DISTURBED where other work took more than 10 % of the machine.
- Speeds are ratios on purpose: an absolute time on a CPU belongs to one machine and one hour.
- More stands in the README of each benchmark: {benchmarks}."""


def how_taken(results: Results) -> Iterator[str]:
    """Yield the machine, the runs and the rules."""
    documents = results.present
    card = next(iter(documents.values()))["machine"]
    memory = card.get("memory_bytes")
    yield (
        f"Machine `{results.machine}`: {card['cpu']}, {card['cores']} cores"
        + (f", {memory / 2**30:.0f} GiB" if memory else "")
        + f"; {card['os']}, Python {card['python']}; "
        + listed([f"{name} {version}" for name, version in _versions(documents).items()])
        + "."
    )
    yield table(
        ["file", "started", "runs", "turns", "threads", "complete"],
        [[f"{name}.json", *_facts(document)] for name, document in documents.items()],
        n_left=2,
    )
    yield f"DISTURBED: {listed(_disturbed(results)) or 'none'}."
    yield HOW.format(benchmarks=listed([f"`bench/{name}`" for name in documents]))


def _disturbed(results: Results) -> list[str]:
    runs = results.peers["runs"] if results.peers else []
    names = dict.fromkeys(run["config"] for run in runs)
    peers = [name for name in names if headline(results.peers or {}, name).disturbed]
    return peers + (disturbed(results.scaling) if results.scaling else [])


def _facts(document: Document) -> list[str]:
    runs = document.get("runs", 1)
    count = len({run["run"] for run in runs}) if isinstance(runs, list) else runs
    values = [
        count,
        document.get("turns", document.get("rounds", "-")),
        document.get("threads", "-"),
    ]
    done = "yes" if document.get("complete") else "no"
    return [str(document.get("started", "-")), *map(str, values), done]


def _versions(documents: dict[str, Document]) -> dict[str, str]:
    """Of the libraries that contenders are made of, as they say themselves."""
    found: dict[str, str] = {}
    for document in documents.values():
        found |= document["machine"].get("versions", {})
    peers: list[Document] = documents.get("peers", {}).get("runs", [])
    for row in (row for run in peers for row in run["rows"]):
        if row.get("version"):
            found[row["package"]] = row["version"]
    return dict(sorted(found.items()))
