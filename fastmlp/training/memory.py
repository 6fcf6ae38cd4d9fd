"""Memory that a device does not have: told in one way, whatever the library calls it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from fastmlp.backends.memory import first_line, is_out_of_memory

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
        raise DeviceMemoryError(
            f"{self.name} on {self.device!r} has no memory left ({first_line(cause)}): try a "
            f"batch_size below {self.batch_size}, a smaller network, or X as uint8. The "
            f"weights of epoch {self.epoch} are kept."
        ) from cause

    return call  # type: ignore[return-value]
