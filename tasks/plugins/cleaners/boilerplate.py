"""Lines that most documents share: navigation, headers and footers of pages, cookie banners,
signatures of a site.
"""

import json
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import numpy as np
from pydantic import Field

from llmops.tasks.plugins.cleaners import CorpusCleaner, CorpusVerdict, Document, Sketched

FLAG = "boilerplate_kept"
EDGE = 25
"""Lines with text from each end of a page that count as its edge."""
DIGITS = re.compile(r"\d+")
MARKUP = re.compile(r"[\s>*_`#|•·–—\-]+")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
TAG = re.compile(r"\s*</?[A-Za-z][^<>]*>\s*")
HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")


class BoilerplateCleaner(CorpusCleaner):
    """Takes out lines that a `share` of the documents has, whatever their case, numbers and markup,
    where there are at least `min_documents` to compare: of each source by itself, or with `across:
    all` of all together.

    Only the edges of documents (and of their pages) are looked at: the first and last 25 lines that
    are not blank. From the ends inwards every repeated line goes, up to the first other one; behind
    that only those of `min_length` characters and more, and with `where: anywhere` these go in the
    middle too. Code, tables, lone tags, headings with something below them, and lines without a
    word stay. A document that would lose more than `most` of its characters is left whole, with the
    flag `boilerplate_kept`: what so many documents share to such a part is what they are about.
    """

    share: float = Field(default=0.5, gt=0, le=1)
    min_documents: int = Field(default=10, ge=2)
    min_length: int = Field(default=20, ge=2)
    where: Literal["edges", "anywhere"] = "edges"
    across: Literal["source", "all"] = "source"
    most: float = Field(default=0.7, gt=0, le=1)

    def sketch(self, document: Document) -> bytes:
        """The hashes of the lines that may be boilerplate, each once: 8 bytes a line."""
        keys = {
            line.key
            for page in _pages(document)
            for line in page
            if line.key
            and (line.edge or (self.where == "anywhere" and line.length >= self.min_length))
        }
        return np.array(sorted(keys), np.uint64).tobytes()

    def judge(self, documents: Sequence[Sketched]) -> dict[str, CorpusVerdict]:
        groups: dict[str, list[Sketched]] = {}
        for document in documents:
            groups.setdefault(document.source if self.across == "source" else "", []).append(
                document
            )
        return {
            key: verdict
            for group in groups.values()
            for key, verdict in self._judged(group).items()
        }

    def _judged(self, group: Sequence[Sketched]) -> dict[str, CorpusVerdict]:
        if len(group) < self.min_documents:
            return {}
        lines = {document.doc_id: np.frombuffer(document.sketch, np.uint64) for document in group}
        keys, counts = np.unique(np.concatenate(list(lines.values())), return_counts=True)
        repeated = keys[counts >= max(2, self.share * len(group))]
        return {
            key: CorpusVerdict(note=json.dumps([f"{one:016x}" for one in mine.tolist()]))
            for key, own in lines.items()
            if len(mine := np.intersect1d(own, repeated, assume_unique=True))
        }

    def settle(self, document: Document, note: str) -> Document:
        repeated = {int(one, 16) for one in json.loads(note)}
        text, before = document.text, ""
        while text != before:  # what was behind the edge comes to it
            before, text = text, self._once(replace(document, text=text), repeated)
        left, before_all = _size(text), _size(document.text)
        if not left or left < (1 - self.most) * before_all:
            return document.flagged(FLAG)
        return document if left == before_all else replace(document, text=text)

    def _once(self, document: Document, repeated: set[int]) -> str:
        anywhere = self.where == "anywhere"
        pages = [without(page, repeated, self.min_length, anywhere) for page in _pages(document)]
        return "\f".join("\n".join(line.text for line in page) for page in pages)


def _pages(document: Document) -> list[list["PageLine"]]:
    return lines_of(document.text, markdown=document.markup == "markdown")


def _size(text: str) -> int:
    return len("".join(text.split()))


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
