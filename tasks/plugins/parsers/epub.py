"""Electronic books."""

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import unquote

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers._containers import DAMAGED, Package, refuse_bomb
from llmops.tasks.plugins.parsers._metadata import hidden_texts, sensible
from llmops.tasks.plugins.parsers.html import document, whole_text
from llmops.tasks.plugins.parsers.html.hidden import taken_out
from llmops.tasks.plugins.parsers.markdown import only_heading

if TYPE_CHECKING:
    from lxml import etree


CONTAINER: Final = "META-INF/container.xml"
CHAPTERS: Final = ("application/xhtml+xml", "text/html")


class EpubParser(Parser):
    """Markdown of all chapters in reading order, as web pages are read, without the table of
    contents that readers' programs show. What a reader does not see stands in `hidden_text`.
    """

    media_types: ClassVar[tuple[str, ...]] = ("application/epub+zip",)
    revision: ClassVar[int] = 4

    def parse(self, data: bytes, media_type: str) -> Parsed:
        refuse_bomb(data)
        book = Package(data)
        place = book.xml(CONTAINER).xpath("string(//*[local-name()='rootfile']/@full-path)")
        if not place:
            raise DocumentError(DAMAGED.format("it does not say which of its parts is the book"))
        root = book.xml(str(place))
        texts, unseen = list[str](), list[str]()
        for name in _chapters(root, str(place)):
            tree = document(book.raw(name))
            unseen += taken_out(tree)
            texts.append(whole_text(tree))
        text = "\n\n".join(each for each in texts if each)
        title = sensible(root.xpath("string(//*[local-name()='title'])")) or only_heading(text)
        return Parsed(
            text=text,
            markup="markdown",
            title=title,
            media_type=media_type,
            metadata=hidden_texts(unseen),
        )


def _chapters(book: "etree._Element", place: str) -> Iterator[str]:
    """The names of the chapters in reading order."""
    folder = posixpath.dirname(place)
    parts = {
        each.get("id"): each
        for each in book.xpath("//*[local-name()='manifest']/*[local-name()='item']")
    }
    for reference in book.xpath("//*[local-name()='spine']/*[local-name()='itemref']"):
        part = parts.get(reference.get("idref"))
        if part is None or part.get("media-type") not in CHAPTERS:
            continue
        if "nav" not in part.get("properties", "").split():
            yield posixpath.normpath(posixpath.join(folder, unquote(part.get("href", ""))))
