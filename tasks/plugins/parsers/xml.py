"""XML: articles (JATS, DocBook, patents) by their sections, everything else by its texts."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers._containers import xml_parser
from llmops.tasks.plugins.parsers.markdown import markdown_table

if TYPE_CHECKING:
    from lxml import etree


TITLES = {
    "title",
    "article-title",
    "invention-title",
    "heading",
    "head",
    "book-title",
    "label-title",
}
BODY = {"body", "abstract", "sec", "description", "section", "chapter", "front", "back", "book"}
RUNNING = {
    "p",
    "para",
    "simpara",
    "claim-text",
    "text",
    "li",
    "caption",
    "td",
    "th",
    "entry",
    "term",
    "def",
    *TITLES,
}
SKIPPED = {
    "journal-meta",
    "permissions",
    "script",
    "style",
    "xref-list",
    "self-uri",
    "counts",
    "custom-meta-group",
}
ROOT_TITLE = (
    ".//*[local-name()='article-title' or local-name()='invention-title' or local-name()='title']"
)
CLOSED = re.compile(rb"</[^<>]+>\s*\Z")
LONGEST_TITLE = 300


class XmlParser(Parser):
    """Markdown: titles are headings, as deep as their sections; paragraphs are paragraphs; tables
    are tables.
    """

    media_types: ClassVar[tuple[str, ...]] = ("application/xml", "text/xml", "application/*+xml")
    revision: ClassVar[int] = 3

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
        if root is None or local(root).encode() not in data[-200:].lower():
            raise DocumentError(
                f"the XML is damaged or was cut off: {error}; take it from its origin again"
            ) from error
        return root


def local(element: "etree._Element") -> str:
    return str(element.tag).rsplit("}", 1)[-1].lower()


def running(element: "etree._Element") -> str:
    """All the text below an element on one line."""
    return " ".join("".join(element.itertext()).split())


def blocks(element: "etree._Element", depth: int) -> Iterator[str]:
    """The texts below an element, in order. An element with text of its own is one block, with all
    that is in it.
    """
    for child in element.iterchildren("*"):
        name = local(child)
        if name in SKIPPED:
            continue
        if name in ("table", "tgroup"):
            yield _table(child)
        elif name in TITLES:
            yield f"{'#' * min(6, depth + 1)} {text}" if (text := running(child)) else ""
        elif name in RUNNING or _has_text(child) or not len(child):
            yield running(child)
        elif _is_record(child):
            yield " ".join(" ".join(child.itertext()).split())
        else:
            yield from blocks(child, depth + (name in BODY))


def _has_text(element: "etree._Element") -> bool:
    own = [element.text, *(child.tail for child in element.iterchildren("*"))]
    return any(re.search(r"\w", text) for text in own if text)


def _is_record(element: "etree._Element") -> bool:
    """Whether an element holds only some short values, such as a name or an address: they belong on
    one line.
    """
    below = {local(each) for each in element.iter("*")} & {*RUNNING, "table"}
    return not below and len(running(element)) <= LONGEST_TITLE


def _table(table: "etree._Element") -> str:
    rows = [row for row in table.iter("*") if local(row) in ("tr", "row")]
    return markdown_table(
        [[running(cell) for cell in row.iterchildren("*")] for row in rows]
    ) or running(table)
