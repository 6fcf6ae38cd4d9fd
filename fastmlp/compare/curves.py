"""Learning curves: loss and accuracy over the epochs, on training and on test data."""

from __future__ import annotations

from fastmlp.compare.cells import label
from fastmlp.compare.charts import Series, series
from fastmlp.compare.results import Results
from fastmlp.page.axes import draw_line, is_wide, log_axis, new_axes
from fastmlp.page.blocks import Chart
from fastmlp.page.svg import inline_svg
from fastmlp.page.text import number

PANELS = {
    "loss": "Training loss",
    "test_loss": "Test loss",
    "accuracy": "Training accuracy",
    "test_accuracy": "Test accuracy",
}
MARKED = 6  # markers on each curve, where there are epochs enough


def learning_curves(results: Results) -> list[Chart]:
    """One chart per quantity that any contender has a history of."""
    charts = []
    for name, title in PANELS.items():
        drawn = [one for one in series(results) if one.run.history.get(name)]
        if drawn:
            charts.append(_learning_curve(name, title, drawn))
    return charts


def _learning_curve(name: str, title: str, drawn: list[Series]) -> Chart:
    percent = name.endswith("accuracy")
    scale = 100 if percent else 1
    curves = [[scale * value for value in one.run.history[name]] for one in drawn]
    rows = _rows(curves)
    head = ["epoch", *(label(one.run) for one in drawn)]
    return Chart(
        title,
        _draw(name, title, drawn, curves, _said(head, rows)),
        distance(curves, " points" if percent else ""),
        head,
        rows,
    )


def _draw(name: str, title: str, drawn: list[Series], curves: list[list[float]], said: str) -> str:
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_axes(2.9)
    epochs = max(map(len, curves))
    every = max(len(drawn), epochs // MARKED)
    for place, (one, curve) in enumerate(zip(drawn, curves, strict=True)):
        # each contender marks epochs of its own, so that no marker hides another
        start = place * every // len(drawn) % len(curve)
        # single points would hide each other: they stand side by side
        aside = 0.08 * (place - (len(drawn) - 1) / 2) if epochs == 1 else 0.0
        x = [epoch + aside for epoch in range(1, len(curve) + 1)]
        draw_line(axes, one.style, x, curve, (start, every))
    values = [value for curve in curves for value in curve]
    log = not name.endswith("accuracy") and is_wide(values)
    if log:
        log_axis(axes.yaxis, axes.set_yscale, values)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if epochs == 1:
        axes.set_xticks([1])
    margin = 0.5 if epochs == 1 else 0.03 * epochs
    axes.set_xlim(1 - margin, epochs + margin)
    axes.set_xlabel("epoch")
    quantity = "accuracy, %" if name.endswith("accuracy") else "loss"
    axes.set_ylabel(f"{quantity} (log scale)" if log else quantity)
    axes.grid(visible=True)
    return inline_svg(figure, name.replace("_", "-"), f"{title} per epoch", said)


def distance(curves: list[list[float]], unit: str) -> str:
    """Say how far apart the curves are where they are furthest apart.

    Examples
    --------
    >>> distance([[2.0, 1.0], [2.0, 1.25]], "")
    'Largest distance between two contenders: 0.25.'
    """
    if len(curves) < 2:
        return ""
    # a run that was cut off has fewer epochs
    widest = max(max(values) - min(values) for values in zip(*curves, strict=False))
    if widest == 0.0:
        return "No difference between contenders in any epoch."
    return f"Largest distance between two contenders: {widest:.2g}{unit}."


def _rows(curves: list[list[float]]) -> list[list[str]]:
    return [
        [str(row + 1), *(number(curve[row] if row < len(curve) else None, 4) for curve in curves)]
        for row in range(max(map(len, curves)))
    ]


def _said(head: list[str], rows: list[list[str]]) -> str:
    lines = (f"epoch {row[0]}: " + _pairs(head[1:], row[1:]) for row in (rows[0], rows[-1]))
    return "; ".join(dict.fromkeys(lines)) + ". All epochs stand in the table below."


def _pairs(names: list[str], values: list[str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
