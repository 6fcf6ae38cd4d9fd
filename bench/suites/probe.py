"""A fixed piece of work beside each round: what slows it down slows down everything here.

It is a product of two matrices by NumPy, whoever is measured, so it tells how fast the machine is
at that moment, not how fast a library is.
"""

from __future__ import annotations

import time

import numpy as np

# So small that no BLAS divides it among threads, which wait for each other where a library's own
# threads still spin; 10 to 50 ms in all, long against the clock and short against a round.
SIZE, REPEATS = 64, 3000


class Probe:
    """Two matrices, and the time that their product takes."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._a, self._b = (rng.normal(size=(SIZE, SIZE)).astype(np.float32) for _ in range(2))
        self.measure_s()  # threads start, caches fill

    def measure_s(self) -> float:
        """Return the time of `REPEATS` products in seconds."""
        started = time.perf_counter()
        for _ in range(REPEATS):
            self._a @ self._b
        return time.perf_counter() - started
