"""What the suites of ``bench/`` measured: read, compared, written for people.

The suites themselves live in a checkout of the repository; their figures, a JSON file of
pytest-benchmark's form, can be read anywhere.
"""

from __future__ import annotations

from fastmlp.bench.comparison import Change, Comparison, compare
from fastmlp.bench.document import Document, Figure, read

__all__ = ["Change", "Comparison", "Document", "Figure", "compare", "read"]
