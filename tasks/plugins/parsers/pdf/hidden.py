"""Text of a PDF page that a reader does not see.

A text is suspected by what the PDF says of it (white, transparent, tiny, covered, cut off, …), and
judged by painting the page with and without it: PDFs colour, scale and layer text in more ways than
can be told from its properties (ISO 32000-1, sections 8.7, 9.3.6, 9.6.5 and 11.3).
"""

import ctypes
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from llmops.tasks.plugins.parsers._metadata import white
from llmops.tasks.plugins.parsers.pdf.objects import (
    PATTERN,
    Box,
    Colour,
    Drawn,
    area,
    box_of,
    clip_of,
    common,
    drawn,
    empty,
    enlargement,
    fill,
    matrix_of,
    over_middle,
    product,
    stroke,
)
from llmops.tasks.plugins.parsers.pdf.painted import FAINTEST, Painting

if TYPE_CHECKING:
    import numpy as np
    import pypdfium2
    from numpy.typing import NDArray

INVISIBLE, CLIPS, OUTLINES = 3, 7, (1, 5)
"""Render modes of text: not painted, only cutting off what comes later, painted without a fill."""
TINY: Final = 1.0  # points
LARGE: Final = 0.5
"""Share of the page from which on pictures make it a scan."""
FAINT: Final = 32
"""An opacity (of 255) that is suspicious."""
LEAST: Final = 4.0  # points
"""Paths that are narrower or lower than this cover no text and lie behind none."""
EMPTY_TEXT: Final = 2
"""The length of an empty text in bytes: it ends with a zero."""


def hidden_objects(
    scene: "Scene", page: "pypdfium2.PdfPage", layer: "pypdfium2.PdfTextPage"
) -> set[int]:
    """The addresses of the text objects that nobody sees.

    Invisible text is what OCR programs write: it counts as seen where a picture is beneath it, and
    everywhere on a page of which pictures cover half.
    """
    doubtful = [(text, why) for text in scene.texts if (why := scene.doubt(text))]
    if not doubtful:
        return set()
    hidden = [text for text, why in doubtful if why == "gone"]
    unpainted = [] if scene.scanned else [text for text, why in doubtful if why == "invisible"]
    asked = [text for text, why in doubtful if why == "look"]
    if asked or unpainted:
        painting = Painting(page, [text.box for text in (*asked, *unpainted)])
        shown = painting.shows([text.thing for text in asked], [text.box for text in asked])
        hidden += [text for text, seen in zip(asked, shown, strict=True) if not seen]
        hidden += [
            text
            for text in unpainted
            if not (scene.pictured(text.box) and painting.marked(text.box))
        ]
    return {text.thing.address for text in hidden if not scene.drawn_again(text, layer)}


class _Text(NamedTuple):
    """A text, its box, and its place in the order of drawing."""

    thing: Drawn
    box: Box
    order: int


class _Area(NamedTuple):
    """Something that can lie behind or over text. `colour` is None where it has more than one."""

    box: Box
    order: int
    colour: Colour | None
    picture: bool


