"""From blocks to one HTML file that needs nothing else, neither files nor a network."""

from __future__ import annotations

import os
from pathlib import Path

from fastmlp.page.blocks import Page

HERE = Path(__file__).parent


def render(page: Page) -> str:
    """Fill the template ``page.html.j2``.

    Raises
    ------
    ImportError
        jinja2 is missing: ``pip install 'fastmlp[report]'``.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise ImportError(
            "The report is a jinja2 template; jinja2 is missing: pip install 'fastmlp[report]'"
        ) from error
    template = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    ).get_template("page.html.j2")
    return template.render(page=page, kind=lambda block: type(block).__name__)


def write(html: str, path: Path) -> None:
    """Write a page whole or not at all; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(html, encoding="utf-8")
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
