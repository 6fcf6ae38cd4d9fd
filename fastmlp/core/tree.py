"""Nested tuples of arrays: parameters, gradients, optimizer states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def tree_map(f: Callable[..., Any], *trees: Any) -> Any:
    """Apply f to the leaves of equally nested tuples; the first one gives the structure.

    Examples
    --------
    >>> tree_map(lambda v, w: v + w, (1, (2, 3)), (10, (20, 30)))
    (11, (22, 33))
    """
    first = trees[0]
    if not isinstance(first, tuple):
        return f(*trees)
    branches = [tree_map(f, *branch) for branch in zip(*trees, strict=True)]
    return type(first)(*branches) if hasattr(first, "_fields") else tuple(branches)


def tree_leaves(tree: Any) -> list[Any]:
    """List the leaves of nested tuples, from the left.

    Examples
    --------
    >>> tree_leaves((1, (2, 3)))
    [1, 2, 3]
    """
    if not isinstance(tree, tuple):
        return [tree]
    return [leaf for branch in tree for leaf in tree_leaves(branch)]
