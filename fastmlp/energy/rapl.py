"""Energy counters of the processor's packages and memory, read from the kernel's powercap folder.

Each package is a folder ``intel-rapl:N`` (AMD's too) with a counter in microjoules that wraps at
``max_energy_range_uj``. Its subdomains ``core`` and ``uncore`` are inside of the package's count,
``dram`` is beside it; ``psys`` is the whole board and contains the packages. Reading needs a right
that most systems keep for root since CVE-2020-8694; virtual machines have no such folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fastmlp.energy.flags import ABOVE_LIMIT
from fastmlp.energy.parts import Finding, Part, Span, absent

POWERCAP = Path("/sys/class/powercap")
UJ_PER_J = 1e6
# Two dies of a package whose counts never differ by more show one and the same counter: the files
# are read one after the other, and a joule is milliseconds at full load.
MIRROR_UJ = 1_000_000
# More than any package takes: tells when a counter without a named limit may wrap or was reset.
MOST_W = 1000.0
# Counter and clock are not read at one moment; so much of a second may lie between them.
EDGE_S = 0.1

Reading = int | Exception


class RaplError(RuntimeError):
    """The counters are not there (`missing`) or not to be read; the message says why."""

    def __init__(self, reason: str, *, missing: bool) -> None:
        super().__init__(reason)
        self.missing = missing


class Domain(NamedTuple):
    """One counter: its folder, its name, where it wraps, and the limit of its power if named."""

    folder: Path
    name: str
    range_uj: int
    limit_w: float | None


def find_domains(root: Path) -> list[Domain]:
    """Find the counters of the packages and of their memory, and read each of them once.

    Parameters
    ----------
    root
        The powercap folder.

    Raises
    ------
    RaplError
        No package is there, or a counter of one cannot be read.

    Examples
    --------
    >>> try:
    ...     find_domains(Path("nowhere"))
    ... except RaplError as error:
    ...     print(error)
    no RAPL package below nowhere
    """
    folders = sorted(path for path in root.glob("intel-rapl:*") if path.is_dir())
    try:
        names = {path: (path / "name").read_text(encoding="ascii").strip() for path in folders}
        wanted = [
            path for path in folders if names[path].startswith("package") or _is_dram(path, names)
        ]
        domains = [
            Domain(path, names[path], _number(path / "max_energy_range_uj"), _limit_w(path))
            for path in wanted
        ]
        for domain in domains:
            if domain.range_uj <= 0:
                raise ValueError(f"{domain.folder.name}: max_energy_range_uj is {domain.range_uj}")
            _count(domain)
    except (OSError, ValueError) as error:
        raise RaplError(f"RAPL cannot be read: {error}", missing=False) from error
    if not any(domain.name.startswith("package") for domain in domains):
        raise RaplError(f"no RAPL package below {root}", missing=True)
    return domains


def passed_uj(before_uj: int, after_uj: int, range_uj: int) -> int:
    """Count of a counter between two readings, one wrap at most between them.

    Examples
    --------
    >>> passed_uj(100, 250, 1000), passed_uj(900, 50, 1000)
    (150, 150)
    """
    return after_uj - before_uj + (range_uj if after_uj < before_uj else 0)


def may_have_wrapped_twice(domain: Domain, wall_s: float) -> bool:
    """Tell whether the window was long enough for a full turn of the counter."""
    return wall_s * (domain.limit_w or MOST_W) >= domain.range_uj / UJ_PER_J


def most_j(domain: Domain, wall_s: float) -> float:
    """Joules above which a counter was not counting: reset in the window, or broken.

    Examples
    --------
    >>> round(most_j(Domain(Path("intel-rapl:0"), "package-0", 10**12, 100.0), 1.9))
    220
    """
    return ABOVE_LIMIT * (domain.limit_w or MOST_W) * (wall_s + EDGE_S)


def without_mirrors(
    domains: list[Domain], before: Mapping[Path, int], after: Mapping[Path, int]
) -> list[Domain]:
    """Leave out a die that shows the counter of another die of its package."""
    kept: list[Domain] = []
    for domain in domains:
        mirrored = any(
            _package(domain) == _package(other)
            and all(
                _apart_uj(counts[domain.folder], counts[other.folder], domain.range_uj) <= MIRROR_UJ
                for counts in (before, after)
            )
            for other in kept
        )
        if not mirrored:
            kept.append(domain)
    return kept


class Rapl:
    """The counters as a source: packages are the CPU, dram is the RAM.

    Parameters
    ----------
    root
        The powercap folder.

    Raises
    ------
    RaplError
        As `find_domains`.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self._domains = find_domains(root)
        self._before: dict[Path, Reading] = {}

    components: tuple[str, ...] = ("cpu", "ram")

    def open(self) -> None:
        """Read the counters."""
        self._before = _each(self._domains)

    def close(self, span: Span) -> Finding:
        """Read them again; everything that ran on the machine is in them."""
        after = _each(self._domains)
        packages = [domain for domain in self._domains if domain.name.startswith("package")]
        dram = [domain for domain in self._domains if domain.name == "dram"]
        parts = {"cpu": self._part("cpu", packages, after, span.wall_s)}
        parts["ram"] = (
            self._part("ram", dram, after, span.wall_s) if dram else absent("RAPL has no dram here")
        )
        return Finding(parts, scope="machine")

    def _part(
        self, component: str, domains: list[Domain], after: Mapping[Path, Reading], wall_s: float
    ) -> Part:
        counts: list[dict[Path, int]] = []
        for edge, readings in (("start", self._before), ("stop", after)):
            counts.append({})
            for domain in domains:
                reading = readings[domain.folder]
                if isinstance(reading, Exception):
                    why = f"{domain.name}: {type(reading).__name__} at the {edge}: {reading}"
                    return absent(why, "source_failed")
                counts[-1][domain.folder] = reading
        domains = without_mirrors(domains, *counts)
        method = f"RAPL {' + '.join(domain.name for domain in domains)} (whole machine)"
        total_j = 0.0
        for domain in domains:
            if may_have_wrapped_twice(domain, wall_s):
                return absent("RAPL may have wrapped more than once", "counter_wrapped")
            before_uj, after_uj = (count[domain.folder] for count in counts)
            joules = passed_uj(before_uj, after_uj, domain.range_uj) / UJ_PER_J
            if joules <= 0:  # no part of a machine that is on takes nothing
                why = f"{method}: {domain.name} stood still"
                return absent(why, f"{component}_not_positive")
            if joules > most_j(domain, wall_s):
                why = (
                    f"{method}: {domain.name} says {joules:.4g} J in {wall_s:.3g} s, was it reset?"
                )
                return absent(why, "power_above_limit")
            total_j += joules
        limits = [domain.limit_w for domain in domains]
        known = [limit for limit in limits if limit is not None]
        limit_w = sum(known) if len(known) == len(limits) else None
        return Part(total_j, "measured", method, limit_w=limit_w)


