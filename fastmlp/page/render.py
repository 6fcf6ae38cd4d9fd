"""From blocks to one HTML file that needs nothing else, neither files nor a network."""

from __future__ import annotations

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
