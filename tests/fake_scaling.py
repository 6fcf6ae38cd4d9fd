"""Two backends and a floor, one of the backends not installed: a module with ``FORMS``."""

from __future__ import annotations

from bench.peers.adapters.floors import FORMS as FLOORS
from bench.peers.adapters.numpy_ import Loop
from bench.peers.problem import Contender, Form, Problem


def _absent(problem: Problem) -> Contender:
    raise ModuleNotFoundError("No module named 'jax'")


FORMS = (
    Form("fastmlp:numpy", "fastmlp", "numpy", "made for tests", Loop),
    Form("fastmlp:jax", "fastmlp", "jax", "made for tests", _absent),
    FLOORS[0],
)
