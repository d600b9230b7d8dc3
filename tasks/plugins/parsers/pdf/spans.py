"""Cells of a ruled table that span several rows or columns: no line divides them."""

from typing import Final, NamedTuple

from llmops.tasks.plugins.parsers.pdf.objects import Box

BESIDE: Final = 3.0
"""Points between a line and the place in the grid that it stands for."""
MOST_CELLS: Final = 50_000
"""Cells of a grid that is looked into."""


class Ruling(NamedTuple):
    """Where the lines of a table are: from left to right, and from top to bottom. `level` and
    `upright`: the lines themselves.
    """

    across: list[float]
    down: list[float]
    level: list[Box]
    upright: list[Box]


class CellSpan(NamedTuple):
    """The rows and columns of a merged cell, from 0."""

    rows: range
    columns: range


def spans(grid: Ruling) -> list[CellSpan]:
    """The merged cells of a grid: rectangles of more than one cell without a line in them. None
    where most lines of the grid are missing: it is a drawing, whose lines do not belong together.
    """
    rows, columns = len(grid.down) - 1, len(grid.across) - 1
    if rows * columns > MOST_CELLS:
        return []
    group = {place: [place] for place in ((r, c) for r in range(rows) for c in range(columns))}
    for row in range(rows):
        for column in range(columns):
            here = (row, column)
            if column + 1 < columns and not _side(grid, row, column + 1):
                _join(group, here, (row, column + 1))
            if row + 1 < rows and not _floor(grid, row + 1, column):
                _join(group, here, (row + 1, column))
    whole = list({id(cells): cells for cells in group.values()}.values())
    if 2 * len(whole) < rows * columns:
        return []
    found = []
    for cells in (cells for cells in whole if len(cells) > 1):
        lines, places = ({cell[n] for cell in cells} for n in (0, 1))
        span = CellSpan(range(min(lines), max(lines) + 1), range(min(places), max(places) + 1))
        if len(span.rows) * len(span.columns) == len(cells):
            found.append(span)
    return found


def _join(
    group: dict[tuple[int, int], list[tuple[int, int]]],
    one: tuple[int, int],
    other: tuple[int, int],
) -> None:
    more, fewer = sorted((group[one], group[other]), key=len, reverse=True)
    if more is not fewer:
        more += fewer
        group.update(dict.fromkeys(fewer, more))


def _side(grid: Ruling, row: int, line: int) -> bool:
    """Whether a line is drawn at that place from left to right, beside that row."""
    x, y = grid.across[line], (grid.down[row] + grid.down[row + 1]) / 2
    return any(
        abs((box[0] + box[2]) / 2 - x) <= BESIDE and box[1] <= y <= box[3] for box in grid.upright
    )


def _floor(grid: Ruling, line: int, column: int) -> bool:
    """Whether a line is drawn at that place from top to bottom, in that column."""
    x, y = (grid.across[column] + grid.across[column + 1]) / 2, grid.down[line]
    return any(
        abs((box[1] + box[3]) / 2 - y) <= BESIDE and box[0] <= x <= box[2] for box in grid.level
    )
