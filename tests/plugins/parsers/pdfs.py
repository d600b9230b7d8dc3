"""PDFs of one or more pages, written byte by byte."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PAPER = (0, 0, 595, 842)
HELVETICA = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def stream(content: str, entries: str = "") -> str:
    """A stream object; its content is Latin-1."""
    return f"<< /Length {len(content)} {entries} >>\nstream\n{content}\nendstream"


@dataclass
class Sheet:
    """One page: what is drawn, further objects by number (from 100), entries of the page's
    dictionary and of its resources.
    """

    drawn: str
    resources: str = ""
    entries: str = ""
    paper: tuple[int, int, int, int] = PAPER


@dataclass
class Book:
    """Pages, objects that they refer to (numbers from 100) and entries of the catalogue."""

    sheets: Sequence[Sheet]
    objects: Mapping[int, str] = field(default_factory=dict)
    catalogue: str = ""

    def written(self) -> bytes:
        kids = [10 + 2 * number for number in range(len(self.sheets))]
        listed = " ".join(f"{kid} 0 R" for kid in kids)
        objects = {
            1: f"<< /Type /Catalog /Pages 2 0 R {self.catalogue} >>",
            2: f"<< /Type /Pages /Count {len(kids)} /Kids [{listed}] >>",
            3: HELVETICA,
            **self.objects,
        }
        for kid, sheet in zip(kids, self.sheets, strict=True):
            objects[kid] = (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [{' '.join(map(str, sheet.paper))}] "
                f"/Contents {kid + 1} 0 R /Resources << /Font << /F1 3 0 R /T3 100 0 R >> "
                f"{sheet.resources} >> {sheet.entries} >>"
            )
            objects[kid + 1] = stream(sheet.drawn)
        return _assembled(objects)


def page(drawn: str, resources: str = "", objects: Mapping[int, str] | None = None) -> bytes:
    """A PDF of one page."""
    return Book([Sheet(drawn, resources)], objects or {}).written()


def line(text: str, x: float = 72, y: float = 700, size: float = 11) -> str:
    """A line of Helvetica in the colour that is set."""
    return f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET\n"


def _assembled(objects: Mapping[int, str]) -> bytes:
    out, offsets = b"%PDF-1.7\n", {}
    for number, content in sorted(objects.items()):
        offsets[number] = len(out)
        out += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{number} 1\n{offset:010d} 00000 n \n" for number, offset in offsets.items())
    return (
        out
        + f"xref\n0 1\n0000000000 65535 f \n{table}trailer\n<< /Root 1 0 R "
        f"/Size {max(objects) + 1} >>\nstartxref\n{len(out)}\n%%EOF".encode()
    )
