"""The main job: the same network on every backend, side by side."""

from __future__ import annotations

from fastmlp.compare.config import Config
from fastmlp.compare.results import Results, Run
from fastmlp.compare.run import compare

__all__ = ["Config", "Results", "Run", "compare"]
