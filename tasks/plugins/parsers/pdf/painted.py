"""Whether something is to be seen on a page, by painting it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers.pdf.objects import Box, Drawn, around, common, empty

if TYPE_CHECKING:
    import numpy as np
    import pypdfium2
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Levels = NDArray[np.uint8] | NDArray[np.int16]

SHARPEST: Final = 1.5
"""Pixels per point at most."""
MOST_PIXELS: Final = 2_000_000
FAINTEST: Final = 5
"""A difference of so many of 255 levels is none to the eye."""
MARGIN: Final = 4.0  # points


class Painting:
    """The part of a page around some boxes as it is painted, with at most `MOST_PIXELS` pixels."""

    def __init__(
        self, page: "pypdfium2.PdfPage", boxes: Sequence[Box], *, annotations: bool = False
    ) -> None:
        width, height = page.get_size()
        self._page = page
        self._crop = _crop(page, boxes)
        left, bottom, right, top = self._crop
        pixels = max(1.0, (width - left - right) * (height - bottom - top))
        self._scale = min(SHARPEST, (MOST_PIXELS / pixels) ** 0.5)
        self._first, self._place = self._painted(annotations)

    def annotated(self, boxes: Sequence[Box]) -> list[bool]:
        """For each box whether the page, painted with annotations, differs there without."""
        return self._differs(boxes)

    def shows(self, things: Sequence[Drawn], boxes: Sequence[Box]) -> list[bool]:
        """For each of these things whether it is to be seen in its box: whether the page looks
        different there without all of them.
        """
        import pypdfium2.raw as pdfium

        for thing in things:
            pdfium.FPDFPageObj_SetIsActive(thing.raw, False)
        different = self._differs(boxes)
        for thing in things:
            pdfium.FPDFPageObj_SetIsActive(thing.raw, True)
        return different

    def marked(self, box: Box) -> bool:
        """Whether anything at all is drawn in a box."""
        part = self._cut(self._first, box)
        return bool(part.size) and int(part.max()) - int(part.min()) > FAINTEST

    def _differs(self, boxes: Sequence[Box]) -> list[bool]:
        import numpy as np

        now, _ = self._painted(False)
        change = np.abs(self._first.astype(np.int16) - now).max(axis=2)
        return [bool((self._cut(change, box) > FAINTEST).any()) for box in boxes]

    def _painted(self, annotations: bool) -> "tuple[Pixels, pypdfium2.PdfPosConv]":
        bitmap = self._page.render(
            scale=self._scale,
            crop=self._crop,
            may_draw_forms=annotations,
            draw_annots=annotations,
        )
        return bitmap.to_numpy().copy(), bitmap.get_posconv(self._page)

    def _cut(self, pixels: "Levels", box: Box) -> "Levels":
        """The part of the pixels that a box covers, and one pixel more on each side."""
        corners = [self._place.to_bitmap(x, y) for x in box[::2] for y in box[1::2]]
        left, upper, right, lower = around(corners)
        return pixels[
            max(0, int(upper) - 1) : max(0, int(lower) + 2),
            max(0, int(left) - 1) : max(0, int(right) + 2),
        ]


def _crop(page: "pypdfium2.PdfPage", boxes: Sequence[Box]) -> Box:
    """What to leave out on the left, below, on the right and above, as the page is shown: it may be
    turned.
    """
    import pypdfium2

    width, height = page.get_size()
    fine = 100  # places come as whole numbers
    size = int(width * fine), int(height * fine)
    place = pypdfium2.PdfPosConv(page, (0, 0, *size, 0))
    corners = [
        place.to_bitmap(x, y)
        for left, bottom, right, top in boxes
        for x in (left - MARGIN, right + MARGIN)
        for y in (bottom - MARGIN, top + MARGIN)
    ]
    wanted = common(around([(x / fine, y / fine) for x, y in corners]), (0, 0, width, height))
    if empty(wanted):
        return 0.0, 0.0, 0.0, 0.0
    left, upper, right, lower = wanted
    return left, max(0.0, height - lower), max(0.0, width - right), upper
