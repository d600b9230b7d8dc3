"""The blocks of a web page as Markdown: headings, paragraphs, items of lists, code, tables."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers.html.inline import BLOCKS, LISTS, Inline, fenced, inline
from llmops.tasks.plugins.parsers.html.tables import data_table, table_text
from llmops.tasks.texts.numerals import numeral

if TYPE_CHECKING:
    from lxml import etree


DEEPEST: Final = 100
"""Elements within each other; what is deeper is read as running text, not by its elements."""
HEADING: Final = re.compile(r"h[1-6]\Z")
WORD: Final = re.compile(r"\w+")
TYPES: Final = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
LIKE_MARKUP: Final = re.compile(r"(#{1,6}(?=\s)|`{3}|~{3})")
"""What would be a heading or a fence at the beginning of a line, and is none in the page."""


@dataclass
class PageBlock:
    """A part of a page. `tight`: it follows the block before without a blank line, as an item
    follows an item. `linked`: how many of its words lead elsewhere.
    """

    element: "etree._Element"
    text: str
    kind: str = "text"
    tight: bool = False
    linked: int = 0

    @cached_property
    def words(self) -> list[str]:
        return WORD.findall(self.text.lower())


@dataclass(frozen=True)
class BlockPlace:
    """Where a block stands: what its lines begin with, and what its first line begins with."""

    margin: str = ""
    bullet: str = ""
    depth: int = 0

    def within(self, margin: str = "", bullet: str = "") -> "BlockPlace":
        return BlockPlace(self.margin + margin, bullet, self.depth + 1)

    def laid_out(self, text: str) -> str:
        """The text with the marks of what it stands in; its further lines below the first."""
        first, *rest = text.split("\n")
        below = self.margin + " " * len(self.bullet)
        lines = [f"{self.margin}{self.bullet}{first}", *(f"{below}{line}" for line in rest)]
        return "\n".join(line.rstrip() for line in lines)


def markdown(blocks: Sequence[PageBlock]) -> str:
    """Blocks in order, a blank line between those that are not items of one list."""
    pieces = list[str]()
    for block in blocks:
        if pieces:
            pieces.append("\n" if block.tight else "\n\n")
        pieces.append(block.text)
    return "".join(pieces)


def blocks(element: "etree._Element", place: BlockPlace | None = None) -> Iterator[PageBlock]:
    """The blocks below an element in order, none of them empty."""
    place, run = place or BlockPlace(), Inline()
    run.text(element.text)
    for child in element:
        if isinstance(child.tag, str) and _is_block(child, place.depth):
            for block in _paragraph(element, run, place):
                yield block
                place = _after(place)
            for block in _special(child, place):
                yield block
                place = _after(place)
            run = Inline()
        else:
            inline(child, run)
        run.text(child.tail)
    yield from _paragraph(element, run, place)


def _after(place: BlockPlace) -> BlockPlace:
    """The place of what follows: the first block alone stands behind the bullet."""
    return BlockPlace(place.margin + " " * len(place.bullet), "", place.depth)


def _is_block(element: "etree._Element", depth: int) -> bool:
    """Also what is no block itself, but has one within: a link around a whole card."""
    if depth >= DEEPEST:
        return False
    return element.tag in BLOCKS or next(element.iterdescendants(*BLOCKS), None) is not None


def _paragraph(element: "etree._Element", run: Inline, place: BlockPlace) -> Iterator[PageBlock]:
    text = run.done()
    if text:
        text = LIKE_MARKUP.sub(r"\\\1", text, 1) if LIKE_MARKUP.match(text) else text
        yield PageBlock(
            element, place.laid_out(text), "item" if place.bullet else "text", False, run.linked
        )


def _special(element: "etree._Element", place: BlockPlace) -> Iterator[PageBlock]:
    """The blocks of an element by its name."""
    tag = element.tag
    if HEADING.match(tag):
        yield from _heading(element, place)
    elif tag == "pre":
        if code := fenced(element):
            yield PageBlock(element, place.laid_out(code), "code")
    elif tag in LISTS:
        yield from _items(element, place)
    elif tag == "dl":
        yield from _definitions(element, place)
    elif tag == "blockquote":
        yield from blocks(element, place.within("> "))
    elif tag == "table":
        yield from _table(element, place)
    else:
        yield from _inside(element, place)


def _inside(element: "etree._Element", place: BlockPlace) -> Iterator[PageBlock]:
    """What stands in an element without a mark of its own; in a link, all of it leads elsewhere."""
    for block in blocks(element, BlockPlace(place.margin, place.bullet, place.depth + 1)):
        if element.tag == "a" and element.get("href"):
            block.linked = len(block.words)
        yield block


def _heading(element: "etree._Element", place: BlockPlace) -> Iterator[PageBlock]:
    """A heading is one line, without emphasis: it is a name."""
    run = Inline(plain=True)
    run.element(element)
    if text := " ".join(run.done().split()):
        marked = f"{'#' * int(element.tag[1])} {text}"
        yield PageBlock(element, place.laid_out(marked), "heading", False, run.linked)


def _items(element: "etree._Element", place: BlockPlace) -> Iterator[PageBlock]:
    number, first = _start(element), True
    step = -1 if element.get("reversed") is not None else 1
    for item in element:
        if not isinstance(item.tag, str):
            continue
        number = _number(item.get("value")) or number
        numbered = element.tag == "ol" and item.tag == "li"
        form = TYPES.get(element.get("type") or "", "")
        bullet = f"{numeral(number, form)}. " if numbered else "- "
        inner = list(blocks(item, place.within(bullet=bullet)))
        if inner:
            inner[0].tight = not first or bool(place.bullet)
            first = False
            number += step
        for block in inner[1:]:
            block.tight = block.tight or block.kind == "item"
        yield from inner


def _start(element: "etree._Element") -> int:
    counts_down = element.get("reversed") is not None
    return _number(element.get("start")) or (len(element.findall("li")) if counts_down else 1)


def _number(given: str | None) -> int:
    """0 for none."""
    return int(given) if given and given.isascii() and given.isdigit() and len(given) < 7 else 0


def _definitions(element: "etree._Element", place: BlockPlace) -> Iterator[PageBlock]:
    """`**Term**: what it means`, on a line of its own."""
    term: PageBlock | None = None
    for part in element.iter("dt", "dd"):
        if next(part.iterancestors("dl"), None) is not element:
            continue
        inner = list(blocks(part, place.within()))
        if part.tag == "dt":
            if term:
                yield term
            plain = " ".join(block.text.strip().strip("*") for block in inner)
            linked = sum(block.linked for block in inner)
            term = PageBlock(part, f"**{plain}**", "text", False, linked) if plain else None
        elif inner:
            if term and inner[0].kind == "text":
                joined = f"{term.text}: {inner[0].text.strip()}"
                inner[0] = PageBlock(part, joined, "text", False, term.linked + inner[0].linked)
            elif term:
                yield term
            term = None
            yield from inner
    if term:
        yield term


def _table(element: "etree._Element", place: BlockPlace) -> Iterator[PageBlock]:
    """A table of data; of one that only lays the page out, what stands in its cells."""
    if not data_table(element):
        yield from _inside(element, place)
        return
    for caption in element.iterchildren("caption"):
        yield from blocks(caption, place.within())
    text, linked = table_text(element)
    if text:
        yield PageBlock(element, place.laid_out(text), "table", False, linked)
