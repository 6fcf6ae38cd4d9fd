"""A loop that is run in the fastest way that works: rung by rung, down to the formulas themselves.

A rung that fails is left for good, with a warning that says why, and the loop is run again from its
start on the next one: no rung writes into what comes in. A step that the upper rungs have nothing
for is run as it is written, and they go on serving the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import count
from threading import RLock
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary, ref

from fastmlp.backends.memory import is_out_of_memory
from fastmlp.backends.notices import warn
from fastmlp.backends.record import Body, Function, Rung, python_scan
from fastmlp.core.tree import tree_leaves

PLAIN = "plain"  # the lowest rung: the library runs each operation of the formulas
KEPT = 8  # players, each with memory of its own; a training has two, or three
KEPT_REFUSALS = 256


class Unsupported(Exception):  # noqa: N818
    """A step has something that the upper rungs do not run."""


class Player(Protocol):
    """A step prepared for arrays of certain shapes, and for shared ones at certain addresses."""

    def play(self, carry: Any, xs: Any) -> tuple[Any, tuple[Any, ...]]:
        """Run all steps, as a scan."""


class Library(NamedTuple):
    """What a ladder has to know of the library that it runs on."""

    name: str
    array_type: type
    address: Callable[[Any], int]  # of an array's first element
    # (rung, f, carry, xs, shared) -> what plays f, and keeps neither f nor the arrays alive;
    # raises `Unsupported`
    prepare: Callable[..., Player]
    rungs: tuple[str, ...]  # above PLAIN, the highest first


class Known(NamedTuple):
    """A player, and when it was asked for."""

    player: Player
    turn: int


class Ladder:
    """The scan of a record, and the rung on which it stands.

    Threads take turns: players have one memory, and libraries one handle.
    """

    def __init__(self, xp: Any, library: Library) -> None:
        self.library, self._rungs = library, (*library.rungs, PLAIN)
        self._highest = Rung(self._rungs[0], "")  # that has not failed
        self._as_written = python_scan(xp)
        self._players: WeakKeyDictionary[Any, dict[Any, Known]] = WeakKeyDictionary()
        self._refusals: WeakKeyDictionary[Any, dict[Any, str]] = WeakKeyDictionary()
        self._turns, self._lock = count(), RLock()
        self._body: Any = lambda: None  # the step that ran last
        self._ran: dict[str, tuple[int, str]] = {}  # its rungs: number of steps, and why not higher

    @property
    def rung(self) -> Rung:
        """On which rung most steps of the last loop's kind ran; the reason tells of the others."""
        ran = dict(self._ran)
        if not ran:
            return self._highest
        total, name = sum(n for n, _ in ran.values()), max(ran, key=lambda name: ran[name][0])
        others = [
            f"{n} of {total} steps ran {other}: {reason}"
            for other, (n, reason) in ran.items()
            if other != name
        ]
        return Rung(name, "; ".join(filter(None, [ran[name][1], *others])))

    def scan(self, f: Body, carry: Any, xs: Any, shared: Any) -> tuple[Any, tuple[Any, ...]]:
        """Run the loop on the highest rung that works."""
        arrays = tree_leaves((carry, xs, shared))
        is_ours = all(isinstance(array, self.library.array_type) for array in arrays)
        if not is_ours or not xs.shape[0]:
            return self._as_written(f, carry, xs, shared)
        plain = ""
        with self._lock:
            while self._highest.name != PLAIN:
                try:
                    answer = self._player(f, carry, xs, shared).play(carry, xs)
                except Unsupported as reason:
                    plain = f"no {self._rungs[0]} step for {reason}"
                    break
                except Exception as error:
                    if is_out_of_memory(error):  # no fault of a rung
                        raise
                    self._step_down(f"{type(error).__name__}: {error}")
                else:
                    self._note(f, xs.shape[0], self._highest)
                    return answer
            self._note(f, xs.shape[0], Rung(PLAIN, plain or self._highest.reason))
        return self._as_written(f, carry, xs, shared)

    def with_room(self, f: Function) -> Function:
        """Let f, which changes nothing, have the memory of all players where it lacks some."""

        @wraps(f)
        def call(*args: Any) -> Any:
            try:
                return f(*args)
            except Exception as error:
                if not is_out_of_memory(error) or not self._forget():
                    raise
            try:
                return f(*args)
            except Exception as error:
                if is_out_of_memory(error):
                    self._forget()
                raise

        return call

    def _forget(self) -> bool:
        """Let go of all players, and tell whether there were any."""
        with self._lock:
            had_some = any(self._players.values())
            self._players.clear()
        return had_some

    def _note(self, f: Body, n_steps: int, rung: Rung) -> None:
        if self._body() is not f:
            self._body, self._ran = ref(f), {}
        before, _ = self._ran.get(rung.name, (0, ""))
        self._ran[rung.name] = before + n_steps, rung.reason

    def _step_down(self, error: str) -> None:
        """Leave a rung, for all loops to come."""
        failed = self._highest
        lower = self._rungs[self._rungs.index(failed.name) + 1]
        reason = "; ".join(filter(None, [failed.reason, f"{failed.name} failed with {error}"]))
        self._highest = Rung(lower, reason)
        self._players.clear()
        self._ran = {}
        self._warn(f"steps are {lower} from now on: {failed.name} failed with {error}")

    def _player(self, f: Body, carry: Any, xs: Any, shared: Any) -> Player:
        """Return what plays f on such arrays."""
        arrays, data = tree_leaves((carry, xs, shared)), tree_leaves(shared)
        shapes = tuple((tuple(array.shape), str(array.dtype)) for array in arrays)
        refusals = self._refusals.setdefault(f, {})
        if shapes in refusals:
            raise Unsupported(refusals[shapes])
        key = shapes, tuple(self.library.address(array) for array in data)
        known = self._players.setdefault(f, {})
        if key in known:
            player = known[key].player
        else:
            self._drop_oldest()
            try:
                player = self.library.prepare(self._highest.name, f, carry, xs, shared)
            except Unsupported as reason:
                if len(refusals) >= KEPT_REFUSALS:
                    refusals.clear()
                refusals[shapes] = str(reason)  # the error itself would keep all arrays alive
                self._warn(f"runs a step operation by operation: it has nothing for {reason}")
                raise
        known[key] = Known(player, next(self._turns))
        return player

    def _drop_oldest(self) -> None:
        """Make place for a player."""
        found = [
            (entry.turn, known, key)
            for known in self._players.values()
            for key, entry in known.items()
        ]
        found.sort(key=lambda entry: entry[0])
        for _, known, key in found[: max(0, len(found) + 1 - KEPT)]:
            del known[key]

    def _warn(self, text: str) -> None:
        warn(f"{self.library.name} {text}.", RuntimeWarning)
