"""The pictures of a data set's card, as PNG."""

from collections.abc import Mapping

from llmops.tasks.datasets.training.profile import EDGES, RowProfile
from llmops.tasks.datasets.training.publishing import RowCounts
from llmops.tasks.pictures import BLUE, GREY, RED, figure, plain, png

MOST = 12
"""Bars of one picture; what is rarer is one bar together."""


def plots(profile: RowProfile, counts: RowCounts) -> dict[str, bytes]:
    """File name -> PNG: what became of the rows, lengths, languages and sources."""
    return {
        "rows.png": _rows(counts),
        "lengths.png": _lengths(profile),
        "languages.png": _bars(
            {"language": profile.languages, "source": profile.sources, "score": profile.scores}
        ),
    }


def _rows(counts: RowCounts) -> bytes:
    """From all that was collected to what is left, step by step."""
    picture = figure(9, 3.6)
    axes = picture.subplots()
    steps = [
        ("collected", counts.collected, GREY),
        *(
            (name.replace("_", "-"), getattr(counts, name), RED)
            for name in ("rejected", "duplicates", "near_duplicates", "contaminated")
        ),
        *((name, getattr(counts, name), BLUE) for name in ("train", "validation", "test")),
    ]
    left, total = counts.collected, counts.collected
    for place, (name, count, colour) in enumerate(steps):
        if name == "collected":
            start = 0
        else:
            start = left - count
            left = start
        axes.barh(place, count, left=start, color=colour)
        axes.text(start + count + total * 0.01, place, f"{count:,}", va="center", fontsize=9)
    axes.set_yticks(range(len(steps)), [name for name, _, _ in steps])
    axes.invert_yaxis()
    axes.set_xlim(0, max(total, 1) * 1.1)
    axes.set_xlabel("rows")
    plain(axes)
    return png(picture)


def _lengths(profile: RowProfile) -> bytes:
    picture = figure(9, 3.2)
    both = picture.subplots(1, 2)
    parts = {"conversation": profile.tokens, "answer": profile.answers}
    for axes, (name, counts) in zip(both, parts.items(), strict=True):
        last = max(counts, default=0)
        edges = [edge for edge in EDGES if edge <= last]
        axes.bar(range(len(edges)), [counts.get(edge, 0) for edge in edges], color=BLUE)
        axes.set_xticks(range(len(edges)), [f"{edge:,}" for edge in edges], rotation=60, fontsize=8)
        axes.set_xlabel(f"tokens of the {name}, from")
        axes.set_ylabel("rows")
        plain(axes)
    return png(picture)


def _bars(parts: Mapping[str, Mapping[str, int]]) -> bytes:
    picture = figure(11, 3.2)
    for axes, (name, counts) in zip(picture.subplots(1, len(parts)), parts.items(), strict=True):
        shown = dict(list(counts.items())[:MOST])
        if rest := sum(counts.values()) - sum(shown.values()):
            shown["others"] = rest
        axes.barh(range(len(shown)), list(shown.values()), color=BLUE)
        labels = [each if len(each) <= 24 else f"{each[:23]}…" for each in shown]
        axes.set_yticks(range(len(shown)), labels, fontsize=9)
        axes.invert_yaxis()
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("rows")
        plain(axes)
    return png(picture)
