"""The plots of the page: a panel for each measure, a bar for each system."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.report.page import number
from benchmarks.report.records import Part, Record

mpl.use("svg")
OURS, PEER, SPREAD = "#2a6fb0", "#b9c0c8", "#30363d"
WORDS = {"less": "less is better", "more": "more is better"}
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "svg.hashsalt": "benchmarks",  # the same figures make the same file
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


def plot(part: Part, folder: Path) -> Path | None:
    """`NAME.svg`; None for a part without one."""
    wanted = [part.measures[name] for name in part.plot if name in part.measures]
    if not wanted:
        return None
    import matplotlib.pyplot as plt

    rows = (len(wanted) + 1) // 2
    tallest = max(map(len, wanted))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows,
            2 if len(wanted) > 1 else 1,
            figsize=(9, rows * (0.75 + 0.33 * tallest)),
            squeeze=False,
            facecolor="white",
        )
        for panel, records in zip(axes.flat, wanted, strict=False):
            draw(panel, records)
        for panel in axes.flat[len(wanted) :]:
            panel.set_visible(False)
        figure.tight_layout(w_pad=2.5, h_pad=2)
        file = folder / f"{part.name}.svg"
        figure.savefig(file, metadata={"Date": None})
        plt.close(figure)
    return file


def draw(panel: Any, records: list[Record]) -> None:
    """Bars are medians, lines reach from the least to the most."""
    medians = [each.median for each in records]
    below = [each.median - min(each.rounds) for each in records]
    above = [max(each.rounds) - each.median for each in records]
    places = range(len(records))
    panel.barh(
        places,
        medians,
        height=0.62,
        color=[OURS if each.ours else PEER for each in records],
        xerr=(below, above),
        error_kw={"ecolor": SPREAD, "elinewidth": 1, "capsize": 2.5},
    )
    longest = max(max(each.rounds) for each in records)
    for place, record in zip(places, records, strict=True):
        said = f"{number(record.median)} {record.unit}".strip()
        panel.text(max(record.rounds) + longest * 0.025, place, said, va="center")
    panel.set_yticks(places, [each.system for each in records])
    panel.tick_params(axis="y", length=0)
    panel.set_xlim(0, longest * 1.28)
    panel.invert_yaxis()
    panel.set_xticks([])
    panel.spines["bottom"].set_visible(False)
    panel.set_title(f"{records[0].name} ({WORDS[records[0].better]})", loc="left", fontsize=9.5)
