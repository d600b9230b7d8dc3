"""PDF: the text layer, page by page."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers._metadata import hidden_texts, sensible
from llmops.tasks.plugins.parsers.pdf.hidden import PageText, parted

if TYPE_CHECKING:
    import pypdfium2


SCANNED = (
    "the PDF has {} and no text: it is probably a scan or a drawing. Recognising text in pictures "
    "(OCR) is not part of this; run an OCR tool on it first"
)
WHY = {
    "password": "the PDF is protected by a password; save a copy without one",
    "security": "the PDF is protected in a way that cannot be opened; save a copy without "
    "protection",
}
MOST_HEADINGS = 5000
TITLE_WITHIN = 5000
"""Characters from the start, in which a title stands that belongs to the text."""
BREAK = re.compile(r"[\x02\ufffe\u00ad]+[ \t]*(?:\r?\n)?")
ITEM = re.compile(r"(?:[•▪◦‣●■□–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)]|[○◆◇※]|\d+(?:\.\d+)+\.?)\s")
LEADERS = re.compile(r"(?:\s?\.){5,}\s*|…{2,}\s*")
FINAL = (".", "!", "?", ":", "。", "！", "？", "：", "؟", ".”", '."', ".)")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef\u3001-\u303f]")


class PdfParser(Parser):
    """Lines are joined to paragraphs, a form feed stands between pages. The PDF's own bookmarks,
    where they stand in the text as a paragraph of their own, become headings; without bookmarks the
    text is plain. Text that nobody sees (invisible over no picture, of the colour behind it,
    covered, cut off, off the page, tiny) stands in the metadata `hidden_text` instead."""

    media_types: ClassVar[tuple[str, ...]] = ("application/pdf",)
    revision: ClassVar[int] = 3

    def parse(self, data: bytes, media_type: str) -> Parsed:
        document = _opened(data)
        try:
            shown = list(_texts(document))
            pages = [paragraphs(page.seen) for page in shown]
            headings = _bookmarks(document)
            title = sensible(document.get_metadata_value("Title"))
        finally:
            document.close()
        if not any(pages):
            raise DocumentError(
                SCANNED.format(f"{len(pages)} pages" if len(pages) != 1 else "one page")
            )
        empty = sum(not page for page in pages)
        marked = (
            [_marked(page, headings.get(number, {})) for number, page in enumerate(pages)]
            if headings
            else pages
        )
        text = "\n\f\n".join("\n\n".join(page) for page in marked)
        return Parsed(
            text=text,
            markup="markdown" if headings else "plain",
            media_type=media_type,
            title=title if title and squeezed(title) in squeezed(text[:TITLE_WITHIN]) else None,
            metadata={"pages": len(pages)}
            | ({"pages_without_text": empty} if empty else {})
            | hidden_texts(text for page in shown for text in page.unseen),
        )


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


def _texts(document: "pypdfium2.PdfDocument") -> Iterator[PageText]:
    """The text of every page; none for one that is damaged."""
    import pypdfium2

    for number in range(len(document)):
        try:
            page = document[number]
            layer = page.get_textpage()
        except pypdfium2.PdfiumError:
            yield PageText("", [])
            continue
        yield parted(page, layer)
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


def paragraphs(page: str) -> list[str]:
    """The paragraphs of a page's text, in its order. Hyphenation is undone.

    A line ends one where it is short for its page and ends a sentence, where the next line begins
    an item, or where it looks like a line of a table of contents.
    """
    lines = [
        " ".join(LEADERS.sub(" … ", line).split()) for line in BREAK.sub("", page).splitlines()
    ]
    lengths = sorted(len(line) for line in lines if line)
    width = lengths[len(lengths) * 9 // 10] if lengths else 0  # of a full line: few are longer
    texts: list[str] = []
    last = ""
    for line in lines:
        if not line or not last or _ends(last, line, width):
            texts += [line] if line else []
        else:
            texts[-1] = joined(texts[-1], line)
        last = line
    return texts


def _ends(line: str, after: str, width: int) -> bool:
    """Whether a paragraph ends between two lines."""
    if ITEM.match(after) or " … " in line:
        return True
    short = len(line) < 0.6 * width
    if line.endswith(FINAL):
        return len(line) < 0.85 * width
    return short and not after[:1].islower() and not line.endswith((",", "-"))


def joined(first: str, second: str) -> str:
    """Two lines of one paragraph: no blank after a hyphen, nor between characters of scripts that
    know none.
    """
    if first.endswith("-") and len(first) > 1 and first[-2].isalpha() and second[:1].isalpha():
        return first + second
    return (
        first + second if WIDE.match(first[-1:]) and WIDE.match(second[:1]) else f"{first} {second}"
    )
