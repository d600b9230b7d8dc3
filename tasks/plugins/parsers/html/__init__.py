"""Web pages: the main text, without menus and footers, and never without text."""

import re
from typing import TYPE_CHECKING, ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers._metadata import hidden_texts
from llmops.tasks.plugins.parsers.html.extraction import frame_of, is_framed, main_text, said
from llmops.tasks.plugins.parsers.html.hidden import taken_out
from llmops.tasks.plugins.parsers.html.page_blocks import PageBlock, blocks, markdown
from llmops.tasks.texts.charset import decode

if TYPE_CHECKING:
    from lxml import html


CUT = "ERR_RESOURCE_LIMIT"
"""What libxml2 notes where it has stopped reading."""
DECLARED = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w-]+)""",
    re.IGNORECASE,
)
PROLOGUE = re.compile(r"^\s*<\?xml[^>]*\?>")
SILENT = "//script|//style|//template|//svg|//iframe|//object|//head/link|//comment()"
ICON = "//*[@aria-hidden='true'][not(*)][string-length(normalize-space()) < 30]"
"""Names of icons and marks beside headings, where they are one word; seen is what is longer."""


class HtmlParser(Parser):
    """Markdown of the main text where the page has menus, footers or side bars; of the whole page
    where it has none, and without these where it is no article but a list, a form or a shop. What a
    reader does not see stands in the metadata `hidden_text` instead."""

    media_types: ClassVar[tuple[str, ...]] = ("text/html", "application/xhtml+xml")
    revision: ClassVar[int] = 6

    def parse(self, data: bytes, media_type: str) -> Parsed:
        tree = document(data)
        title = tree.xpath("string(//head/title)") or tree.xpath("string(//h1)")
        language = (
            tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
        )[:2].lower()
        unseen = hidden_texts(taken_out(tree))
        metadata = unseen | ({"language": language} if language.isalpha() else {})
        return Parsed(
            text=text_of(tree),
            markup="markdown",
            title=" ".join(title.split()) or None,
            media_type=media_type,
            metadata=metadata,
        )


def text_of(tree: "html.HtmlElement") -> str:
    """The text of a page as Markdown: the main text of one with a frame, else all of it."""
    _remove(tree, SILENT)
    without_scripts = tree.xpath("//noscript")
    _remove(tree, "//noscript")
    for icon in tree.xpath(ICON):
        if len(icon.text_content().split()) == 1:
            icon.text = None
    shown = _shown(tree)
    if not shown:
        replaced = [block for each in without_scripts for block in blocks(each)]
        return said(serialised(tree)) or markdown(replaced)
    if not is_framed(tree):
        return markdown(shown)
    return main_text(serialised(tree), shown, frame_of(tree))


def whole_text(tree: "html.HtmlElement") -> str:
    """All the text of a page as Markdown, menus and footers too."""
    _remove(tree, SILENT)
    return markdown(_shown(tree))


def _shown(tree: "html.HtmlElement") -> list[PageBlock]:
    """The blocks of a page without its head: what stands there is about the page, not in it."""
    return [block for part in tree if part.tag != "head" for block in blocks(part)]


def document(data: bytes) -> "html.HtmlElement":
    """The page as an lxml tree. Raises DocumentError when there is nothing in it, or when it is
    nested so deeply that libxml2 leaves out the rest.
    """
    from lxml import etree, html

    declaration = DECLARED.search(data[:4096])
    declared = (
        next((name.decode() for name in declaration.groups() if name), "") if declaration else ""
    )
    text = PROLOGUE.sub("", decode(data, declared)[0]).replace("\x00", "")
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_pis=True)
    try:
        page = html.document_fromstring(text, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise DocumentError("the page is empty or no HTML") from error
    if any(each.type_name == CUT for each in parser.error_log):
        raise DocumentError(
            "more than 2,048 elements of the page lie in each other: what is deeper, and all after "
            "it, cannot be read"
        )
    return page


def serialised(tree: "html.HtmlElement") -> str:
    from lxml import html

    page: str = html.tostring(tree, encoding="unicode")
    return page


def _remove(tree: "html.HtmlElement", where: str) -> None:
    """Take elements out, but not the text that follows them."""
    for element in tree.xpath(where):
        if element.getparent() is not None:
            element.drop_tree()
