"""A backend whose library is not installed."""

from __future__ import annotations

from fastmlp.backends import Backend


def create(device: str | None, precision: str) -> Backend:
    import library_that_nobody_has  # noqa: F401

    raise AssertionError
