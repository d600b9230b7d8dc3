"""Tables whose cells are ruled: lines that cross each other make a grid, letters fall into it."""

import ctypes
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from llmops.tasks.plugins.parsers.markdown import markdown_table
from llmops.tasks.plugins.parsers.pdf.objects import Box, Drawn, box_of

THIN: Final = 3.0
"""Points: what is thinner is a line."""
LEAST: Final = 8.0
"""Points that a line has at least, and a cell on each side."""
NEAR: Final = 3.0
"""Points between lines that are one, and from the end of a line to one that it meets."""
MOST_PATHS: Final = 4000
MOST_LINES: Final = 2000
FILLED: Final = 0.3
"""Share of the cells with text from which on a grid is a table: charts have few."""


class Glyph(NamedTuple):
    """A character of a page, its `number` in the text layer, and its box."""

    text: str
    number: int
    box: Box


class Table(NamedTuple):
    """A table as Markdown, and the numbers of the letters that stand in it."""

    markdown: str
    letters: frozenset[int]


class Ruling(NamedTuple):
    """Where the lines of a table are: from left to right, and from top to bottom."""

    across: list[float]
    down: list[float]


def grids(things: Sequence[Drawn]) -> list[Ruling]:
    """The grids of at least two rows and two columns that the paths of a page draw; none where
    there are thousands: that is a drawing.
    """
    if len(things) > MOST_PATHS:
        return []
    level, upright = list[Box](), list[Box]()
    for thing in things:
        for box in _lines(thing):
            (upright if box[3] - box[1] > box[2] - box[0] else level).append(box)
            if len(level) + len(upright) > MOST_LINES:
                return []
    found = []
    for group in _groups(level, upright):
        across = _merged((box[0] + box[2]) / 2 for box in group if _is_upright(box))
        down = _merged((box[1] + box[3]) / 2 for box in group if not _is_upright(box))
        if len(across) > 2 and len(down) > 2:
            found.append(Ruling(across, down[::-1]))
    return found


def _lines(thing: Drawn) -> Iterator[Box]:
    """The lines that a path draws: it is one, or the sides of a rectangle are."""
    import pypdfium2.raw as pdfium

    left, bottom, right, top = box_of(thing)
    wide, high = right - left, top - bottom
    if min(wide, high) <= THIN:
        if max(wide, high) >= LEAST:
            yield left, bottom, right, top
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(thing.raw, fill, stroke)
    if pdfium.FPDFPath_CountSegments(thing.raw) not in (4, 5) or min(wide, high) < LEAST:
        return
    if stroke.value or fill.value:
        yield from ((left, y, right, y) for y in (bottom, top))
        yield from ((x, bottom, x, top) for x in (left, right))


def _is_upright(box: Box) -> bool:
    return box[3] - box[1] > box[2] - box[0]


def _groups(level: Sequence[Box], upright: Sequence[Box]) -> list[list[Box]]:
    """Lines that meet each other, directly or through others."""
    boxes = [*level, *upright]
    parent = list(range(len(boxes)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for n, one in enumerate(level):
        for m, other in enumerate(upright, len(level)):
            if (
                one[0] - NEAR <= other[2]
                and other[0] <= one[2] + NEAR
                and other[1] - NEAR <= one[3]
                and one[1] <= other[3] + NEAR
            ):
                parent[root(n)] = root(m)
    groups: dict[int, list[Box]] = {}
    for n, box in enumerate(boxes):
        groups.setdefault(root(n), []).append(box)
    return list(groups.values())


def _merged(values: Iterator[float]) -> list[float]:
    """Values in order, those that are near each other once."""
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > NEAR:
            kept.append(value)
    return kept


def tables(found: Sequence[Ruling], letters: Sequence[Glyph]) -> list[Table]:
    """The tables of a page: grids of which enough cells have text."""
    made = []
    for grid in found:
        cells: dict[tuple[int, int], list[Glyph]] = {}
        for letter in letters:
            if (place := _cell(grid, letter.box)) is not None:
                cells.setdefault(place, []).append(letter)
        rows, columns = len(grid.down) - 1, len(grid.across) - 1
        texts = [
            [_text(cells.get((row, column), [])) for column in range(columns)]
            for row in range(rows)
        ]
        filled = [row for row in texts if any(row)]
        used = sum(any(row[column] for row in texts) for column in range(columns))
        share = sum(bool(cell) for row in filled for cell in row) / max(1, len(filled) * used)
        if len(filled) > 1 and used > 1 and share >= FILLED:
            inside = frozenset(each.number for cell in cells.values() for each in cell)
            made.append(Table(markdown_table(texts), inside))
    return made


def _cell(grid: Ruling, box: Box) -> tuple[int, int] | None:
    """Row and column of what lies in a grid."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if not (grid.across[0] <= x <= grid.across[-1] and grid.down[-1] <= y <= grid.down[0]):
        return None
    row = next(n for n, line in enumerate(grid.down[1:]) if y >= line)
    column = next(n for n, line in enumerate(grid.across[1:]) if x <= line)
    return row, column


def _text(letters: Sequence[Glyph]) -> str:
    """The letters of a cell in the order of the text, with the blanks that divide its lines and
    words.
    """
    text, last = "", None
    for letter in letters:
        if last is not None and (letter.number != last.number + 1 or _below(letter, last)):
            text += " "
        text += letter.text
        last = letter
    return " ".join(text.split())


def _below(letter: Glyph, last: Glyph) -> bool:
    return letter.box[3] < last.box[1] + 1
