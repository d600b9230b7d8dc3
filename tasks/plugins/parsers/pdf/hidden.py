"""Text of a PDF page that a reader does not see (ISO 32000-1, sections 9.3.6 and 11.3)."""

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from llmops.tasks.plugins.parsers._metadata import white

if TYPE_CHECKING:
    import pypdfium2
    from pypdfium2.raw import FPDF_PAGEOBJECT

INVISIBLE: Final = 3
TINY: Final = 1.0  # points
LARGE: Final = 0.5
"""Share of the page from which on a picture is a scan, and a white path is paper."""
LONGEST: Final = 100_000

Box = tuple[float, float, float, float]


class PageText(NamedTuple):
    """The text of a page in two parts."""

    seen: str
    unseen: list[str]


def parted(page: "pypdfium2.PdfPage", layer: "pypdfium2.PdfTextPage") -> PageText:
    """What is seen of a page, and the texts that are not: transparent, smaller than a point, white
    with nothing behind, or drawn invisibly.

    Invisible text is what OCR programs write, and counts as seen, where pictures cover half of the
    page or no other text is on it. Where all is seen, `seen` is the text as it stands in the PDF.
    """
    hidden = _hidden(page)
    whole = str(layer.get_text_range(errors="replace"))
    if not hidden:
        return PageText(whole, [])
    texts, seen = {key: list[str]() for key in hidden}, list[str]()
    owner = 0
    for index in range(layer.count_chars()):
        owner = _owner(layer, index) or owner
        texts.get(owner, seen).append(_character(layer, index))
    joined = [letter for text in texts.values() for letter in (*text, " ")]
    return PageText("".join(seen), ["".join(joined[:LONGEST])])


def _hidden(page: "pypdfium2.PdfPage") -> set[int]:
    """The addresses of the text objects that nobody sees."""
    import pypdfium2.raw as pdfium

    texts = list(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT], max_depth=8))
    doubtful = [(text, why) for text in texts if (why := _doubt(text.raw, text.level))]
    if not doubtful:
        return set()
    pictures, behind = _scenery(page)
    scanned = pictures >= LARGE or all(
        _doubt(text.raw, text.level) == "invisible" for text in texts
    )
    return {
        _address(text.raw)
        for text, why in doubtful
        if why == "small"
        or (why == "invisible" and not scanned)
        or (why == "white" and not _over(_box(text), behind))
    }


def _scenery(page: "pypdfium2.PdfPage") -> tuple[float, list[Box]]:
    """The share of the page under pictures, and what can make white text readable: pictures, shades
    and paths; large paths only if they are filled with a colour. What lies in a form has
    coordinates of its own, so it counts as lying everywhere."""
    import pypdfium2.raw as pdfium

    share, behind = 0.0, list[Box]()
    width, height = page.get_size()
    for one in page.get_objects(
        filter=[pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING],
        max_depth=8,
    ):
        box = _box(one) if one.level == 0 else (0.0, 0.0, width, height)
        part = max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) / max(1.0, width * height)
        share += part if one.type == pdfium.FPDF_PAGEOBJ_IMAGE else 0.0
        if one.type != pdfium.FPDF_PAGEOBJ_PATH or _paints(one.raw, large=part >= LARGE):
            behind.append(box)
    return share, behind


def _doubt(text: "FPDF_PAGEOBJECT", level: int) -> str:
    """Why a text may be unseen: "small", "invisible" or "white"; "" where it is seen."""
    import pypdfium2.raw as pdfium

    mode = pdfium.FPDFTextObj_GetTextRenderMode(text)
    if mode == INVISIBLE:
        return "invisible"
    colour, alpha = _fill(text)
    if mode in (0, 4) and alpha == 0:
        return "invisible"
    if level == 0 and 0 < _size(text) < TINY:
        return "small"
    return "white" if level == 0 and mode in (0, 4) and white(colour) else ""


def _fill(thing: "FPDF_PAGEOBJECT") -> tuple[tuple[int, int, int], int]:
    """Red, green, blue and opacity of a fill; black where it cannot be read."""
    import pypdfium2.raw as pdfium

    values = [ctypes.c_uint() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetFillColor(thing, *values):
        return (0, 0, 0), 255
    red, green, blue, alpha = (value.value for value in values)
    return (red, green, blue), alpha


def _size(text: "FPDF_PAGEOBJECT") -> float:
    """The height of the letters in points, by font size and matrix."""
    import pypdfium2.raw as pdfium

    size, matrix = ctypes.c_float(), pdfium.FS_MATRIX()
    if not pdfium.FPDFTextObj_GetFontSize(text, size) or not pdfium.FPDFPageObj_GetMatrix(
        text, matrix
    ):
        return 0.0
    return float(size.value * abs(matrix.a * matrix.d - matrix.b * matrix.c) ** 0.5)


def _paints(path: "FPDF_PAGEOBJECT", *, large: bool) -> bool:
    """Whether a path can be a background: drawn at all, and if it is large, filled and not with
    white.
    """
    import pypdfium2.raw as pdfium

    mode, stroke = ctypes.c_int(), ctypes.c_int()
    drawn = bool(pdfium.FPDFPath_GetDrawMode(path, mode, stroke)) and bool(
        mode.value or stroke.value
    )
    colour, alpha = _fill(path)
    return drawn and (not large or (mode.value != 0 and alpha > 0 and not white(colour)))


def _box(thing: "pypdfium2.PdfObject") -> Box:
    import pypdfium2

    try:
        left, bottom, right, top = thing.get_bounds()
    except pypdfium2.PdfiumError:
        return 0.0, 0.0, 0.0, 0.0
    return left, bottom, right, top


def _over(text: Box, behind: Sequence[Box]) -> bool:
    """Whether something lies behind the middle of a text."""
    x, y = (text[0] + text[2]) / 2, (text[1] + text[3]) / 2
    return any(left <= x <= right and bottom <= y <= top for left, bottom, right, top in behind)


def _address(thing: "FPDF_PAGEOBJECT") -> int:
    return ctypes.cast(thing, ctypes.c_void_p).value or 0


def _owner(layer: "pypdfium2.PdfTextPage", index: int) -> int:
    """The text object of a character; 0 for blanks and line ends that the reader put in."""
    import pypdfium2.raw as pdfium

    thing = pdfium.FPDFText_GetTextObject(layer, index)
    return _address(thing) if thing else 0


def _character(layer: "pypdfium2.PdfTextPage", index: int) -> str:
    import pypdfium2.raw as pdfium

    code = pdfium.FPDFText_GetUnicode(layer, index)
    return (
        chr(code)
        if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000
        else "\ufffd"
        if code
        else ""
    )