class Scene:
    """The texts of a page and what lies around them."""

    def __init__(self, page: "pypdfium2.PdfPage") -> None:
        import pypdfium2.raw as pdfium

        self.texts: list[_Text] = []
        self.paths: list[Drawn] = []
        self._areas: list[_Area] = []
        self._paper = page.get_bbox()
        for order, thing in enumerate(drawn(page)):
            box = box_of(thing)
            self.paths += [thing] if thing.kind == pdfium.FPDF_PAGEOBJ_PATH else []
            if thing.kind == pdfium.FPDF_PAGEOBJ_TEXT:
                self.texts.append(_Text(thing, box, order))
            elif box[2] - box[0] >= LEAST and box[3] - box[1] >= LEAST:
                colour, opaque = _surface(thing)
                if opaque:
                    picture = thing.kind == pdfium.FPDF_PAGEOBJ_IMAGE
                    self._areas.append(_Area(box, order, colour, picture))
        whole = max(1.0, area(self._paper))
        self._scans = [
            each for each in self._areas if each.picture and area(each.box) >= LARGE * whole
        ]
        pictures = sum(area(each.box) for each in self._areas if each.picture)
        self.scanned = pictures >= LARGE * whole

    @cached_property
    def _sides(self) -> "NDArray[np.float64]":
        import numpy as np

        return np.array([each.box for each in self._areas], dtype=float).reshape(-1, 4)

    @cached_property
    def _orders(self) -> "NDArray[np.int64]":
        import numpy as np

        return np.array([each.order for each in self._areas])

    def doubt(self, text: _Text) -> str:
        """Why a text may be unseen: "invisible" (an OCR program's, maybe), "gone" (off the page or
        too small), "look" (only painting tells); "" where it is seen.
        """
        import pypdfium2.raw as pdfium

        left, bottom, right, top = text.box
        mode = pdfium.FPDFTextObj_GetTextRenderMode(text.thing.raw)
        if mode == CLIPS or (left == right and bottom == top):
            return ""
        if mode == INVISIBLE:
            return "invisible"
        if empty(text.box):
            return ""
        if empty(common(text.box, self._paper)) or _tiny(text):
            return "gone"
        colour, alpha = (stroke if mode in OUTLINES else fill)(text.thing.raw)
        if covers := self._over(text):
            return "invisible" if any(each in self._scans for each in covers) else "look"
        limit = clip_of(text.thing)
        cut = limit is not None and empty(common(limit, text.box))
        if cut or alpha < FAINT or text.thing.veiled or self._alike(text, colour):
            return "look"
        return ""

    def _over(self, text: _Text) -> list[_Area]:
        """What is drawn after a text and covers all of it, but for a twentieth on each side."""
        if not self._areas or self._areas[-1].order < text.order:
            return []
        left, bottom, right, top = text.box
        across, up = (right - left) / 20, (top - bottom) / 20
        sides = self._sides
        covers = (
            (self._orders > text.order)
            & (sides[:, 0] <= left + across)
            & (sides[:, 1] <= bottom + up)
            & (sides[:, 2] >= right - across)
            & (sides[:, 3] >= top - up)
        )
        return [self._areas[place] for place in covers.nonzero()[0]]

    def _alike(self, text: _Text, colour: Colour) -> bool:
        """Whether what lies behind a text may have its colour."""
        behind = next(
            (
                each
                for each in reversed(self._areas)
                if each.order < text.order and over_middle(each.box, text.box)
            ),
            None,
        )
        if behind is None or behind.colour is None:
            return white(colour)
        return all(
            abs(mine - its) <= FAINTEST for mine, its in zip(colour, behind.colour, strict=True)
        )

    def drawn_again(self, text: _Text, layer: "pypdfium2.PdfTextPage") -> bool:
        """Whether a later object draws the same text in the same place: the text layer has but the
        first of them, and the later one is seen.
        """
        import pypdfium2.raw as pdfium

        return any(
            other.order > text.order
            and all(abs(a - b) < TINY for a, b in zip(other.box, text.box, strict=True))
            and not self.doubt(other)
            and pdfium.FPDFTextObj_GetText(other.thing.raw, layer, None, 0) <= EMPTY_TEXT
            for other in self.texts
        )

    def pictured(self, box: Box) -> bool:
        """Whether a picture lies where a text is."""
        return any(each.picture and over_middle(each.box, box) for each in self._areas)


def _surface(thing: Drawn) -> tuple[Colour | None, bool]:
    """The one colour of what is not text, and whether it hides what it covers."""
    import pypdfium2.raw as pdfium

    if thing.kind != pdfium.FPDF_PAGEOBJ_PATH:
        return None, True
    mode, outline = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(thing.raw, mode, outline) or not mode.value:
        return None, False
    colour, alpha = fill(thing.raw)
    return (None if colour == PATTERN else colour), alpha >= FAINT


def _tiny(text: _Text) -> bool:
    """Whether a text is smaller than a point, both by its font's size and by its box: fonts may be
    scaled by the text's matrix, and those of Type 3 have any unit.
    """
    import pypdfium2.raw as pdfium

    size, low = ctypes.c_float(), min(text.box[2] - text.box[0], text.box[3] - text.box[1]) < TINY
    if not low or not pdfium.FPDFTextObj_GetFontSize(text.thing.raw, size):
        return False
    whole = product(matrix_of(text.thing.raw), text.thing.matrix)
    return size.value * enlargement(whole) < TINY
