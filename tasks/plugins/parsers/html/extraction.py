"""Which blocks of a page are its main text. trafilatura finds it; its blocks are taken from the
page itself, so that tables, code and lists keep their form, and those within it that trafilatura
drops are kept.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from itertools import islice
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers.html.asides import without_asides
from llmops.tasks.plugins.parsers.html.inline import LISTS
from llmops.tasks.plugins.parsers.html.likeness import alike
from llmops.tasks.plugins.parsers.html.page_blocks import WORD, PageBlock, markdown

if TYPE_CHECKING:
    from lxml import etree


CHROME: Final = (
    "//nav|//footer|//aside|//header[not(ancestor::article or ancestor::main)]|//form|//dialog|"
    "//*[@role='navigation' or @role='banner' or @role='contentinfo' or @role='search']"
)
ADMONITION: Final = re.compile(
    r"\b(?:admonition|alert|attention|callout|caution|danger|hint|important|info|note|notice|tip"
    r"|warning)\b",
    re.IGNORECASE,
)
"""Of the class, role or label of an `aside` that belongs to the text."""
NAMED_FRAME: Final = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|menu|mainmenu|sidebar|footer|header|breadcrumbs?|related)"
    r"(?:$|[\s_-])",
    re.IGNORECASE,
)
MOST_LINKS: Final = 20
MOST_CHROME: Final = 0.4
"""What holds a larger share of the words outside links is no frame, whatever its name: some pages
stand in a form as a whole.
"""
SHARE: Final = 0.4
"""Where less of the page's own words is left, and"""
PROSE: Final = 100
"""fewer words of running text than this, the page is a list, a shop or a form, and no article: it
is taken without its frame. Both were chosen on one half of the pages of `benchmarks/main_text.py`.
"""
LEAST_PROSE: Final = 20
RUN: Final = 4
SHARES: Final = (1.0, 0.9, 0.75, 0.5)
STRUCTURED: Final = {"table", "code"}
SENTENCE: Final = 5
"""Words."""
ENDED: Final = re.compile(r"[.!?…:;。！？؟।”\"»)*]\W*\Z")
NUMBERED: Final = re.compile(r"\W*[^\W\d_]{1,12}\.?\s?\d{1,3}\W")
NEAR: Final = 2
ITEM: Final = 10
"""Words outside links of a list's items, on average: shorter ones are buttons, tags, bylines."""


def main_text(page: str, blocks: Sequence[PageBlock], frame: "Set[etree._Element]") -> str:
    """The main text of a serialised page with these blocks, as Markdown; `frame`: its menus,
    headers, footers, side bars.
    """
    found = said(page)
    if sum(_size(block) for block in blocks) < len(WORD.findall(found)) / 2:
        return found  # it stands in the page's data, not in its elements
    own = own_blocks(blocks, frame)
    main = _named_in(found, blocks)
    main |= alike(found, blocks, main)
    if not main or _is_no_article(blocks, main, own):
        return markdown([block for at, block in enumerate(blocks) if at in main or at in own])
    main = without_asides(blocks, main)
    first, last = min(main), max(main)
    within = {at for at in own if first < at < last and not _leads_away(blocks[at])}
    kept = main | {at for at in within if blocks[at].kind in STRUCTURED}
    kept |= _items_of_text(blocks, main) & within
    kept |= _among_siblings(blocks, main, within)
    kept |= {at for at in within if blocks[at].kind == "heading" and at + 1 in kept}
    return markdown([blocks[at] for at in sorted(kept)])


def said(page: str) -> str:
    """The main text of a serialised page by trafilatura, also where it stands in the page's data
    alone; "" where there is none.
    """
    import trafilatura

    return trafilatura.extract(page) or ""


def is_framed(tree: "etree._Element") -> bool:
    """Whether a page has a menu, a header, a footer or a side bar, by names, roles or classes, or
    so many links that something of the kind must be there.
    """
    if len(tree.xpath("//a[@href]")) > MOST_LINKS:
        return True
    return bool(_chrome(tree)) or any(
        NAMED_FRAME.search(f"{each.get('class') or ''} {each.get('id') or ''}")
        for each in tree.iter("div", "ul", "td", "table", "section")
    )


def frame_of(tree: "etree._Element") -> "Set[etree._Element]":
    """The elements that frame the content, by their names and roles."""
    total = _own_words(tree)
    return {each for each in _chrome(tree) if _own_words(each) <= MOST_CHROME * total}


def _chrome(tree: "etree._Element") -> "list[etree._Element]":
    return [each for each in tree.xpath(CHROME) if each.tag != "aside" or not _is_admonition(each)]


def _is_admonition(aside: "etree._Element") -> bool:
    named = " ".join(aside.get(key) or "" for key in ("class", "role", "aria-label"))
    return bool(ADMONITION.search(named.replace("_", " ")))


def own_blocks(blocks: Sequence[PageBlock], frame: "Set[etree._Element]") -> set[int]:
    """The places of the blocks outside the frame; within `<main>`, where most of them are."""
    outside = {
        at
        for at, block in enumerate(blocks)
        if not any(each in frame for each in (block.element, *block.element.iterancestors()))
    }
    within = {at for at in outside if _in_main(blocks[at].element)}
    return within if _unlinked(blocks, within) > SHARE * _unlinked(blocks, outside) else outside


