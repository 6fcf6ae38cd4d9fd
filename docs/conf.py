"""Sphinx configuration."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import fastmlp

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
    """Make the anchors of the equations targets that MyST knows; GitHub reads them as HTML."""

    def as_targets(app: Any, document: str, source: list[str]) -> None:
        source[0] = re.sub(r'<a id="(eq-\d+)"></a>', r"(\1)=", source[0])

    app.connect("source-read", as_targets)
