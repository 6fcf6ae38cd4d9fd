"""A loop that is run in the fastest way that works: rung by rung, down to the formulas themselves.

A rung that fails is left for good, with a warning that says why, and the loop is run again from its
start on the next one: no rung writes into what comes in. A step that the upper rungs have nothing
for is run as it is written, and they go on serving the others.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from fastmlp.backends.record import Body, Rung, python_scan
from fastmlp.core.tree import tree_leaves

PLAIN = "plain"  # the lowest rung: the library runs each operation of the formulas


class Unsupported(Exception):  # noqa: N818
    """A step has something that the upper rungs do not run."""


class Player(Protocol):
    """A step prepared for arrays of certain shapes, and for certain shared ones."""

    def play(self, carry: Any, xs: Any) -> tuple[Any, tuple[Any, ...]]:
        """Run all steps, as a scan."""


class Library(NamedTuple):
    """What a ladder has to know of the library that it runs on."""

    name: str
    array_type: type
    address: Callable[[Any], int]  # of an array's first element
    memory_error: type[Exception]  # passes through: it is no fault of a rung
    # (rung, f, carry, xs, shared) -> what plays f; raises `Unsupported`
    prepare: Callable[..., Player]
    rungs: tuple[str, ...]  # above PLAIN, the highest first


class Ladder:
    """The scan of a record, and the rung on which it stands."""

    def __init__(self, xp: Any, library: Library) -> None:
        self.library, self._rungs = library, (*library.rungs, PLAIN)
        self.rung = Rung(self._rungs[0], "")  # of the last loop
        self._highest = self.rung  # that has not failed
        self._as_written = python_scan(xp)
        self._players: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()

    def scan(self, f: Body, carry: Any, xs: Any, shared: Any) -> tuple[Any, tuple[Any, ...]]:
        """Run the loop on the highest rung that works."""
        arrays = tree_leaves((carry, xs, shared))
        is_ours = all(isinstance(array, self.library.array_type) for array in arrays)
        while is_ours and xs.shape[0] and self._highest.name != PLAIN:
            try:
                player = self._player(f, carry, xs, shared)
                self.rung = self._highest
                return player.play(carry, xs)
            except Unsupported as reason:
                self.rung = Rung(PLAIN, f"no {self._rungs[0]} step for {reason}")
                break
            except self.library.memory_error:
                raise
            except Exception as error:
                self._step_down(f"{type(error).__name__}: {error}")
        return self._as_written(f, carry, xs, shared)

    def _step_down(self, error: str) -> None:
        """Leave a rung, for all loops to come."""
        failed = self._highest
        lower = self._rungs[self._rungs.index(failed.name) + 1]
        reason = "; ".join(filter(None, [failed.reason, f"{failed.name} failed with {error}"]))
        self.rung = self._highest = Rung(lower, reason)
        self._players.clear()
        self._warn(f"steps are {lower} from now on: {failed.name} failed with {error}")

    def _player(self, f: Body, carry: Any, xs: Any, shared: Any) -> Player:
        """Return what plays f on such arrays."""
        arrays, data = tree_leaves((carry, xs, shared)), tree_leaves(shared)
        key = tuple((tuple(array.shape), str(array.dtype)) for array in arrays)
        addresses = [self.library.address(array) for array in data]
        known = self._players.setdefault(f, {})
        if key not in known or known[key][0] not in (addresses, None):
            try:
                player = self.library.prepare(self._highest.name, f, carry, xs, shared)
                known[key] = addresses, player
            except Unsupported as reason:
                known[key] = None, reason
                self._warn(f"runs a step operation by operation: it has nothing for {reason}")
        player = known[key][1]
        if isinstance(player, Unsupported):
            raise player
        found: Player = player
        return found

    def _warn(self, text: str) -> None:
        warnings.warn(f"{self.library.name} {text}.", RuntimeWarning, stacklevel=2)
