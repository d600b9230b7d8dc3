"""Lines that lie somewhere on a page, in the order in which a person reads them."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final, NamedTuple

COLUMN: Final = 0.25
"""Share of a region's width that the lines of a column have at least."""
FEWEST: Final = 3
"""Lines of a column."""
GAP: Final = 0.9
"""White space between blocks, in heights of a line."""


class TextLine(NamedTuple):
    """A text and its box; y grows downwards."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


def ordered(lines: Sequence[TextLine]) -> list[str]:
    """The texts in reading order, what stands side by side in one line; "" between blocks.

    Columns are read one after the other where they are wide enough to be text. Narrow ones are a
    table or a form, which is read row by row.
    """
    texts: list[str] = []
    for block in _blocks(list(lines)):
        texts += [""] if texts else []
        texts += _rows(block)
    return texts


def _blocks(lines: list[TextLine]) -> Iterator[list[TextLine]]:
    """Regions of a page: cut between columns where that is possible, else at white space from side
    to side, if columns follow.
    """
    if len(lines) < 2 * FEWEST:
        yield lines
        return
    height = median(line.bottom - line.top for line in lines)
    if columns := _columns(lines, height):
        for column in columns:
            yield from _blocks(column)
        return
    parts = _parts(lines, height)
    if len(parts) == 1:
        yield lines
        return
    for part in _without_needless_cuts(parts, height):
        yield from _blocks(part) if len(part) < len(lines) else iter([part])


def _without_needless_cuts(parts: list[list[TextLine]], height: float) -> list[list[TextLine]]:
    """Neighbouring parts that together are columns belong together: a gap between paragraphs may
    run through all columns.
    """
    merged: list[list[TextLine]] = []
    for part in parts:
        if merged and _columns(merged[-1] + part, height) and _columns(part, height):
            merged[-1] = merged[-1] + part
        else:
            merged.append(part)
    return merged


def _columns(lines: list[TextLine], height: float) -> list[list[TextLine]]:
    """Left and right of the first gutter that has text on both sides; [] where there is none."""
    whole = max(line.right for line in lines) - min(line.left for line in lines)
    by_left = sorted(lines, key=lambda line: line.left)
    reach = by_left[0].right
    for place, line in enumerate(by_left):
        if line.left - reach >= height:
            sides = by_left[:place], by_left[place:]
            if all(
                len(side) >= FEWEST
                and median(each.right - each.left for each in side) >= COLUMN * whole
                for side in sides
            ):
                return [list(side) for side in sides]
        reach = max(reach, line.right)
    return []


def _parts(lines: list[TextLine], height: float) -> list[list[TextLine]]:
    """Cut at white space from side to side."""
    by_top = sorted(lines, key=lambda line: line.top)
    parts, reach = [[by_top[0]]], by_top[0].bottom
    for line in by_top[1:]:
        if line.top - reach >= GAP * height:
            parts.append([])
        parts[-1].append(line)
        reach = max(reach, line.bottom)
    return parts


def _rows(lines: list[TextLine]) -> list[str]:
    """What overlaps in height stands in one line, from left to right; "" where a gap is."""
    texts: list[str] = []
    row: list[TextLine] = []
    for line in sorted(lines, key=lambda line: (line.top + line.bottom) / 2):
        middle = (line.top + line.bottom) / 2
        if row and not any(other.top < middle < other.bottom for other in row):
            texts.append(_joined(row))
            height = line.bottom - line.top
            texts += [""] if line.top - max(other.bottom for other in row) > GAP * height else []
            row = []
        row.append(line)
    return [*texts, _joined(row)] if row else texts


def _joined(row: list[TextLine]) -> str:
    return " ".join(line.text for line in sorted(row, key=lambda line: line.left))
