"""Sheets of a workbook: the cells by xberg, and what lies over them: text boxes, and charts that
are sheets of their own (SpreadsheetML and its drawings, ECMA-376 part 1, chapters 18 and 20.5).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers._containers import Package
from llmops.tasks.plugins.parsers._xberg import ExtractedPage
from llmops.tasks.plugins.parsers.office.comments import column_letters, section, sheet_comments
from llmops.tasks.plugins.parsers.office.elements import (
    child,
    children,
    named,
    number,
    text_of,
    value,
)
from llmops.tasks.plugins.parsers.office.hidden import Taken
from llmops.tasks.plugins.parsers.office.slides import chart, plain

if TYPE_CHECKING:
    from lxml import etree

    Rows = Mapping[int, Mapping[str | None, etree._Element]]

BOOK: Final = "xl/workbook.xml"
MERGED: Final = b"mergeCell "
RANGE: Final = re.compile(r"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})")
LARGEST: Final = 32 * 2**20
"""Bytes of a sheet whose merged cells are looked into: as a tree it takes ten times as much."""
MOST_FILLED: Final = 20_000
"""Merged cells that are repeated, in one sheet: beyond it they stay as they are."""


def read_sheets(
    data: bytes, pages: Sequence[ExtractedPage], *, comments: bool = False
) -> list[str]:
    """One text per sheet that says something: its name as a heading, its cells as a table, its text
    boxes and charts after it, last its `comments` if they are wanted.
    """
    package = Package(data) if data.startswith(b"PK") else None
    over = dict(_beside(package, comments)) if package and BOOK in package.names else {}
    sheets = []
    for page in pages:
        heading = f"## {page.name}"
        cells = page.text.removeprefix(heading).strip("\n")
        blocks = [block for block in (cells, *over.pop(page.name, ())) if block.strip()]
        sheets += ["\n\n".join([heading, *blocks])] if blocks else []
    return sheets + ["\n\n".join([f"## {name}", *texts]) for name, texts in over.items() if texts]


def arranged(package: Package) -> Taken:
    """The parts of a workbook that are to be changed for its reader (name -> root): without sheets
    of Excel 4 macros, which stop it, and with merged cells in every row and column that they span.
    """
    roots = {
        name: package.xml(name)
        for name in sorted(package.names)
        if name.startswith("xl/worksheets/") and _has_merged(package.raw(name))
    }
    for root in roots.values():
        _fill_spans(root)
    if any(name.startswith("xl/macrosheets/") for name in package.names):
        roots[BOOK] = _without_macro_sheets(package)
    return Taken(roots, [], bool(roots))


def _has_merged(sheet: bytes) -> bool:
    return len(sheet) <= LARGEST and MERGED in sheet


def _without_macro_sheets(package: Package) -> "etree._Element":
    book, parts = package.xml(BOOK), package.related(BOOK)
    for sheet in named(book, "sheet"):
        if parts.get(value(sheet, "id") or "", ("", ""))[1].startswith("xl/macrosheets/"):
            sheet.getparent().remove(sheet)
    return book


def _fill_spans(sheet: "etree._Element") -> None:
    """Give the cells of merged ranges what their first cells say."""
    rows = {
        number(row.get("r"), n): {cell.get("r"): cell for cell in children(row, "c")}
        for n, row in enumerate(named(sheet, "row"), 1)
    }
    filled = 0
    for merge in named(sheet, "mergeCell"):
        if span := RANGE.fullmatch(value(merge, "ref") or ""):
            columns = range(_column(span[1]), _column(span[3]) + 1)
            lines = range(int(span[2]), int(span[4]) + 1)
            filled += len(columns) * len(lines)
            if filled > MOST_FILLED:
                return
            _fill(rows, columns, lines)


def _fill(rows: "Rows", columns: range, lines: range) -> None:
    """One range. A title over a whole row is said once: there it is alone."""
    first = rows.get(lines.start, {}).get(f"{column_letters(columns.start)}{lines.start}")
    said = children(first, "v", "is")
    if first is None or not said:
        return
    letters = [column_letters(column) for column in columns]
    for line in lines:
        inside = {f"{each}{line}" for each in letters}
        cells = rows.get(line, {})
        if len(columns) > 1 and not any(
            len(cell) and _says(cell) for ref, cell in cells.items() if ref not in inside
        ):
            continue
        for ref in inside:
            if ref in cells and cells[ref] is not first:
                _take_over(cells[ref], first, said)


def _says(cell: "etree._Element") -> bool:
    return bool(children(cell, "v", "is"))


def _take_over(
    cell: "etree._Element", source: "etree._Element", said: "Sequence[etree._Element]"
) -> None:
    cell[:] = [deepcopy(each) for each in said]
    for name in ("t", "s"):
        cell.attrib.pop(name, None)
        if source.get(name) is not None:
            cell.set(name, source.get(name))


def _column(letters: str) -> int:
    """The number of a column, from 1: A is 1, AA is 27."""
    total = 0
    for letter in letters:
        total = total * 26 + ord(letter) - ord("A") + 1
    return total


def _beside(package: Package, comments: bool) -> Iterator[tuple[str, list[str]]]:
    """The sheets in their order, each with the texts that are drawn over its cells and its
    comments.
    """
    parts = package.related(BOOK)
    for sheet in named(package.xml(BOOK), "sheet"):
        part = parts.get(value(sheet, "id") or "", ("", ""))[1]
        name = value(sheet, "name") or ""
        texts = list(_texts(package, part)) if part in package.names else []
        if comments and part in package.names:
            texts += filter(None, [section(sheet_comments(package, BOOK, part), 3)])
        yield " ".join(name.split()), texts


def _texts(package: Package, sheet: str) -> Iterator[str]:
    for kind, drawing in package.related(sheet).values():
        if kind != "drawing" or drawing not in package.names:
            continue
        for shape in named(package.xml(drawing), "sp"):
            about = child(shape, "nvSpPr", "cNvPr")
            body = child(shape, "txBody")
            if body is not None and value(about, "hidden") not in ("1", "true"):
                yield text_of(body)
        if "/chartsheets/" in sheet:  # elsewhere a chart shows what stands in cells
            for kind_of_part, part in package.related(drawing).values():
                if kind_of_part == "chart" and part in package.names:
                    yield chart(plain(package.xml(part)))
