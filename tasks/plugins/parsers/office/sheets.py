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
from llmops.tasks.plugins.parsers.office.hidden import Uncovered
from llmops.tasks.plugins.parsers.office.runs import RunPiece, markdown_runs
from llmops.tasks.plugins.parsers.office.slides import chart, plain

if TYPE_CHECKING:
    from lxml import etree

    Rows = Mapping[int, Mapping[str | None, etree._Element]]

BOOK: Final = "xl/workbook.xml"
STRINGS: Final = "xl/sharedStrings.xml"
STYLES: Final = "xl/styles.xml"
NO_VALUE: Final = re.compile(rb"(?:</f>|<f[^<>]*/>)(?:<v ?/>|<v></v>)?</c>")
MOST_LOOKS: Final = 200
LOOK: Final = re.compile(rb' s="(\d{1,6})"')
MOST_STRUCK: Final = 2_000_000
"""Characters of cells that are struck through, in one sheet: those beyond it are not marked."""
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


def arranged(package: Package) -> Uncovered:
    """The parts of a workbook that are to be changed for its reader (name -> root): without sheets
    of Excel 4 macros, which stop it, and with merged cells in every row and column that they span.
    """
    struck = _struck_looks(package)
    roots = {
        name: package.xml(name)
        for name in sorted(package.names)
        if name.startswith("xl/worksheets/") and _is_changed(package.raw(name), struck)
    }
    strings = _strings(package, wanted=bool(roots and struck))
    for root in roots.values():
        if struck:
            _strike(root, struck, strings)
        _fill_spans(root)
    if strings is not None:
        roots[STRINGS] = strings
    if any(name.startswith("xl/macrosheets/") for name in package.names):
        roots[BOOK] = _without_macro_sheets(package)
    return Uncovered(roots, [], bool(roots))


def _is_changed(sheet: bytes, struck: Mapping[str, bool]) -> bool:
    if len(sheet) > LARGEST:
        return False
    looks = (look[1].decode() for look in LOOK.finditer(sheet)) if struck else ()
    return MERGED in sheet or any(look in struck for look in looks)


def _struck_looks(package: Package) -> Mapping[str, bool]:
    """The numbers of the looks of cells that are struck through, and whether a number in such a
    cell stands as it is.
    """
    if STYLES not in package.names or b"strike" not in (raw := package.raw(STYLES)):
        return {}
    if len(raw) > LARGEST:
        return {}
    styles = package.xml(STYLES)
    fonts = [_is_on(child(font, "strike")) for font in children(child(styles, "fonts"), "font")]
    looks = enumerate(children(child(styles, "cellXfs"), "xf"))
    struck = {
        str(n): value(look, "numFmtId") in (None, "0")
        for n, look in looks
        if 0 <= number(value(look, "fontId"), -1) < len(fonts)
        and fonts[number(value(look, "fontId"), -1)]
    }
    return struck if len(struck) <= MOST_LOOKS else {}


def _is_on(element: "etree._Element | None") -> bool:
    return element is not None and (value(element) or "1") not in ("0", "false")


def _strings(package: Package, *, wanted: bool) -> "etree._Element | None":
    """The texts of the cells, with powers and what is struck through marked; None where there is
    nothing to mark in them, and where they are not `wanted` in any case.
    """
    raw = package.raw(STRINGS) if STRINGS in package.names else b""
    marked = b"superscript" in raw or b"strike" in raw
    if not raw or len(raw) > LARGEST or not (marked or wanted):
        return None
    strings = package.xml(STRINGS)
    for text in children(strings, "si") if marked else []:
        runs = children(text, "r")
        pieces = [_piece(run) for run in runs]
        if any(piece.raised or piece.struck for piece in pieces):
            said = child(runs[0], "t")
            for run in runs:
                text.remove(run)
            said = (
                text.makeelement(str(text.tag).replace("}si", "}t"), {}) if said is None else said
            )
            said.text = markdown_runs(pieces)
            said.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
            text.insert(0, said)
    return strings


def _piece(run: "etree._Element") -> RunPiece:
    look = child(run, "rPr")
    said = child(run, "t")
    return RunPiece(
        (said.text or "") if said is not None else "",
        value(child(look, "vertAlign")) == "superscript",
        _is_on(child(look, "strike")),
    )


def _strike(
    sheet: "etree._Element", struck: Mapping[str, bool], strings: "etree._Element | None"
) -> None:
    """Mark cells that are struck through; the text of such a cell becomes its own."""
    texts, total = children(strings, "si"), 0
    for cell in named(sheet, "c"):
        if cell.get("s") not in struck or child(cell, "f") is not None:
            continue
        kind, said = cell.get("t", "n"), child(cell, "v")
        text = (said.text or "") if said is not None else ""
        if kind == "s":
            place = number(text, -1)
            text = _words(texts[place]) if 0 <= place < len(texts) else ""
        elif kind == "inlineStr":
            text = _words(child(cell, "is"))
        elif kind != "str" and not (kind == "n" and struck[cell.get("s")]):
            continue
        if not text.strip() or "~~" in text:
            continue
        if (total := total + len(text)) > MOST_STRUCK:
            return
        space = str(cell.tag).rpartition("}")[0] + "}"
        own = cell.makeelement(f"{space}is", {})
        words = cell.makeelement(f"{space}t", {})
        words.text = f"~~{text.strip()}~~"
        own.append(words)
        cell[:] = [own]
        cell.set("t", "inlineStr")


def _words(text: "etree._Element | None") -> str:
    """A text of a cell without its readings (`rPh`)."""
    pieces = [child(run, "t") for run in children(text, "r")] or children(text, "t")
    return "".join(piece.text or "" for piece in pieces if piece is not None)


def formulas_without_values(data: bytes) -> int:
    """How many cells of a workbook have a formula and no value: their reader shows nothing there,
    since programs, not readers, calculate.
    """
    if not data.startswith(b"PK"):
        return 0
    package = Package(data)
    sheets = (package.raw(name) for name in package.names if name.startswith("xl/worksheets/sheet"))
    return sum(len(NO_VALUE.findall(sheet)) for sheet in sheets)


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
