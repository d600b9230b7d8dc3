"""Tables of a web page as Markdown in which each row can be read by itself: a cell over several
rows or columns stands in each of them, and several rows of headings are one.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from llmops.tasks.plugins.parsers.html.inline import Inline
from llmops.tasks.plugins.parsers.markdown import LONGEST_TABLE, markdown_table, named_values

if TYPE_CHECKING:
    from lxml import etree


WIDEST: Final = 1000
MOST_CELLS: Final = 200_000
"""A table that would have more cells than that, when each spanning cell is repeated, is read
without repeating any."""
BLOCK: Final = 200
"""Words of a cell; with more it is no cell, but a part of the page's layout."""


class Cell(NamedTuple):
    """A cell as it stands in the page."""

    text: str
    heading: bool
    linked: int


EMPTY: Final = Cell("", False, 0)


def data_table(table: "etree._Element") -> bool:
    """Whether a table shows data, and does not only lay the page out: it has headings, or more
    than one row and column of short cells, and no table within.
    """
    rows = [[*_cells(row)] for row in table.iter("tr") if _owner(row) is table]
    cells = [cell for row in rows for cell in row]
    if table.get("role") in ("presentation", "none") or not cells:
        return False
    if table.find(".//table") is not None:
        return _named_around_tables(rows)
    if max(len(row) for row in rows) < 2 and not any(cell.tag == "th" for cell in cells):
        return False
    if any(cell.tag == "th" for cell in cells) or table.find("caption") is not None:
        return True
    structured = any(
        cell.find(".//h1") is not None or cell.find(".//h2") is not None for cell in cells
    )
    longest = max(sum(len(text) for text in cell.itertext()) for cell in cells)
    return len(rows) > 1 and not structured and longest < 6 * BLOCK


def _owner(row: "etree._Element") -> "etree._Element | None":
    return next(row.iterancestors("table"), None)


def _named_around_tables(rows: "Sequence[Sequence[etree._Element]]") -> bool:
    """Whether a table with tables in its cells has a row of headings and cells of values: then
    they are values, too.
    """
    short = all(
        sum(len(text) for text in cell.itertext()) < 6 * BLOCK for row in rows for cell in row
    )
    return short and len(rows) > 1 and len(rows[0]) > 1 and all(c.tag == "th" for c in rows[0])


def table_text(table: "etree._Element") -> tuple[str, int]:
    """(the table as Markdown, how many of its words stand in links); ("", 0) for an empty one."""
    rows = [row for row in table.iter("tr") if _owner(row) is table]
    rows.sort(key=lambda row: {"thead": 0, "tfoot": 2}.get(_section(row), 1))
    grid = _grid(rows)
    linked = sum(cell.linked for row in grid for cell in row)
    head = _heading_rows(rows, grid)
    if not head and all(_names_value(row) for row in grid):
        return "\n".join(f"- {row[0].text}: {row[1].text}" for row in grid), linked
    titles, columns = _named(grid[:head])
    body = [_once(row) for row in grid[head:]]
    table = markdown_table([*([columns] if columns else []), *body])
    if head and len(table) > LONGEST_TABLE:
        table = "\n".join(named_values(columns, row) for row in body if any(row))
    return "\n\n".join([*titles, *([table] if table else [])]), linked


def _heading_rows(rows: "Sequence[etree._Element]", grid: Sequence[Sequence[Cell]]) -> int:
    """How many rows, from the first, name the columns."""
    head = 0
    for row, line in zip(rows, grid, strict=True):
        named = all(cell.heading or not cell.text for cell in line)
        if not (named or _section(row) == "thead"):
            break
        head += 1
    return head if head < len(grid) or len(grid) == 1 else 1


def _names_value(row: Sequence[Cell]) -> bool:
    """Whether a row is a name and its value, as in a box beside an article."""
    return len(row) == 2 and row[0].heading and not row[1].heading and bool(row[0].text)


def _named(head: Sequence[Sequence[Cell]]) -> tuple[list[str], list[str]]:
    """(titles over the whole width, the names of the columns: "2026 / May" where two rows name
    them).
    """
    titles = [row[0].text for row in head if _is_title(row)]
    rows = [row for row in head if not _is_title(row)]
    width = max((len(row) for row in rows), default=0)
    columns = list[str]()
    for column in range(width):
        names = [row[column].text for row in rows if column < len(row)]
        columns.append(" / ".join(name for name in dict.fromkeys(names) if name))
    return titles, columns


def _is_title(row: Sequence[Cell]) -> bool:
    return len(row) > 1 and bool(row[0].text) and all(cell is row[0] for cell in row)


def _once(row: Sequence[Cell]) -> list[str]:
    """The texts of a row; one over the whole width is said once."""
    return [row[0].text] if _is_title(row) else [cell.text for cell in row]


def _section(row: "etree._Element") -> str:
    parent = row.getparent()
    return str(parent.tag) if parent is not None else ""


def _grid(rows: "Sequence[etree._Element]") -> list[list[Cell]]:
    """The cells by row and column, those that span several in each of them."""
    spans = [
        (_span(cell, "colspan"), _span(cell, "rowspan")) for row in rows for cell in _cells(row)
    ]
    repeated = sum(wide * min(high or len(rows), len(rows)) for wide, high in spans) <= MOST_CELLS
    grid: list[list[Cell]] = []
    reaching: dict[
        int, tuple[Cell, int]
    ] = {}  # column -> a cell from above, rows that it still takes
    for number, row in enumerate(rows):
        line, left = list[Cell](), len(rows) - number
        for cell in _cells(row):
            _from_above(line, reaching)
            wide, high = (_span(cell, "colspan"), _span(cell, "rowspan")) if repeated else (1, 1)
            shown = _read(cell)
            for column in range(len(line), len(line) + max(1, wide)):
                line.append(shown)
                if (high or left) > 1:
                    reaching[column] = (shown, (high or left) - 1)
        _from_above(line, reaching)
        grid.append(line)
    return grid


def _from_above(line: list[Cell], reaching: dict[int, tuple[Cell, int]]) -> None:
    """Fill the next columns with the cells that reach down into this row."""
    while len(line) in reaching:
        column = len(line)
        cell, rows = reaching.pop(column)
        line.append(cell)
        if rows > 1:
            reaching[column] = (cell, rows - 1)


def _cells(row: "etree._Element") -> "Iterator[etree._Element]":
    yield from row.iterchildren("td", "th")


def _span(cell: "etree._Element", name: str) -> int:
    given = (cell.get(name) or "1").strip()
    return min(int(given), WIDEST) if given.isascii() and given.isdigit() and len(given) < 9 else 1


def _read(cell: "etree._Element") -> Cell:
    run = Inline(plain=cell.tag == "th")
    run.element(cell)
    return Cell(" ".join(run.done().split()), cell.tag == "th", run.linked)
