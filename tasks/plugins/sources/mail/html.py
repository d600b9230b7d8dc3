"""HTML of mails: without the quotes that mail programs mark, and as plain text."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

QUOTES = (
    "//blockquote[@type='cite']",
    "//*[contains(concat(' ', @class, ' '), ' gmail_quote ')]",
    "//*[contains(@class, 'yahoo_quoted') or contains(@class, 'protonmail_quote') or "
    "contains(@class, 'moz-cite-prefix')]",
    "//*[@id='divRplyFwdMsg' or @id='appendonsend' or @id='reply-intro']/following-sibling::*",
    "//*[@id='divRplyFwdMsg' or @id='appendonsend' or @id='reply-intro']",
    "//*[contains(@class, 'gmail_signature') or contains(@class, 'moz-signature') or "
    "@id='Signature']",
)
BREAKS = {
    "p",
    "div",
    "br",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "hr",
    "section",
}
UNSEEN = "//script|//style|//head|//noscript|//template"


def own_html(html: str) -> str:
    """The HTML without quotes and signatures, as it is where nothing would be left or it cannot be
    parsed.
    """
    from lxml.html import tostring

    tree = _tree(html)
    if tree is None:
        return html
    for path in QUOTES:
        for element in tree.xpath(path):
            if element.getparent() is not None:
                element.drop_tree()
    return str(tostring(tree, encoding="unicode")) if _text(tree).strip() else html


def plain_text(html: str) -> str:
    """The text of HTML, a line per block."""
    tree = _tree(html)
    return "" if tree is None else _text(tree)


def _tree(html: str) -> "HtmlElement | None":
    """The document, None where there is none."""
    from lxml.etree import LxmlError
    from lxml.html import document_fromstring

    try:
        return document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", html))
    except (LxmlError, ValueError, AssertionError):
        return None


def _text(tree: "HtmlElement") -> str:
    from lxml.etree import iterwalk

    unseen = {inner for found in tree.xpath(UNSEEN) for inner in found.iter()}
    pieces: list[str] = []
    for event, element in iterwalk(tree, events=("start", "end")):
        if event == "start":
            pieces.append("\n" if element.tag in BREAKS else "")
            shown = element not in unseen and isinstance(element.tag, str)
            pieces.append((element.text or "").replace("\n", " ") if shown else "")
        else:
            pieces.append("\n" if element.tag in BREAKS and element.tag != "br" else "")
            parent = element.getparent()
            pieces.append(
                (element.tail or "").replace("\n", " ")
                if parent is None or parent not in unseen
                else ""
            )
    lines = [" ".join(line.split()) for line in "".join(pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
