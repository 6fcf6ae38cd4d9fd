"""What a backend is: a frozen record of an array namespace and what goes with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastmlp.core.arrays import Array, Namespace
from fastmlp.core.step import Recipe
from fastmlp.core.tree import tree_map

# After so many steps a slower program has cost about as much time as a faster one takes to compile
# (JAX on a CPU, networks of the size of the digits').
HOT_STEPS = 2**16

# Rows of a block on a GPU: their activations are nothing to its memory.
GPU_BLOCK_ROWS = 2**16

Function = Callable[..., Any]
Body = Callable[[Any, Array, Any], tuple[Any, tuple[Array, ...]]]  # (carry, x, shared)


# How float32 is multiplied on request. "tf32" keeps 10 bits of each factor and "bfloat16" 7, sums
# are float32; products of float64 are float64 under each of them.
PRECISIONS = ("float32", "tf32", "bfloat16")


class Rung(NamedTuple):
    """The way in which a loop was run, and why not in a faster one."""

    name: str
    reason: str


class Many(NamedTuple):
    """How a library computes the same for many networks at once."""

    vmap: Callable[[Function, Any], Function]
    scan: Callable[[Body, Any, Array, Any], tuple[Any, tuple[Array, ...]]]


class BackendUnavailableError(RuntimeError):
    """A backend that cannot run here; the message says why and what to do about it."""

    def __init__(self, name: str, reason: str, hint: str) -> None:
        super().__init__(f"backend {name!r} is not available: {reason}. {hint}")
        self.name, self.reason, self.hint = name, reason, hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the three parts, so that the error crosses process borders."""
        return type(self), (self.name, self.reason, self.hint)


def check_precision(name: str, device: str, precision: str, *offered: str) -> None:
    """Raise BackendUnavailableError unless float32 can be multiplied so: it is never ignored."""
    if precision not in ("float32", *offered):
        known = ("float32", *offered)
        raise BackendUnavailableError(
            name,
            f"precision={precision!r} is not one of its own on device {device!r}, expected "
            + (f"one of {known}" if offered else f"{known[0]!r}"),
            "Leave precision out, or take a GPU"
            + (" with another backend: 'jax', 'cupy' or 'torch'" if name == "numpy" else ""),
        )


@dataclass(frozen=True, eq=False)
class Backend:
    """An array library on a device; made by a factory, compared by identity.

    Attributes
    ----------
    name, device : str
        For tables and messages.
    precision : str
        How it multiplies float32, out of `PRECISIONS`.
    xp : array namespace
        Of the Python array API standard; the formulas get it as their first argument.
    jit : callable
        ``jit(f)`` makes of the pure function f what runs here: compiled where the library can,
        else inside the library's own scope. At build time only.
    jit_hot : callable
        ``jit_hot(f)``: as jit, for an f that has run `HOT_STEPS` steps: may take longer to compile
        and be faster then, rounding included. Left out, jit's own program goes on.
    scan : callable
        ``scan(f, carry, xs, shared)`` calls ``carry, ys = f(carry, xs[i, ...], shared)`` for every
        i and returns the last carry and the stacked ys. `python_scan` says it in Python. All that
        f reads comes through its arguments, so that what was compiled for f can be used again;
        row numbers in xs must be in range, for libraries differ in what they make of others.
    to_device : callable
        ``to_device(host, dtype)``: a NumPy array as an array of this backend, a copy where the
        library needs one; dtype is a NumPy dtype name.
    to_host : callable
        ``to_host(array)``: a NumPy array back, a copy. These two are the only ways across.
    sync : callable
        ``sync(tree)`` waits until the arrays are computed; only timing code needs it.
    tune : callable
        ``tune(recipe)``: the recipe with rows of the core's tables replaced by forms that run
        faster on this library and give the same numbers. Left out, the recipe itself.
    rung : callable
        ``rung()`` tells in which way the last scan ran, where there are several.
    block_rows : int
        Rows whose activations lie in memory at a time: larger batches are learnt from, and data
        are predicted, in blocks of so many.
    column_block : int
        Columns of X that are zero in every row of the data are left out of training, as long as a
        multiple of so many columns remains; 0 keeps X as it lies, uncopied. The weights come out
        the same.
    ahead : int
        Epochs that are started before the report of an earlier one is read: 1 where the library
        computes while Python goes on.
    many : Many, optional
        ``many.vmap(f, axes)``: f of many cases at once; each argument has them along a new first
        axis where axes holds 0, or one for all of them where it holds None, with nested tuples for
        the parts of an argument; so has what comes back. Cases do not touch each other. To be given
        to jit. f is the formulas as they stand, without tune, in a loop by ``many.scan``, which is
        a scan that vmap is fast at. Left out, many networks are trained one after the other.
    """

    name: str
    device: str
    xp: Namespace
    jit: Callable[[Function], Function]
    scan: Callable[[Body, Any, Array, Any], tuple[Any, tuple[Array, ...]]]
    to_device: Callable[[Any, str], Array]
    to_host: Callable[[Any], Any]
    sync: Callable[[Any], None]
    jit_hot: Callable[[Function], Function] | None = None
    tune: Callable[[Recipe], Recipe] = lambda recipe: recipe
    rung: Callable[[], Rung] = lambda: Rung("", "")
    precision: str = "float32"
    block_rows: int = 1024
    column_block: int = 0
    ahead: int = 0
    many: Many | None = None

    def __deepcopy__(self, memo: Any) -> Backend:
        """Return the record itself: it is frozen, and programs are compiled for it."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as what it was asked for by: the other process makes its own."""
        from fastmlp.backends.registry import get_backend

        return get_backend, (self.name, self.device, self.precision)

    def place(self, tree: Any, dtype: str) -> Any:
        """Nested tuples of host arrays, all of one dtype, on the device."""
        return tree_map(lambda host: self.to_device(host, dtype), tree)

    def fetch(self, tree: Any) -> Any:
        """Nested tuples of device arrays, on the host."""
        return tree_map(self.to_host, tree)


def python_scan(
    xp: Namespace,
) -> Callable[[Body, Any, Array, Any], tuple[Any, tuple[Array, ...]]]:
    """Return the scan of a library that runs each operation when it is called."""

    def scan(f: Body, carry: Any, xs: Array, shared: Any) -> tuple[Any, tuple[Array, ...]]:
        ys = []
        for i in range(xs.shape[0]):
            carry, y = f(carry, xs[i, ...], shared)
            ys.append(y)
        return carry, tuple(xp.stack(column) for column in zip(*ys, strict=True))

    return scan
