"""Memory that a device does not have: told in one way, whatever the library calls it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from fastmlp.backends.memory import first_line, is_out_of_memory
from fastmlp.training.placed import dtype_name

F = TypeVar("F", bound=Callable[..., Any])


class DeviceMemoryError(MemoryError):
    """A device, or the host, has no room for what was asked; the trainer is as it was before."""


def tells_of_memory(method: F) -> F:
    """Let a trainer's method raise `DeviceMemoryError` where the library runs out of memory."""

    @wraps(method)
    def call(self: Any, *args: Any, **settings: Any) -> Any:
        try:
            return method(self, *args, **settings)
        except DeviceMemoryError:
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            # without its frames, which hold the arrays that there was no room for
            cause = error.with_traceback(None)
        X = args[0] if args else settings.get("X")
        advice = _advice(method.__name__, self, X)
        kept = f" The weights of epoch {self.epoch} are kept." if self.epoch else ""
        raise DeviceMemoryError(
            f"{self.name} on {self.device!r} has no memory left ({first_line(cause)}): try "
            f"{', '.join(advice[:-1])}{' or ' if advice[1:] else ''}{advice[-1]}.{kept}"
        ) from cause

    return call  # type: ignore[return-value]


def _advice(name: str, trainer: Any, X: Any) -> list[str]:
    """Return what takes less memory, of what the method takes memory for."""
    data = getattr(X, "arrays", None)  # of data that have been placed
    X = X if data is None else data.X
    bytes_for = ["X as uint8"] * (hasattr(X, "dtype") and dtype_name(X) != "uint8")
    smaller = ["dtype='float32'"] * (trainer.dtype == "float64")
    if name in ("__init__", "set_params", "params"):
        return [*smaller, "a smaller network"]
    if name in ("place", "minimize"):
        return [*bytes_for, *smaller, "fewer rows"]
    if name == "train":
        below = [f"a batch_size below {trainer.batch_size}"] * (trainer.batch_size > 1)
        return [*below, *smaller, *bytes_for, "a smaller network"]
    n, most = X.shape[0], trainer.backend.block_rows
    return [*smaller, f"fewer than {min(n, most)} rows at a time" if n > 1 else "a smaller network"]
