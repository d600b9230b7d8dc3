"""XML: articles (JATS, DocBook, patents) by their sections, everything else by its texts."""

import re
from typing import TYPE_CHECKING, ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers._containers import xml_parser
from llmops.tasks.plugins.parsers.xml.inline import running
from llmops.tasks.plugins.parsers.xml.xml_blocks import blocks
from llmops.tasks.texts.mathml import name_of

if TYPE_CHECKING:
    from lxml import etree


ROOT_TITLE = (
    ".//*[local-name()='article-title' or local-name()='invention-title' or local-name()='title']"
)
CLOSED = re.compile(rb"</[^<>]+>\s*\Z")
LONGEST_TITLE = 300


class XmlParser(Parser):
    """Markdown: titles are headings, as deep as their sections; paragraphs are paragraphs; tables
    are tables; lists have their numbers, code its lines, formulas their powers and fractions.
    """

    media_types: ClassVar[tuple[str, ...]] = ("application/xml", "text/xml", "application/*+xml")
    revision: ClassVar[int] = 4

    def parse(self, data: bytes, media_type: str) -> Parsed:
        root = _root(data.strip())
        named = root.xpath(ROOT_TITLE)
        title = running(named[0]) if named else None
        text = "\n\n".join(block for block in blocks(root, 0) if block)
        return Parsed(
            text=text,
            markup="markdown",
            media_type=media_type,
            title=title if title and len(title) <= LONGEST_TITLE else None,
        )


def _root(data: bytes) -> "etree._Element":
    """The root element; of sloppy XML as much as can be read, of XML that was cut off nothing.
    Raises DocumentError.
    """
    from lxml import etree

    try:
        return etree.fromstring(data, xml_parser(recover=False))
    except (etree.XMLSyntaxError, ValueError) as error:
        root = etree.fromstring(data, xml_parser()) if CLOSED.search(data[-200:]) else None
        if root is None or name_of(root).encode() not in data[-200:].lower():
            raise DocumentError(
                f"the XML is damaged or was cut off: {error}; take it from its origin again"
            ) from error
        return root
