"""Sheets of a workbook: the cells by xberg, and what lies over them: text boxes, and charts that
are sheets of their own (SpreadsheetML and its drawings, ECMA-376 part 1, chapters 18 and 20.5).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers._containers import Package
from llmops.tasks.plugins.parsers._xberg import Page
from llmops.tasks.plugins.parsers.office.elements import child, named, text_of, value
from llmops.tasks.plugins.parsers.office.slides import chart, plain

if TYPE_CHECKING:
    from lxml import etree

BOOK: Final = "xl/workbook.xml"


def read_sheets(data: bytes, pages: Sequence[Page]) -> list[str]:
    """One text per sheet that says something: its name as a heading, its cells as a table, its text
    boxes and charts after it.
    """
    package = Package(data) if data.startswith(b"PK") else None
    over = dict(_drawn(package)) if package and BOOK in package.names else {}
    sheets = []
    for page in pages:
        heading = f"## {page.name}"
        cells = page.text.removeprefix(heading).strip("\n")
        blocks = [block for block in (cells, *over.pop(page.name, ())) if block.strip()]
        sheets += ["\n\n".join([heading, *blocks])] if blocks else []
    return sheets + ["\n\n".join([f"## {name}", *texts]) for name, texts in over.items() if texts]


def without_macro_sheets(package: Package) -> "tuple[dict[str, etree._Element], list[str]]":
    """The workbook without sheets of Excel 4 macros, which stop the reader; nothing where there are
    none.
    """
    if not any(name.startswith("xl/macrosheets/") for name in package.names):
        return {}, []
    book, parts = package.xml(BOOK), package.related(BOOK)
    for sheet in named(book, "sheet"):
        if parts.get(value(sheet, "id") or "", ("", ""))[1].startswith("xl/macrosheets/"):
            sheet.getparent().remove(sheet)
    return {BOOK: book}, []


def _drawn(package: Package) -> Iterator[tuple[str, list[str]]]:
    """The sheets in their order, each with the texts that are drawn over its cells."""
    parts = package.related(BOOK)
    for sheet in named(package.xml(BOOK), "sheet"):
        part = parts.get(value(sheet, "id") or "", ("", ""))[1]
        name = value(sheet, "name") or ""
        texts = list(_texts(package, part)) if part in package.names else []
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
