"""Small real files of every format, made with the standard library alone."""

import io
import struct
import zipfile
from collections.abc import Mapping

OFFICE = "http://schemas.openxmlformats.org"
KIND = "application/vnd.openxmlformats-officedocument"
RELATION = f"{OFFICE}/officeDocument/2006/relationships"
WORD = f"{OFFICE}/wordprocessingml/2006/main"
DRAWING = f"{OFFICE}/drawingml/2006/main"
SLIDES = f"{OFFICE}/presentationml/2006/main"
SHEET = f"{OFFICE}/spreadsheetml/2006/main"
NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
    for short, long in (
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("presentation", "presentation"),
        ("manifest", "manifest"),
    )
)


def zipped(parts: Mapping[str, str | bytes], stored: tuple[str, ...] = ("mimetype",)) -> bytes:
    """A ZIP file of parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            how = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, how)
    return out.getvalue()


def relations(*targets: tuple[str, str, str]) -> str:
    """The relations of a part: (id, kind, target)."""
    inner = "".join(
        f'<Relationship Id="{i}" Type="{RELATION}/{kind}" Target="{target}"/>'
        for i, kind, target in targets
    )
    return f'<Relationships xmlns="{OFFICE}/package/2006/relationships">{inner}</Relationships>'


def package(
    main: str, content_type: str, parts: Mapping[str, str | bytes], title: str = ""
) -> bytes:
    """An Office package whose main part is `main`."""
    types = (
        f'<Types xmlns="{OFFICE}/package/2006/content-types"><Default Extension="rels" '
        f'ContentType="application/'
        'vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        'ContentType="application/xml"/>'
        f'<Override PartName="/{main}" ContentType="{content_type}"/></Types>'
    )
    core = (
        f'<cp:coreProperties xmlns:cp="{OFFICE}/package/2006/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></cp:coreProperties>'
    )
    root = relations(("r1", "officeDocument", main)).replace(
        "</Relationships>",
        (
            f'<Relationship Id="r2" '
            f'Type="{OFFICE}/package/2006/relationships/metadata/core-properties" '
            'Target="docProps/core.xml"/></Relationships>'
        ),
    )
    return zipped(
        {"[Content_Types].xml": types, "_rels/.rels": root, "docProps/core.xml": core, **parts}
    )


def docx(title: str = "The Handbook") -> bytes:
    """A heading, a paragraph, a table."""

    def paragraph(text: str, style: str = "") -> str:
        mark = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f"<w:p>{mark}<w:r><w:t>{text}</w:t></w:r></w:p>"

    cells = "".join(f"<w:tc>{paragraph(text)}</w:tc>" for text in ("Food", "Energy"))
    more = "".join(f"<w:tc>{paragraph(text)}</w:tc>" for text in ("Leaves", "50"))
    body = (
        paragraph("Swimming", "Heading1")
        + paragraph("Ducks swim in the lake.")
        + f"<w:tbl><w:tr>{cells}</w:tr><w:tr>{more}</w:tr></w:tbl>"
    )
    styles = (
        f'<w:styles xmlns:w="{WORD}"><w:style w:type="paragraph" '
        f'w:styleId="Heading1"><w:name w:val="heading 1"/>'
        '<w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style></w:styles>'
    )
    return package(
        "word/document.xml",
        f"{KIND}.wordprocessingml.document.main+xml",
        {
            "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',  # noqa: E501
            "word/styles.xml": styles,
            "word/_rels/document.xml.rels": relations(("r1", "styles", "styles.xml")),
        },
        title,
    )


def pptx() -> bytes:
    """Two slides: title and bullets with notes; a picture whose part is missing, and a table."""
    space = f'xmlns:a="{DRAWING}" xmlns:p="{SLIDES}" xmlns:r="{RELATION}"'

    def shape(kind: str, *texts: str) -> str:
        lines = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in texts)
        place = f'<p:nvPr><p:ph type="{kind}"/></p:nvPr>' if kind else "<p:nvPr/>"
        head = f'<p:nvSpPr><p:cNvPr id="1" name="x"/><p:cNvSpPr/>{place}</p:nvSpPr>'
        return f"<p:sp>{head}<p:spPr/><p:txBody>{lines}</p:txBody></p:sp>"

    def slide(tag: str, *shapes: str) -> str:
        return f"<p:{tag} {space}><p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld></p:{tag}>"

    rows = "".join(
        "<a:tr>"
        + "".join(
            f"<a:tc><a:txBody><a:p><a:r><a:t>{cell}</a:t></a:r></a:p></a:txBody></a:tc>"
            for cell in row
        )
        + "</a:tr>"
        for row in (("Year", "Ducks"), ("2026", "120"))
    )
    table = f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{rows}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"  # noqa: E501
    picture = '<p:pic><p:nvPicPr/><p:blipFill><a:blip r:embed="gone"/></p:blipFill></p:pic>'
    return package(
        "ppt/presentation.xml",
        f"{KIND}.presentationml.presentation.main+xml",
        {
            "ppt/presentation.xml": f'<p:presentation {space}><p:sldIdLst><p:sldId id="256" r:id="r2"/>'  # noqa: E501
            '<p:sldId id="257" r:id="r1"/></p:sldIdLst></p:presentation>',
            "ppt/_rels/presentation.xml.rels": relations(
                ("r1", "slide", "slides/slide1.xml"), ("r2", "slide", "slides/slide2.xml")
            ),
            "ppt/slides/slide2.xml": slide(
                "sld",
                shape("body", "Fast", "Quiet"),
                shape("title", "Why ducks"),
                shape("sldNum", "1"),
            ),
            "ppt/slides/_rels/slide2.xml.rels": relations(
                ("r1", "notesSlide", "../notesSlides/n1.xml")
            ),
            "ppt/notesSlides/n1.xml": slide("notes", shape("body", "Say it slowly.")),
            "ppt/slides/slide1.xml": slide("sld", shape("title", "Numbers"), picture, table),
        },
    )


def xlsx() -> bytes:
    """Two sheets."""

    def sheet(*rows: tuple[str, ...]) -> str:
        inner = ""
        for n, row in enumerate(rows, 1):
            cells = (
                f'<c r="{chr(65 + m)}{n}" t="inlineStr"><is><t>{cell}</t></is></c>'
                for m, cell in enumerate(row)
            )
            inner += f'<row r="{n}">{"".join(cells)}</row>'
        return f'<worksheet xmlns="{SHEET}"><sheetData>{inner}</sheetData></worksheet>'

    book = (
        f'<workbook xmlns="{SHEET}" xmlns:r="{RELATION}"><sheets><sheet name="Prices" '
        f'sheetId="1" r:id="r1"/>'
        '<sheet name="Stock" sheetId="2" r:id="r2"/></sheets></workbook>'
    )
    return package(
        "xl/workbook.xml",
        f"{KIND}.spreadsheetml.sheet.main+xml",
        {
            "xl/workbook.xml": book,
            "xl/_rels/workbook.xml.rels": relations(
                ("r1", "worksheet", "worksheets/sheet1.xml"),
                ("r2", "worksheet", "worksheets/sheet2.xml"),
            ),
            "xl/worksheets/sheet1.xml": sheet(("Item", "Price"), ("Bread", "2.50")),
            "xl/worksheets/sheet2.xml": sheet(("Item", "Left"), ("Milk", "7")),
        },
    )


def opendocument(kind: str, body: str, extra: Mapping[str, str] | None = None) -> bytes:
    """An OpenDocument file: `kind` is text, presentation or spreadsheet."""
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            **(extra or {}),
            "content.xml": f"<office:document-content "
            f"{NAMES}><office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:document-content>",
        }
    )


def epub() -> bytes:
    """One chapter."""
    chapter = (
        "<html "
        'xmlns="http://www.w3.org/1999/xhtml"><head><title>c</title></head><body><h1>Chapter One</h1>'  # noqa: E501
        "<p>It was a dark night.</p></body></html>"
    )
    book = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
        'unique-identifier="i"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The '
        'Night</dc:title><dc:identifier id="i">x'
        '</dc:identifier><dc:language>en</dc:language></metadata><manifest><item id="c" '
        'href="c.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref '
        'idref="c"/></spine></package>'
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'version="1.0"><rootfiles>'
        '<rootfile full-path="book.opf" '
        'media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "book.opf": book,
            "c.xhtml": chapter,
        }
    )


def pdf(
    *pages: tuple[str, ...],
    title: str = "",
    bookmarks: tuple[tuple[str, int], ...] = (),
    encrypt: str = "",
) -> bytes:
    """A PDF with one line of Helvetica per string; bookmarks are (title, page from 0); `encrypt` is
    a trailer entry.
    """
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R" + (" /Outlines 4 0 R" if bookmarks else "") + " >>",
        3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        5: f"<< /Title ({title}) >>",
    }
    kids = [10 + 2 * number for number in range(len(pages))]
    objects[2] = (
        f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>"
    )
    for kid, lines in zip(kids, pages, strict=True):
        text = (
            "BT /F1 11 Tf 72 760 Td 14 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
            if lines
            else ""
        )
        objects[kid] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {kid + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects[kid + 1] = f"<< /Length {len(text)} >>\nstream\n{text}\nendstream"
    marks = [1000 + number for number in range(len(bookmarks))]
    if marks:
        objects[4] = (
            f"<< /Type /Outlines /First {marks[0]} 0 R /Last {marks[-1]} 0 R /Count {len(marks)} >>"
        )
    for number, (mark, (name, page)) in enumerate(zip(marks, bookmarks, strict=True)):
        after = f"/Next {marks[number + 1]} 0 R" if mark != marks[-1] else ""
        objects[mark] = f"<< /Title ({name}) /Parent 4 0 R /Dest [{kids[page]} 0 R /Fit] {after} >>"
    return assembled(objects, encrypt)


def assembled(objects: Mapping[int, str], encrypt: str) -> bytes:
    """Objects with their cross-reference table and trailer."""
    out, offsets = b"%PDF-1.4\n", {}
    for number, content in sorted(objects.items()):
        offsets[number] = len(out)
        out += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{number} 1\n{offset:010d} 00000 n \n" for number, offset in offsets.items())
    trailer = f"<< /Root 1 0 R /Info 5 0 R /Size {max(objects) + 1} {encrypt} >>"
    return (
        out
        + f"xref\n0 1\n0000000000 65535 f "
        f"\n{table}trailer\n{trailer}\nstartxref\n{len(out)}\n%%EOF".encode()
    )


def locked_pdf() -> bytes:
    """A PDF that nobody knows the password of."""
    key = "<" + "7f" * 32 + ">"
    return pdf(
        ("secret",),
        encrypt=f"/Encrypt << /Filter /Standard /V 1 /R 2 /O {key} /U {key} /P -44 >> "
        "/ID [<00> <00>]",
    )


def ole(*streams: str) -> bytes:
    """An OLE container with empty streams of those names in its root."""

    def entry(name: str, kind: int, right: int = 0xFFFFFFFF, child: int = 0xFFFFFFFF) -> bytes:
        text = name.encode("utf-16-le")
        return text.ljust(64, b"\x00") + struct.pack(
            "<HBBIII36xIQ", len(text) + 2, kind, 1, 0xFFFFFFFF, right, child, 0xFFFFFFFE, 0
        )

    last = len(streams)
    entries = [entry("Root Entry", 5, child=1)] + [
        entry(name, 2, right=number + 1 if number < last else 0xFFFFFFFF)
        for number, name in enumerate(streams, 1)
    ]
    directory = b"".join(entries).ljust(512, b"\x00")[: 512 * ((len(entries) + 3) // 4)]
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        62,
        3,
        0xFFFE,
        9,
        6,
        0,
        1,
        1,
        0,
        4096,
        0xFFFFFFFE,
        0,
        0xFFFFFFFE,
        0,
    ) + struct.pack("<109I", 0, *([0xFFFFFFFF] * 108))
    table = struct.pack("<128I", 0xFFFFFFFD, 0xFFFFFFFE, *([0xFFFFFFFF] * 126))
    return header + table + directory
