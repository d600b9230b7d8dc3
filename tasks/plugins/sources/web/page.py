"""What a crawler wants to know of a page: its bytes in one character set, its links, what it says
of itself.
"""

import codecs
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers.html import document
from llmops.tasks.plugins.sources.web.urls import normal

if TYPE_CHECKING:
    from lxml.html import HtmlElement

HTML = ("text/html", "application/xhtml+xml")
TOLD = (*HTML, "text/markdown")
CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
LOOKS = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
WIDER = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
}
"""What browsers read under a name: the larger set that servers mean by it (https://encoding.spec.whatwg.org)."""


class PageFacts(BaseModel):
    """Of one page. `links`: normal addresses in the order of the page; `canonical`: what it wants
    to be called, "" for nothing; `likeness`: a hash of its title; `index`: whether it may be shown
    to searchers."""

    model_config = ConfigDict(frozen=True)
    links: tuple[str, ...] = ()
    canonical: str = ""
    likeness: str = ""
    index: bool = True


def is_html(media_type: str, data: bytes) -> bool:
    """Whether an answer is a web page: it says so, or says nothing and looks like one."""
    return media_type in HTML or (not media_type and bool(LOOKS.search(data[:2048])))


def told(media_type: str, data: bytes) -> str:
    """The media type that the parser shall believe; "" where the bytes know better."""
    return (
        media_type if media_type in TOLD and (media_type not in HTML or b"<" in data[:4096]) else ""
    )


def one_charset(data: bytes, content_type: str) -> bytes:
    """Text of a page as UTF-8 with its mark, where the header names the character set and the bytes
    agree with it.

    A mark in the bytes goes before the header, the header before what the page says. Bytes that are
    UTF-8 beyond ASCII are UTF-8, whatever anybody says. In all other cases the bytes stay, and the
    parser finds out.
    """
    if data.startswith(MARKS) or (data.isascii() and b"\x1b" not in data):
        return data
    named = CHARSET.search(content_type)
    for name in ("utf-8", named[1] if named else ""):
        text = _decoded(data, name)
        if text is not None and not (name == "utf-8" and text.isascii()):
            return codecs.BOM_UTF8 + text.encode()
    return data


def unified(data: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes of an answer as the source gives them: text in one character set, anything else as
    it is.
    """
    said = headers.get("content-type", "")
    kind = said.split(";")[0].strip().lower()
    return one_charset(data, said) if kind.startswith("text/") or is_html(kind, data) else data


def _decoded(data: bytes, name: str) -> str | None:
    try:
        own = codecs.lookup(name).name if name else ""
        return data.decode(WIDER.get(own, own)) if own else None
    except (LookupError, UnicodeError):
        return None


def facts(
    data: bytes, url: str, headers: Mapping[str, str], ignored: Sequence[str], *, heed: bool
) -> PageFacts:
    """Of a page that was found at `url`. With `heed`, its wishes for robots count (noindex,
    nofollow).
    """
    try:
        tree = document(data)
    except DocumentError:
        return PageFacts()
    wishes = ",".join(
        [
            headers.get("x-robots-tag", ""),
            *tree.xpath("//meta[translate(@name,'ROBTS','robts')='robots']/@content"),
        ]
    ).lower()
    bases = tree.xpath("//head/base/@href")
    base = (normal(str(bases[0]), url) if bases else None) or url
    words = {one.strip() for one in wishes.split(",")} if heed else set()
    title = " ".join(str(tree.xpath("string(//head/title)")).split())
    names = [
        normal(str(one), base, ignored) for one in tree.xpath("//head/link[@rel='canonical']/@href")
    ]
    return PageFacts(
        links=() if words & {"nofollow", "none"} else _links(tree, base, ignored),
        canonical=next(filter(None, names), None) or "",
        likeness=hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:16] if title else "",
        index=not words & {"noindex", "none"},
    )


def _links(tree: "HtmlElement", base: str, ignored: Sequence[str]) -> tuple[str, ...]:
    links = [
        str(one)
        for one in tree.xpath("//a/@href | //area/@href | //frame/@src | //link[@rel='next']/@href")
    ]
    for refresh in tree.xpath("//meta[translate(@http-equiv,'REFSH','refsh')='refresh']/@content"):
        links += [
            match[1]
            for match in [re.search(r"url\s*=\s*[\"']?([^\"']+)", str(refresh), re.IGNORECASE)]
            if match
        ]
    addresses = (
        normal(one, base, ignored)
        for one in dict.fromkeys(one.split("#")[0] for one in links)
        if one
    )
    return tuple(dict.fromkeys(one for one in addresses if one))
