"""Lines that most documents share: navigation, headers and footers of pages, cookie banners,
signatures of a site.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from llmops.tasks.plugins.cleaners import CorpusCleaner, CorpusVerdict, Document, Sketched
from llmops.tasks.plugins.cleaners.boilerplate.lines import PageLine, lines_of, without

FLAG = "boilerplate_kept"


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
            if line.key and self._looked_at(line)
        }
        return np.array(sorted(keys), np.uint64).tobytes()

    def _looked_at(self, line: PageLine) -> bool:
        return line.edge or (self.where == "anywhere" and line.length >= self.min_length)

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


def _pages(document: Document) -> list[list[PageLine]]:
    return lines_of(document.text, markdown=document.markup == "markdown")


def _size(text: str) -> int:
    return len("".join(text.split()))
