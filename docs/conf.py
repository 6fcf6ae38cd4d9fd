"""Sphinx configuration."""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import fastmlp

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # of the benchmarks

project = "fastmlp"
copyright = "2026, the fastmlp developers"
version = release = fastmlp.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
html_theme = "furo"
# one file beside the pages, which draws formulas without a network
html_static_path = [str(files("mathjax") / "static/mathjax/es5/tex-svg.js"), "formulas.css"]
html_css_files = ["formulas.css"]
mathjax_path = "tex-svg.js"
html_title = f"fastmlp {version}"
exclude_patterns = ["_build"]


def setup(app: Any) -> None:
    """Fit the pages to Sphinx, and write the reports of published runs beside them."""

    def as_targets(app: Any, document: str, source: list[str]) -> None:
        # anchors of the equations, which GitHub reads as HTML, are targets to MyST
        source[0] = re.sub(r'<a id="(eq-\d+)"></a>', r"(\1)=", source[0])

    app.connect("source-read", as_targets)

    def with_reports(app: Any, error: Exception | None) -> None:
        from bench.suites.page import runs
        from fastmlp.bench import read
        from fastmlp.bench.report import write_report

        for machine, paths in runs(ROOT).items():
            write_report(read(paths[-1]), Path(app.outdir) / f"suites-{machine}.html")

    app.connect("build-finished", with_reports)
