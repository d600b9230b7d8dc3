"""The lines of a text as boilerplate is told by: which may be part of it, and which stand at the
edge of a page.
"""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from hashlib import blake2b

EDGE = 25
"""Lines with text from each end of a page that count as its edge."""
DIGITS = re.compile(r"\d+")
MARKUP = re.compile(r"[\s>*_`#|•·–—\-]+")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
TAG = re.compile(r"\s*</?[A-Za-z][^<>]*>\s*")
HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")


@dataclass(frozen=True)
class PageLine:
    """`key`: 0 for a line that is never boilerplate. `edge`: near an end of its page. `length`:
    characters of what it says.
    """

    text: str
    key: int
    length: int
    edge: bool
    heading: bool


def lines_of(text: str, *, markdown: bool) -> list[list[PageLine]]:
    """The lines of each page. Code, tables, lone tags and lines without two letters have no key."""
    pages = []
    for page in text.split("\f"):
        rows = list(_rows(page.split("\n"), markdown))
        filled = [n for n, (row, *_) in enumerate(rows) if row.strip()]
        inner = set(filled[EDGE:-EDGE])
        pages.append(
            [
                PageLine(row, key, length, n not in inner, heading)
                for n, (row, key, length, heading) in enumerate(rows)
            ]
        )
    return pages


def _rows(rows: list[str], markdown: bool) -> Iterator[tuple[str, int, int, bool]]:
    fence = ""
    for row in rows:
        mark = FENCE.match(row) if markdown else None
        code = bool(
            fence
            or mark
            or (markdown and (row.startswith(("    ", "\t")) or row.lstrip().startswith("|")))
        )
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        said = MARKUP.sub(" ", DIGITS.sub("0", row.casefold())).strip()
        worded = sum(map(str.isalpha, said)) >= 2 and not TAG.fullmatch(row)
        yield (
            row,
            _key(said) if worded and not code else 0,
            len(said),
            markdown and bool(HEADING.match(row)),
        )


def _key(said: str) -> int:
    return (
        int.from_bytes(
            blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
        )
        | 1
    )


def without(
    page: list[PageLine], repeated: Set[int], shortest: int, everywhere: bool
) -> list[PageLine]:
    """A page without its boilerplate: what is repeated from its ends inwards without a gap, and
    long lines of its edges (of anywhere).

    Headings go only at the end, where all below them is gone: elsewhere they say what follows.
    """
    first, last = _peeled(page, repeated)
    return [
        line
        for line in page[first:last]
        if line.heading
        or line.key not in repeated
        or line.length < shortest
        or not (everywhere or line.edge)
    ]


def _peeled(page: list[PageLine], repeated: Set[int]) -> tuple[int, int]:
    first, last = 0, len(page)
    while (
        first < last
        and page[first].edge
        and not page[first].heading
        and _gone(page[first], repeated)
    ):
        first += 1
    while last > first and page[last - 1].edge and _gone(page[last - 1], repeated):
        last -= 1
    return first, last


def _gone(line: PageLine, repeated: Set[int]) -> bool:
    return line.key in repeated or not line.text.strip()
