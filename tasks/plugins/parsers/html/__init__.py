"""Web pages: the main text, without menus and footers, and never without text."""

import re
from typing import TYPE_CHECKING, ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers import _xberg as xberg
from llmops.tasks.plugins.parsers._metadata import hidden_texts
from llmops.tasks.plugins.parsers.html.hidden import taken_out
from llmops.tasks.texts.charset import decode

if TYPE_CHECKING:
    from lxml import html


DECLARED = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w-]+)""",
    re.IGNORECASE,
)
PROLOGUE = re.compile(r"^\s*<\?xml[^>]*\?>")
SILENT = "//script|//style|//template|//noscript|//svg|//iframe|//object|//head/link|//comment()"
CHROME = (
    "//nav|//footer|//aside|//header[not(ancestor::article or "
    "ancestor::main)]|//form[.//input]|//dialog|"
    "//*[@role='navigation' or @role='banner' or @role='contentinfo' or @role='search' or "
    "@aria-hidden='true']"
)
KEPT = 0.75
WORD = re.compile(r"\w+")


class HtmlParser(Parser):
    """Markdown of the main text by trafilatura where the page has menus, footers or side bars; of
    the whole page where it has none, or where less than three quarters of the words outside them
    and outside links would be left. What a reader does not see stands in the metadata `hidden_text`
    instead."""

    media_types: ClassVar[tuple[str, ...]] = ("text/html", "application/xhtml+xml")
    revision: ClassVar[int] = 3

    def parse(self, data: bytes, media_type: str) -> Parsed:
        tree = document(data)
        title = tree.xpath("string(//head/title)") or tree.xpath("string(//h1)")
        language = (
            tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
        )[:2].lower()
        unseen = hidden_texts(taken_out(tree))
        _remove(tree, SILENT)
        page = serialised(tree)
        framed = bool(tree.xpath(CHROME))
        _remove(tree, CHROME)
        text = (
            (_main(page, tree) if framed else "") or _whole(tree) or _whole(document(page.encode()))
        )
        metadata = unseen | ({"language": language} if language.isalpha() else {})
        return Parsed(
            text=text,
            markup="markdown",
            title=" ".join(title.split()) or None,
            media_type=media_type,
            metadata=metadata,
        )


def document(data: bytes) -> "html.HtmlElement":
    """The page as an lxml tree. Raises DocumentError when there is nothing in it."""
    from lxml import etree, html

    declaration = DECLARED.search(data[:4096])
    declared = (
        next((name.decode() for name in declaration.groups() if name), "") if declaration else ""
    )
    text = PROLOGUE.sub("", decode(data, declared)[0]).replace("\x00", "")
    try:
        return html.document_fromstring(
            text, parser=html.HTMLParser(encoding="utf-8", huge_tree=True, remove_pis=True)
        )
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise DocumentError("the page is empty or no HTML") from error


def serialised(tree: "html.HtmlElement") -> str:
    from lxml import html

    page: str = html.tostring(tree, encoding="unicode")
    return page


def _remove(tree: "html.HtmlElement", where: str) -> None:
    """Take elements out, but not the text that follows them."""
    for element in tree.xpath(where):
        if element.getparent() is not None:
            element.drop_tree()


def _main(page: str, content: "html.HtmlElement") -> str:
    """The main text; "" where too much of the content would be lost."""
    import trafilatura

    text = (
        trafilatura.extract(
            page,
            output_format="markdown",
            include_tables=True,
            include_formatting=True,
            favor_recall=True,
            include_comments=True,
            deduplicate=False,
        )
        or ""
    )
    in_links = sum(_words(link.text_content()) for link in content.iter("a"))
    needed = KEPT * max(0, _words(content.text_content()) - in_links)  # menus consist of links
    return text if _words(text) >= needed else ""


def _words(text: str) -> int:
    return len(WORD.findall(text))


def _whole(tree: "html.HtmlElement") -> str:
    """All the text there is, as Markdown; link targets and pictures are no text, their names
    are.
    """
    for picture in tree.iter("img"):
        picture.tail = f" {picture.get('alt') or ''} {picture.tail or ''}"
    for element in [*tree.iter("a", "img")]:
        element.drop_tag()
    page = serialised(tree)
    return xberg.markdown(page.encode(), "text/html").text or " ".join(tree.text_content().split())
