"""A matplotlib figure as SVG that lives inside a page: its colours and its font are the page's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, made for colour-blind readers; report.css makes each a little darker on a
# white ground and brighter on a dark one.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#56b4e9", "#cc79a7", "#e69f00", "#7f7f7f")
INK = "#010203"  # stands for the colour of the text around the figure
GRID = "#040506"
_CSS_COLOURS = {INK: "currentColor", GRID: "var(--line)"} | {
    colour: f"var(--series-{index})" for index, colour in enumerate(SERIES)
}
_HEAD = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>')
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_FONT = re.compile(r"font: ([\d.]+px) [^;\"]*")


@contextmanager
def drawing() -> Iterator[None]:
    """Style of all figures, for as long as they are drawn; the user's own style stays out."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError(
            "The report draws with matplotlib, which is missing: pip install 'fastmlp[report]'"
        ) from error
    inks = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    style: dict[Any, Any] = {
        **dict.fromkeys(inks, INK),
        "axes.axisbelow": True,
        "axes.linewidth": 0.6,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "font.size": 9.5,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "svg.fonttype": "none",
        "svg.hashsalt": "fastmlp",
        "text.parse_math": False,
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style)
        yield


def inline_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """Write a figure as an SVG element without links, dates or colours of its own.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn with the colours `SERIES`, `INK` and `GRID` under `drawing`.
    name : str
        Prefix of all ids, unlike that of any other figure of the page.
    title, description : str
        What a screen reader says instead of the picture.
    """
    written = StringIO()
    figure.savefig(written, format="svg", transparent=True)
    svg = written.getvalue()
    svg = _METADATA.sub("", svg[svg.index("<svg") :])
    svg = svg.replace(' id="', f' id="{name}-').replace("url(#", f"url(#{name}-")
    svg = svg.replace('xlink:href="#', f'href="#{name}-')
    svg = _FONT.sub(r"font-size: \1", svg)
    for colour, variable in _CSS_COLOURS.items():
        svg = svg.replace(colour, variable)
    words = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
    about = f'role="img" aria-label="{escape(title)}"'
    return _HEAD.sub(lambda match: f'<svg viewBox="{match[1]}" {about}>{words}', svg, count=1)
