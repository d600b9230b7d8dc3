"""What an article carries along: what else there is to read, and where to sign up."""

import re
from collections.abc import Iterator, Sequence, Set
from typing import Final

from llmops.tasks.plugins.parsers.html.page_blocks import PageBlock

ASIDE: Final = re.compile(
    r"(?:you (?:may|might) (?:also )?(?:like|enjoy|be interested in)"
    r"|related(?: (?:posts?|articles?|stories|news|content|reading|links|topics|coverage|videos?))?"
    r"|more (?:from|stories|news|on this|like this|in this)\b.*"
    r"|(?:most|trending|popular) (?:read|popular|viewed|posts?|stories|articles|now|on)\b.*"
    r"|trending|recommended(?: (?:for you|reading|articles|posts|stories))?"
    r"|read (?:more|next|also)|what to read next|editor.?s picks?"
    r"|(?:sign up|subscribe)\b.*|.*\bnewsletter\b.*"
    r"|voc[eê] pode gostar.*|leia (?:tamb[eé]m|mais)|veja tamb[eé]m"
    r"|(?:not[ií]cias|artigos|art[ií]culos|noticias|temas) relacionad[oa]s"
    r"|te puede interesar|lea tambi[eé]n"
    r"|[àa] lire (?:aussi|également)|sur le m[eê]me (?:sujet|th[eè]me)"
    r"|articles? (?:liés|similaires|connexes)"
    r"|das k[oö]nnte (?:sie|dich) (?:auch )?interessieren|mehr zum thema|lesen sie auch"
    r"|weitere artikel|potrebbe(?:ro)? interessarti.*|leggi anche|articoli correlati|lees ook"
    r"|читайте также|похожие (?:записи|статьи|материалы)|по теме"
    r"|相关(?:文章|阅读|新闻)|関連記事|こちらもおすすめ|관련 ?(?:기사|글))\W*\Z",
    re.IGNORECASE,
)
"""Headings, and lines that stand for one."""
LONGEST: Final = 9
"""Words of such a heading."""
BEFORE: Final = 0.4
"""The share of an article that stands before the first of them; earlier the words are its own."""
LINKED: Final = 0.9
MOST_LINKED: Final = 0.1
"""Where links alone are a larger share of the words than this, they are what the page is about."""


def without_asides(blocks: Sequence[PageBlock], main: Set[int]) -> set[int]:
    """The places of the main text without those of links alone, and without the sections that say
    what else to read or where to sign up; all of them where nothing else would be left.
    """
    told = set(main) - set(_asides(blocks, sorted(main)))
    links = {
        at
        for at in told
        if blocks[at].kind in ("text", "heading")
        and blocks[at].linked >= LINKED * len(blocks[at].words)
    }
    if _words(blocks, links) <= MOST_LINKED * _words(blocks, told):
        told -= links
    return told or set(main)


def _asides(blocks: Sequence[PageBlock], places: Sequence[int]) -> Iterator[int]:
    """The places of headings of asides, and of what they stand above."""
    first, seen = BEFORE * _words(blocks, places), 0
    level: int | None = None
    for at in places:
        block = blocks[at]
        if level is not None and _ends(block, level):
            level = None
        if seen >= first and _is_named(block):
            level = _level(block) if level is None else min(level, _level(block))
        if level is not None:
            yield at
        seen += len(block.words)


def _is_named(block: PageBlock) -> bool:
    return len(block.words) <= LONGEST and bool(ASIDE.match(block.text.strip("#*->.:»› ")))


def _level(block: PageBlock) -> int:
    """From 1 for the highest heading; a line that is no heading is below all of them."""
    return int(block.element.tag[1]) if block.kind == "heading" else 7


def _ends(block: PageBlock, level: int) -> bool:
    """Whether something else begins: another heading that is no link; below a mere line, all that
    is no link.
    """
    own = block.linked <= len(block.words) / 2
    return own and (level == 7 or (block.kind == "heading" and _level(block) <= level))


def _words(blocks: Sequence[PageBlock], places: Set[int] | Sequence[int]) -> int:
    return sum(len(blocks[at].words) for at in places)
