"""The tables of `benchmarks.table_cases` as files of several formats, written byte by byte."""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Final

from benchmarks.table_cases import CASES, Case, grid

OFFICE: Final = "http://schemas.openxmlformats.org"
WORD: Final = f"{OFFICE}/wordprocessingml/2006/main"
SHEET: Final = f"{OFFICE}/spreadsheetml/2006/main"
RELATION: Final = f"{OFFICE}/officeDocument/2006/relationships"


def html(case: Case) -> bytes:
    """A page with a paragraph before and after the table."""
    direction = ' dir="rtl"' if case.rtl else ""
    return (
        f'<!doctype html><html{direction}><head><meta charset="utf-8"><title>T</title></head><body>'
        f"<p>Before the table.</p>{_html(case)}<p>After the table.</p></body></html>"
    ).encode()


def _html(case: Case) -> str:
    lines = []
    for y, row in enumerate(case.rows):
        cells = ""
        for x, cell in enumerate(row):
            heads = case.title <= y < case.title + case.head or (not case.head and not x)
            tag = "th" if heads else "td"
            spans = f' colspan="{cell.wide}"' if cell.wide > 1 else ""
            spans += f' rowspan="{cell.high}"' if cell.high > 1 else ""
            inner = _html(cell.inner) if cell.inner else escape(cell.text)
            cells += f"<{tag}{spans}>{inner}</{tag}>"
        lines.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _package(main: str, kind: str, parts: Mapping[str, str], relations: str = "") -> bytes:
    types = (
        f'<Types xmlns="{OFFICE}/package/2006/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
    )
    kinds = {main: f"{kind}.main+xml", "xl/worksheets/sheet1.xml": "spreadsheetml.worksheet+xml"}
    kinds |= {"xl/styles.xml": "spreadsheetml.styles+xml"}
    for part in [main, *parts]:
        if part in kinds:
            types += (
                f'<Override PartName="/{part}" '
                f'ContentType="application/vnd.openxmlformats-officedocument.{kinds[part]}"/>'
            )
    related = f'<Relationships xmlns="{OFFICE}/package/2006/relationships">{{}}</Relationships>'
    root = f'<Relationship Id="r1" Type="{RELATION}/officeDocument" Target="{main}"/>'
    folder, _, file = main.partition("/")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f"{types}</Types>")
        archive.writestr("_rels/.rels", related.format(root))
        archive.writestr(f"{folder}/_rels/{file}.rels", related.format(relations))
        for name, content in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return out.getvalue()


def docx(case: Case) -> bytes:
    """A Word file with a paragraph before and after the table."""
    body = f"{_paragraph('Before the table.')}{_docx(case)}{_paragraph('After the table.')}"
    document = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return _package(
        "word/document.xml", "wordprocessingml.document", {"word/document.xml": document}
    )


def _paragraph(text: str) -> str:
    return f'<w:p><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def _docx(case: Case) -> str:
    rows = grid(case)
    lines = ""
    for y, row in enumerate(rows):
        cells, x = "", 0
        while x < len(row):
            cell = row[x]
            below = y > 0 and cell.high > 1 and rows[y - 1][x] is cell
            properties = f'<w:gridSpan w:val="{cell.wide}"/>' if cell.wide > 1 else ""
            if cell.high > 1:
                properties += "<w:vMerge/>" if below else '<w:vMerge w:val="restart"/>'
            inner = (
                f"{_docx(cell.inner)}{_paragraph('')}"
                if cell.inner
                else _paragraph("" if below else cell.text)
            )
            cells += f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner}</w:tc>"
            x += cell.wide
        heads = y < case.title + case.head
        lines += f"<w:tr>{'<w:trPr><w:tblHeader/></w:trPr>' if heads else ''}{cells}</w:tr>"
    columns = "<w:gridCol w:w='2000'/>" * len(rows[0])
    turned = "<w:bidiVisual/>" if case.rtl else ""
    return f"<w:tbl><w:tblPr>{turned}</w:tblPr><w:tblGrid>{columns}</w:tblGrid>{lines}</w:tbl>"


