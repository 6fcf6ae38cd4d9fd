"""The parity certificate: the same training on every backend, and how far each is from NumPy."""

from __future__ import annotations

from fastmlp.certificate.measure import REFERENCE, parity
from fastmlp.certificate.result import Missing, Parity, ParityError, Row
from fastmlp.certificate.training import Training

__all__ = ["REFERENCE", "Missing", "Parity", "ParityError", "Row", "Training", "parity"]