def _in_main(element: "etree._Element") -> bool:
    around = (element, *element.iterancestors())
    return any(each.tag == "main" or each.get("role") == "main" for each in around)


def _own_words(element: "etree._Element") -> int:
    """How many words stand below an element, outside links."""
    in_links = sum(len(WORD.findall("".join(each.itertext()))) for each in element.iter("a"))
    return max(0, len(WORD.findall(" ".join(element.itertext()))) - in_links)


def _items_of_text(blocks: Sequence[PageBlock], main: Set[int]) -> set[int]:
    """The places of the items in lists of which some is main text, or whose items are sentences."""
    lists: dict[etree._Element | None, set[int]] = {}
    for at, block in enumerate(blocks):
        if block.kind == "item" or at in main:
            lists.setdefault(_outermost_list(block.element), set()).add(at)
    kept = set[int]()
    for places in lists.values():
        items = {at for at in places if blocks[at].kind == "item"}
        sentences = len(items) > 1 and _unlinked(blocks, items) >= ITEM * len(items)
        if sentences or not places.isdisjoint(main):
            kept |= items
    return kept


def _among_siblings(blocks: Sequence[PageBlock], main: Set[int], within: Set[int]) -> set[int]:
    """The places of sentences that stand beside the main text before and after them, in the same
    part of the page: in a box, a form, an element that is seldom used.
    """
    order, kept = sorted(main), set[int]()
    for at in within - main:
        if not _is_sentence(blocks[at]):
            continue
        place = bisect_left(order, at)
        beside = [blocks[each].element for each in (order[place - 1], order[place])]
        if all(_are_near(blocks[at].element, each) for each in beside):
            kept.add(at)
    return kept


def _is_sentence(block: PageBlock) -> bool:
    """A caption is one where it has a number, to which the text refers; others say little."""
    if block.kind != "text" or block.linked or _size(block) < SENTENCE:
        return False
    around = islice((block.element, *block.element.iterancestors()), NEAR + 1)
    if any(each.tag == "figure" for each in around):
        return bool(NUMBERED.match(block.text))
    return bool(ENDED.search(block.text))


def _are_near(one: "etree._Element", other: "etree._Element") -> bool:
    """Whether a few levels above both is one element."""
    above = [one, *islice(one.iterancestors(), NEAR)]
    return any(each in above for each in (other, *islice(other.iterancestors(), NEAR)))


def _outermost_list(element: "etree._Element") -> "etree._Element | None":
    around = [each for each in (element, *element.iterancestors()) if each.tag in (*LISTS, "dl")]
    return around[-1] if around else None


def _named_in(said: str, blocks: Sequence[PageBlock]) -> set[int]:
    """The places of the blocks that a text consists of: each run of words and each line of it
    stands for one block only, since pages announce what they say. The block that is in the text as
    a whole goes before one that shares words with it: a caption, a summary.
    """
    words = WORD.findall(said.lower())
    lines = Counter(tuple(WORD.findall(line)) for line in said.lower().split("\n"))
    runs, places = _runs(words), set[int]()
    for at, block in enumerate(blocks):
        line = tuple(block.words)
        if 0 < len(line) < RUN and lines[line] > 0:
            lines[line] -= 1
            places.add(at)
    left = {at: _runs(block.words) for at, block in enumerate(blocks) if len(block.words) >= RUN}
    for share in SHARES:
        for at, mine in list(left.items()):
            if (mine & runs).total() >= share * mine.total():
                runs -= mine
                places.add(at)
                del left[at]
    return places | _short_in(_runs(words), blocks, places)


def _short_in(
    runs: Mapping[tuple[str, ...], int], blocks: Sequence[PageBlock], places: Set[int]
) -> set[int]:
    """The places of blocks of few words that stand in a text, in one line with their neighbours'
    words: a label, its value.
    """
    found = set[int]()
    for at, block in enumerate(blocks):
        own = block.words
        if at in places or not 0 < len(own) < RUN:
            continue
        room = RUN - len(own)
        before = [word for each in blocks[max(0, at - room) : at] for word in each.words][-room:]
        after = [word for each in blocks[at + 1 : at + 1 + room] for word in each.words][:room]
        around = [*before, *own, *after]
        if any(tuple(around[n : n + RUN]) in runs for n in range(len(around) - RUN + 1)):
            found.add(at)
    return found


def _runs(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[at:] for at in range(RUN)), strict=False))


def _is_no_article(blocks: Sequence[PageBlock], main: Set[int], own: Set[int]) -> bool:
    prose = sum(
        _size(blocks[at])
        for at in main
        if blocks[at].kind in ("text", "item")
        and _size(blocks[at]) >= LEAST_PROSE
        and not _leads_away(blocks[at])
    )
    return prose < PROSE and _unlinked(blocks, main & own) < SHARE * _unlinked(blocks, own)


def _unlinked(blocks: Sequence[PageBlock], places: Set[int]) -> int:
    return sum(max(0, _size(blocks[at]) - blocks[at].linked) for at in places)


def _size(block: PageBlock) -> int:
    return len(block.words)


def _leads_away(block: PageBlock) -> bool:
    return block.linked > _size(block) / 2
