"""Tables whose cells are ruled: lines that cross each other make a grid, letters fall into it."""

import ctypes
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from llmops.tasks.plugins.parsers.markdown import markdown_table, rows_of_names
from llmops.tasks.plugins.parsers.pdf.objects import Box, Drawn, box_of
from llmops.tasks.plugins.parsers.pdf.spans import CellSpan, Ruling, spans

THIN: Final = 3.0
"""Points: what is thinner is a line."""
LEAST: Final = 8.0
"""Points that a line has at least, and a cell on each side."""
NEAR: Final = 3.0
"""Points between lines that are one, and from the end of a line to one that it meets."""
MOST_PATHS: Final = 4000
MOST_LINES: Final = 2000
SLACK: Final = 12.0
"""The same where there are no lines: columns reach as far as their longest cells."""
EDGE: Final = 0.25
"""Share of a page's height in which a table ends, or begins, that may go on over the page."""
LONGEST_VALUE: Final = 200
"""Characters of a merged cell that is repeated."""
FILLED: Final = 0.3
"""Share of the cells with text from which on a grid is a table: charts have few."""


class Glyph(NamedTuple):
    """A character of a page, its `number` in the text layer, and its box."""

    text: str
    number: int
    box: Box


Cells = dict[tuple[int, int], list[Glyph]]
"""Letters by row and column."""


class Table(NamedTuple):
    """A table: its grid, its cells by row and column, and the numbers of the letters in it."""

    grid: Ruling
    rows: list[list[str]]
    letters: frozenset[int]

    @property
    def markdown(self) -> str:
        return markdown_table(self.rows)


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
        sides = [box for box in group if _is_upright(box)]
        floors = [box for box in group if not _is_upright(box)]
        across = _merged((box[0] + box[2]) / 2 for box in sides)
        down = _merged((box[1] + box[3]) / 2 for box in floors)
        if len(across) > 2 and len(down) > 2:
            found.append(Ruling(across, down[::-1], floors, sides))
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
        cells: Cells = {}
        for letter in letters:
            if (place := _cell(grid, letter.box)) is not None:
                cells.setdefault(place, []).append(letter)
        rows, columns = len(grid.down) - 1, len(grid.across) - 1
        texts = [
            [text_in(cells.get((row, column), [])) for column in range(columns)]
            for row in range(rows)
        ]
        for span in spans(grid):
            _fill(texts, span, cells)
        filled = [row for row in texts if any(row)]
        used = sum(any(row[column] for row in texts) for column in range(columns))
        share = sum(bool(cell) for row in filled for cell in row) / max(1, len(filled) * used)
        if len(filled) > 1 and used > 1 and share >= FILLED:
            inside = frozenset(each.number for cell in cells.values() for each in cell)
            made.append(Table(grid, texts, inside))
    return made


def at_foot(made: Sequence[Table], height: float) -> Table | None:
    """The table that ends lowest, if that is near the foot of the page."""
    lowest = min(made, key=lambda table: table.grid.down[-1], default=None)
    near = lowest is not None and lowest.grid.down[-1] <= EDGE * height
    return lowest if near else None


def continued(made: Sequence[Table], before: Table | None, height: float) -> list[Table]:
    """The tables of a page, of which the one at its head may continue that of the page before, with
    the same columns: then the rows that name them are said again, if they are not there.
    """
    first = max(made, key=lambda table: table.grid.down[0], default=None)
    if before is None or first is None or first.grid.down[0] < (1 - EDGE) * height:
        return [*made]
    names = rows_of_names(before.rows)
    mine, its = first.grid.across, before.grid.across
    slack = NEAR if first.grid.upright else SLACK
    same = len(mine) == len(its) and all(
        abs(x - y) <= slack for x, y in zip(mine, its, strict=True)
    )
    if not same or not names or rows_of_names(first.rows):
        return [*made]
    whole = first._replace(rows=[*map(list, names), *first.rows])
    return [whole if table is first else table for table in made]


def _fill(texts: list[list[str]], span: CellSpan, cells: Cells) -> None:
    """A merged cell stands in every row and column that it spans; a title over a whole row, and
    what is longer than a value, is said once.
    """
    places = [(row, column) for row in span.rows for column in span.columns]
    inside = [letter for place in places for letter in cells.get(place, [])]
    if not inside or not _is_one(inside):
        return
    text = text_in(sorted(inside, key=lambda letter: letter.number))
    once = len(span.columns) == len(texts[0]) or len(text) > LONGEST_VALUE
    for place, (row, column) in enumerate(places):
        texts[row][column] = "" if once and place else text


def _is_one(letters: Sequence[Glyph]) -> bool:
    """Whether letters are one text: no gaps between them as there are between columns or rows."""
    inked = [letter for letter in letters if not letter.text.isspace()]
    inked.sort(key=lambda letter: (-round(letter.box[1]), letter.box[0]))
    for before, after in pairwise(inked):
        high = max(1.0, before.box[3] - before.box[1])
        if abs(before.box[1] - after.box[1]) < high / 2:
            apart = after.box[0] - before.box[2]
        else:
            apart = before.box[1] - after.box[3]
        if apart > high:
            return False
    return True


def _cell(grid: Ruling, box: Box) -> tuple[int, int] | None:
    """Row and column of what lies in a grid."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if not (grid.across[0] <= x <= grid.across[-1] and grid.down[-1] <= y <= grid.down[0]):
        return None
    row = next(n for n, line in enumerate(grid.down[1:]) if y >= line)
    column = next(n for n, line in enumerate(grid.across[1:]) if x <= line)
    return row, column


def text_in(letters: Sequence[Glyph]) -> str:
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
