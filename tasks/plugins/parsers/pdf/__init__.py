"""PDF: the text layer, page by page."""

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from llmops.tasks.errors import DocumentError, UnsupportedDocument
from llmops.tasks.plugins.parsers import Ocr, Parsed, Parser
from llmops.tasks.plugins.parsers._layout import paragraphs
from llmops.tasks.plugins.parsers._metadata import hidden_texts, sensible
from llmops.tasks.plugins.parsers._ocr import LONGEST_SIDE, blank
from llmops.tasks.plugins.parsers._recognised import Pages

if TYPE_CHECKING:
    import pypdfium2

    from llmops.tasks.plugins.parsers._ocr import Pixels
    from llmops.tasks.plugins.parsers.pdf.pages import PageText


WHY = {
    "password": "the PDF is protected by a password; save a copy without one",
    "security": "the PDF is protected in a way that cannot be opened; save a copy without "
    "protection",
}
MOST_HEADINGS = 5000
MOST_LOOKED_AT = 50
"""Pages that are looked at to find out whether anything is on them."""
MOST_SCALE = 300 / 72
"""Pixels per point: small pages are not blown up further."""
TITLE_WITHIN = 5000
"""Characters from the start, in which a title stands that belongs to the text."""


class PdfParser(Parser):
    """Lines are joined to paragraphs, a form feed stands between pages. The PDF's own bookmarks,
    where they stand in the text as a paragraph of their own, become headings, ruled tables and
    columns of values those of Markdown; without either the text is plain. Values of forms, notes
    and free text stand where they are on the page.

    Text that nobody sees (invisible over no picture, of the colour behind it, covered, cut off, off
    the page, tiny, in a hidden field) stands in the metadata `hidden_text` instead. Pages without
    text are read by text recognition, with the extra `ocr`.
    """

    media_types: ClassVar[tuple[str, ...]] = ("application/pdf",)
    revision: ClassVar[int] = 5
    ocr: Ocr = Ocr()

    def fingerprint(self) -> str:
        return self.ocr.covered(super().fingerprint())

    def parse(self, data: bytes, media_type: str) -> Parsed:
        document = _opened(data)
        try:
            shown = list(_texts(document))
            pages = [page.blocks for page in shown]
            scans = [number for number, page in enumerate(shown) if not page.layer]
            recognised = self._recognised(document, scans)
            for number, text in recognised.texts.items():
                pages[number] = [*paragraphs(text), *pages[number]]
            if not any(pages):
                raise self._refusal(document, shown, recognised)
            headings = _bookmarks(document)
            title = sensible(document.get_metadata_value("Title"))
        finally:
            document.close()
        empty = sum(not page for page in pages)
        markdown = bool(headings) or any(page.has_tables for page in shown)
        marked = (
            [_marked(page, headings.get(number, {})) for number, page in enumerate(pages)]
            if markdown
            else pages
        )
        text = "\n\f\n".join("\n\n".join(page) for page in marked)
        return Parsed(
            text=text,
            markup="markdown" if markdown else "plain",
            media_type=media_type,
            title=title if title and squeezed(title) in squeezed(text[:TITLE_WITHIN]) else None,
            metadata={"pages": len(pages)}
            | ({"pages_without_text": empty} if empty else {})
            | dict(recognised.metadata())
            | hidden_texts(text for page in shown for text in page.unseen),
        )

    def _recognised(self, document: "pypdfium2.PdfDocument", scans: list[int]) -> Pages:
        """What text recognition reads of pages without text (numbers from 0)."""
        import pypdfium2

        recognised = Pages(self.ocr)
        if not self.ocr.missing():
            for number in recognised.allowed(scans):
                with contextlib.suppress(pypdfium2.PdfiumError):  # a damaged page has no text
                    recognised.take(number, _pictured(document, number))
        return recognised

    def _refusal(
        self, document: "pypdfium2.PdfDocument", shown: "list[PageText]", recognised: Pages
    ) -> DocumentError:
        """Why there is no text."""
        pages = f"the PDF has {len(shown)} pages" if len(shown) != 1 else "the PDF has one page"
        if any(page.unseen for page in shown) and not recognised.poor:
            return DocumentError(
                f"{pages}, and all its text is hidden from readers (see docs/parsing.md); save it "
                "with its text visible, or exclude it"
            )
        if all(_blank(document, number) for number in range(min(len(shown), MOST_LOOKED_AT))):
            return UnsupportedDocument(f"{pages}, and nothing is on it; exclude it")
        if missing := self.ocr.missing():
            return DocumentError(
                f"{pages} and no text: it is probably a scan or a drawing; {missing}"
            )
        return recognised.refusal(f"{pages} and no text, and text recognition found none in it")


def _pictured(document: "pypdfium2.PdfDocument", number: int, side: int = LONGEST_SIDE) -> "Pixels":
    """A page as it is shown, of so many pixels on its longer side. Raises PdfiumError."""
    page = document[number]
    try:
        scale = min(MOST_SCALE, side / max(1.0, *page.get_size()))
        pixels: Pixels = page.render(scale=scale).to_numpy()[:, :, :3].copy()
        return pixels
    finally:
        page.close()


def _blank(document: "pypdfium2.PdfDocument", number: int) -> bool:
    import pypdfium2

    try:
        return blank(_pictured(document, number, 400))
    except pypdfium2.PdfiumError:
        return True


def _opened(data: bytes) -> "pypdfium2.PdfDocument":
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        said = str(error).lower()
        known = next((reason for word, reason in WHY.items() if word in said), None)
        raise DocumentError(
            known or "the PDF is damaged or was cut off; take it from its origin again"
        ) from error


def _texts(document: "pypdfium2.PdfDocument") -> "Iterator[PageText]":
    """The text of every page; none for one that is damaged."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    from llmops.tasks.plugins.parsers.pdf.annotations import looks
    from llmops.tasks.plugins.parsers.pdf.pages import NO_TEXT, page_text

    form = document.get_formtype() != pdfium.FORMTYPE_NONE
    own = looks(document) if form else {}
    if form:
        document.init_forms()
    text = NO_TEXT
    for number in range(len(document)):
        try:
            page = document[number]
            layer = page.get_textpage()
        except pypdfium2.PdfiumError:
            text = NO_TEXT
            yield text
            continue
        text = page_text(page, layer, own.get(number), text.lowest)
        yield text
        layer.close()
        page.close()


def _bookmarks(document: "pypdfium2.PdfDocument") -> dict[int, dict[str, int]]:
    """Per page (from 0): squeezed heading -> level (from 1)."""
    import pypdfium2

    headings: dict[int, dict[str, int]] = {}
    try:
        for count, mark in enumerate(document.get_toc(max_depth=6)):
            target, name = mark.get_dest(), squeezed(mark.get_title())
            if count > MOST_HEADINGS:
                break
            if target is not None and name and target.get_index() is not None:
                headings.setdefault(target.get_index(), {})[name] = min(6, mark.level + 1)
    except pypdfium2.PdfiumError:
        return {}
    return headings


def _marked(page: list[str], headings: dict[str, int]) -> list[str]:
    """The paragraphs of a page with `#` before those that are bookmarks; other `#` at a line's
    start are escaped.
    """
    lines = []
    for text in page:
        level = headings.get(squeezed(text))
        lines.append(f"{'#' * level} {text}" if level else re.sub(r"^(?=#)", r"\\", text))
    return lines


def squeezed(text: str) -> str:
    """Letters and digits alone, small: what two ways of setting a heading have in common."""
    return "".join(c for c in text.casefold() if c.isalnum())
