"""The contenders: one file per library, each with its ``FORMS``."""

from __future__ import annotations

from bench.peers.adapters import (
    fastmlp_,
    floors,
    jax_,
    keras_,
    numpy_,
    onnx_,
    optax_,
    sklearn_,
    tensorflow_,
    thinc_,
    torch_,
    torch_manual,
)

_FILES = (
    *(fastmlp_, optax_, jax_, torch_, torch_manual, tensorflow_, keras_),
    *(onnx_, sklearn_, thinc_, numpy_, floors),
)
FORMS = tuple(form for file in _FILES for form in file.FORMS)