def xlsx(case: Case) -> bytes:
    """A workbook of one sheet; what looks like a plain number is one."""
    rows, merges = grid(case), []
    seen: set[int] = set()
    lines = ""
    for y, row in enumerate(rows, 1):
        cells = ""
        for x, cell in enumerate(row, 1):
            ref = f"{_column(x)}{y}"
            first = id(cell) not in seen or (cell.wide == cell.high == 1)
            if first and cell.wide * cell.high > 1:
                merges.append(f"{ref}:{_column(x + cell.wide - 1)}{y + cell.high - 1}")
            seen.add(id(cell))
            if first and cell.text:
                cells += _cell(ref, cell.text)
            elif not first:
                cells += f'<c r="{ref}"/>'
        lines += f'<row r="{y}">{cells}</row>'
    merged = "".join(f'<mergeCell ref="{each}"/>' for each in merges)
    view = (
        '<sheetView rightToLeft="1" workbookViewId="0"/>'
        if case.rtl
        else '<sheetView workbookViewId="0"/>'
    )
    sheet = (
        f'<worksheet xmlns="{SHEET}"><sheetViews>{view}</sheetViews><sheetData>{lines}</sheetData>'
        f"{f'<mergeCells>{merged}</mergeCells>' if merged else ''}</worksheet>"
    )
    book = (
        f'<workbook xmlns="{SHEET}" xmlns:r="{RELATION}"><sheets>'
        '<sheet name="Data" sheetId="1" r:id="r1"/></sheets></workbook>'
    )
    styles = (
        f'<styleSheet xmlns="{SHEET}"><fonts count="1"><font/></fonts><fills count="1"><fill>'
        '<patternFill patternType="none"/></fill></fills><borders count="1"><border/></borders>'
        '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf numFmtId="0"/>'
        '<xf numFmtId="14" applyNumberFormat="1"/></cellXfs></styleSheet>'
    )
    relations = (
        f'<Relationship Id="r1" Type="{RELATION}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{RELATION}/styles" Target="styles.xml"/>'
    )
    parts = {"xl/workbook.xml": book, "xl/worksheets/sheet1.xml": sheet, "xl/styles.xml": styles}
    return _package("xl/workbook.xml", "spreadsheetml.sheet", parts, relations)


def _cell(ref: str, text: str) -> str:
    if text == "2026-11-30":
        return f'<c r="{ref}" s="1"><v>46356</v></c>'
    if text.lstrip("-").replace(".", "", 1).isdecimal() and text.isascii():
        return f'<c r="{ref}"><v>{text}</v></c>'
    return f'<c r="{ref}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def _column(number: int) -> str:
    return chr(64 + number)


ROW, COLUMN, TOP, LEFT = 18, 80, 780, 40


def ruled(case: Case) -> bytes:
    """A PDF whose cells have lines around them, over as many pages as it takes."""
    return _pdf(case, lines=True)


def borderless(case: Case) -> bytes:
    """The same PDF without a line."""
    return _pdf(case, lines=False)


def _pdf(case: Case, *, lines: bool) -> bytes:
    rows = grid(case)
    width = min(COLUMN + 40, 760 // len(rows[0])) if len(rows[0]) > 6 else COLUMN + 40
    on_page = 38
    streams = []
    for start in range(0, len(rows), on_page):
        drawn = ["BT /F1 9 Tf 40 810 Td (Before the table.) Tj ET"] if not start else []
        seen: set[int] = set()
        for y, row in enumerate(rows[start : start + on_page]):
            for x, cell in enumerate(row):
                if id(cell) in seen and cell.wide * cell.high > 1:
                    continue
                seen.add(id(cell))
                left, top = LEFT + x * width, TOP - y * ROW
                wide, high = width * cell.wide, ROW * cell.high
                if lines:
                    drawn.append(f"{left} {top - high} {wide} {high} re S")
                text = cell.text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
                if text:
                    drawn.append(f"BT /F1 9 Tf {left + 3} {top - high / 2 - 3} Td ({text}) Tj ET")
        streams.append("\n".join(drawn).encode("cp1252"))
    return _assembled(streams, LEFT * 2 + width * len(rows[0]))


def _assembled(streams: Sequence[bytes], width: int) -> bytes:
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(streams)} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for n, stream in enumerate(streams):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {max(595, width)} 842] "
            f"/Contents {5 + 2 * n} 0 R /Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = out.rindex(b"xref")
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Root 1 0 R /Size %d >>\nstartxref\n%d\n%%%%EOF"
    return out + trailer % (len(objects) + 1, end)


FORMATS: Final[Mapping[str, tuple[str, Callable[[Case], bytes]]]] = {
    "Word": ("docx", docx),
    "HTML": ("html", html),
    "Excel": ("xlsx", xlsx),
    "PDF, ruled": ("pdf", ruled),
    "PDF, without lines": ("pdf", borderless),
}
ABSENT: Final = {
    "Excel": {"nested"},
    "PDF, ruled": {"nested", "right to left"},
    "PDF, without lines": {"nested", "right to left", "merged rows", "merged columns"},
}
"""What a format has not, or what cannot be told in it: fonts for other scripts are not carried."""


def files() -> Iterator[tuple[str, str, Case, bytes]]:
    """(format, name of the file, table, content) of the whole set."""
    for kind, (suffix, write) in FORMATS.items():
        for case in CASES:
            if case.name not in ABSENT.get(kind, ()):
                name = f"{kind} {case.name}".replace(",", "").replace(" ", "_").lower()
                yield kind, f"{name}.{suffix}", case, write(case)
