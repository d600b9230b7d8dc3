"""The pictures of a monitor, as PNG, for MLflow."""

from collections.abc import Sequence
from math import ceil, isfinite
from typing import TYPE_CHECKING

from llmops.tasks.monitoring.figures import Drift, Kpi, Monitored
from llmops.tasks.monitoring.report_words import SHARES, amount, day
from llmops.tasks.pictures import BLUE, GREY, RED, figure, plain, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 110
COLUMNS, MOST = 4, 16
"""Charts in a row, and on a picture."""


def plots(monitored: Monitored) -> dict[str, bytes]:
    """File name -> PNG: the figures by day, and the drift by window; those that have nothing to
    show are left out.
    """
    curves = [each for each in monitored.kpis if sum(_known(value) for _, value in each.curve) > 1]
    drifts = [each for each in monitored.drifts if any(_known(value) for _, value in each.weeks)]
    made = {}
    if curves:
        made["kpis.png"] = _kpis(curves[:MOST])
    if drifts:
        made["drift.png"] = _drifts(drifts)
    return made


def _kpis(kpis: Sequence[Kpi]) -> bytes:
    rows = ceil(len(kpis) / COLUMNS)
    picture = figure(13, 2.4 * rows)
    grid = picture.subplots(rows, min(COLUMNS, len(kpis)), squeeze=False).flat
    for axes, kpi in zip(grid, kpis, strict=False):
        _kpi(axes, kpi)
    for axes in list(grid)[len(kpis) :]:
        axes.set_axis_off()
    return png(picture, DPI)


def _kpi(axes: "Axes", kpi: Kpi) -> None:
    scale = 100 if kpi.unit in SHARES else 1
    places = range(len(kpi.curve))
    values = [
        scale * value if value is not None and isfinite(value) else float("nan")
        for _, value in kpi.curve
    ]
    if kpi.interval:
        axes.axhspan(*(scale * end for end in kpi.interval), color=BLUE, alpha=0.12, linewidth=0)
    if _known(kpi.before):
        axes.axhline(scale * float(kpi.before or 0), color=GREY, linestyle="--", linewidth=1)
    axes.plot(places, values, color=BLUE, marker=".")
    shown = list(places)[:: max(1, ceil(len(kpi.curve) / 4))]
    axes.set_xticks(shown, [day(kpi.curve[place][0]) for place in shown], fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    label = kpi.label if len(kpi.label) <= 32 else f"{kpi.label[:31]}…"
    axes.set_title(f"{_dollars(label)}: {amount(kpi.value, kpi.unit)}", fontsize=9)
    plain(axes)


def _drifts(drifts: Sequence[Drift]) -> bytes:
    picture = figure(9, 3 * len(drifts))
    rows = picture.subplots(len(drifts), 1, squeeze=False)[:, 0]
    for axes, drift in zip(rows, drifts, strict=True):
        places = range(len(drift.weeks))
        values = [value if _known(value) else None for _, value in drift.weeks]
        heights = [float("nan") if value is None else value for value in values]
        unusual = [
            value is not None and drift.usual is not None and value > drift.usual
            for value in values
        ]
        axes.bar(places, heights, width=0.5, color=[RED if each else BLUE for each in unusual])
        if drift.usual is not None and isfinite(drift.usual):
            axes.axhspan(0, drift.usual, color=BLUE, alpha=0.12, linewidth=0)
        axes.set_xticks(list(places), [day(name) for name, _ in drift.weeks], fontsize=8)
        axes.set_ylabel("distance", fontsize=9)
        axes.set_title(f"{drift.what}: {drift.status}", fontsize=10)
        plain(axes)
    return png(picture, DPI)


def _known(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _dollars(text: str) -> str:
    """Dollar signs begin no formula."""
    return text.replace("$", r"\$")
