"""The masks of `fastmlp.core.dropout` in TensorFlow's own words: equations 33 to 35 once more."""

from __future__ import annotations

from typing import Any


def masks(
    tf: Any, seed: int, t: Any, rows: Any, widths: list[int], rates: tuple[float, ...], dtype: str
) -> list[Any]:
    """Return what the input and each hidden layer are multiplied by; 1.0 where nothing is left out.

    Parameters
    ----------
    tf : module
    seed : int
    t : () integer tensor
        Steps done before this one.
    rows : (n,) int32 tensor
        Numbers of the rows in the data.
    widths : list of int
        Units of the input and of each hidden layer.
    rates : tuple of float
    dtype : str
    """
    key = _scattered(tf, _scattered(tf, _unsigned(tf, seed)) + tf.cast(t, tf.uint32))
    rows = tf.cast(rows, tf.uint32)
    found: list[Any] = []
    for layer, (width, rate) in enumerate(zip(widths, rates, strict=True)):
        starts = _scattered(
            tf, _scattered(tf, key + _unsigned(tf, layer)) + tf.cast(rows, tf.uint32)
        )
        steps = tf.range(width, dtype=tf.int64) * 2654435769 % 2**32
        u = _scattered(tf, starts[:, None] + tf.cast(steps, tf.uint32)[None, :])
        signed = tf.bitcast(u, tf.int32)
        is_kept = signed > round(rate * 2**32) - 2**31 - 1
        found.append(tf.cast(is_kept, dtype) / tf.constant(1.0 - rate, dtype) if rate else 1.0)
    return found


def _scattered(tf: Any, v: Any) -> Any:
    v = _folded(tf, v, 16) * _unsigned(tf, 2146121005)
    v = _folded(tf, v, 15) * _unsigned(tf, 2221713035)
    return _folded(tf, v, 16)


def _folded(tf: Any, v: Any, bits: int) -> Any:
    return tf.bitwise.bitwise_xor(v, tf.bitwise.right_shift(v, _unsigned(tf, bits)))


def _unsigned(tf: Any, value: int) -> Any:
    return tf.constant(value % 2**32, tf.uint32)