def _each(domains: list[Domain]) -> dict[Path, Reading]:
    # one that fails costs its own component and no other
    found: dict[Path, Reading] = {}
    for domain in domains:
        try:
            found[domain.folder] = _count(domain)
        except (OSError, ValueError) as error:
            found[domain.folder] = error
    return found


def _count(domain: Domain) -> int:
    count_uj = _number(domain.folder / "energy_uj")
    if not 0 <= count_uj <= domain.range_uj:
        shown = f"{count_uj:.3g}" if abs(count_uj) < 10**300 else "a number without end"
        raise ValueError(f"energy_uj is {shown}, expected 0 to {domain.range_uj}")
    return count_uj


def _is_dram(folder: Path, names: Mapping[Path, str]) -> bool:
    parent = folder.with_name(folder.name.rpartition(":")[0])
    return names[folder] == "dram" and names.get(parent, "").startswith("package")


def _package(domain: Domain) -> str:
    # "package-0-die-1" is a die of package 0; without dies each folder is a package of its own
    match = re.fullmatch(r"(package-\d+)-die-\d+", domain.name)
    return match[1] if match else str(domain.folder)


def _apart_uj(one_uj: int, other_uj: int, range_uj: int) -> int:
    apart_uj = abs(one_uj - other_uj)
    return min(apart_uj, range_uj - apart_uj)


def _limit_w(folder: Path) -> float | None:
    # A short-term limit may be above the long-term one; a limit of 0 is none.
    limits_uw = [0]
    for path in folder.glob("constraint_*_power_limit_uw"):
        try:
            limits_uw.append(_number(path))
        except (OSError, ValueError):
            continue
    return max(limits_uw) / UJ_PER_J or None


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))
