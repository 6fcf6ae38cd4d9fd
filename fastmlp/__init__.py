"""The multilayer perceptron, written once, trained on NumPy, JAX, CuPy and PyTorch."""

from __future__ import annotations

__version__ = "0.1.0"
