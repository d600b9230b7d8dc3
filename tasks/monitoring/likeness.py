"""How near questions are to each other and to the passages that were found, in the languages that
an embedder knows and in those that it does not.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import compress
from math import log
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

import numpy as np
from sqlalchemy import select

from llmops.tasks.knowledge.caches import find_embeddings
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.tables import chunks
from llmops.tasks.monitoring.traffic import Exchange, FoundPassage
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embed, Embedder
from llmops.tasks.schemas import Vectors
from llmops.tasks.texts.language import detect
from llmops.tasks.texts.terms import analyse
from llmops.tasks.traces.index import parts

PER_CALL = 64
LONGEST = 2_000
"""Characters of a question that are embedded."""
WORDS = Spec(name="hash")
"""Stands in for an embedder that does not know a question's language: it compares words."""


ENOUGH = 20
"""Exchanges that were answered: with fewer nobody knows what is usual."""
PASSAGES = 3
"""Of an exchange, that are compared."""
Nearness = Literal["none", "far", "unsure", "near"]
"""How near the passages are: `none` are about something else, `near` may answer it."""


class SupportBorders(NamedTuple):
    """Of `support`: below `far` a passage is far, from `near` on it is near. `less`: how much less
    like the question the nearest passage has to be than is usual where questions are answered;
    `alone`: below it the nearest is far, whatever is usual.
    """

    none: float
    far: float
    near: float
    less: float
    alone: float


MEANT = SupportBorders(none=0.35, far=0.5, near=0.7, less=0.15, alone=0.2)
WORDED = SupportBorders(none=0.2, far=0.3, near=0.4, less=0.25, alone=0.1)
"""Where the embedder knows the language, and where it does not. Chosen on half of the questions of
docs/monitoring-recommendations.md, and measured on the others."""


class Support(NamedTuple):
    """What passages have for a question. `value`: of the first, the share of the question's words,
    each weighted by how rare it is, and, where the embedder knows the language, the mean of that
    and the likeness (cosine); `nearest`: the likeness of the nearest, or its share of words;
    `usual`: the median of that where questions were answered, None where too few were.
    """

    value: float
    borders: SupportBorders
    nearest: float
    usual: float | None

    @property
    def nearness(self) -> Nearness:
        """A level that suits one base does not suit another: short questions and long passages of
        many topics are never much alike. So nothing is far that is as like as is usual.
        """
        if self.value >= self.borders.near:
            return "near"
        unlike = self.nearest < self.borders.alone
        if self.usual is not None and not unlike:
            unlike = self.nearest < self.usual - self.borders.less
        if self.value >= self.borders.far or not unlike:
            return "unsure"
        return "far" if self.value >= self.borders.none else "none"


class Likeness(NamedTuple):
    """`vectors`: a row per question, of two spaces side by side: that of the embedder, and that of
    words, the one that does not count being 0; so questions of both spaces are never alike.
    `support`: of each question, None where it found nothing.
    """

    vectors: Vectors
    support: tuple[Support | None, ...]


def likeness(home: Path, exchanges: Sequence[Exchange], embedder: Embedder) -> Likeness:
    """Of each exchange. What the ledger remembers of passages is not embedded again. Raises
    Unavailable where the embedder cannot be reached.
    """
    questions = [each.question[:LONGEST] for each in exchanges]
    known = [_knows(embedder, each) for each in questions]
    words = WORDS.build(Embedder)
    mine = [*compress(questions, known)]
    others = [text for text, of in zip(questions, known, strict=True) if not of]
    meant, worded = _embedded(embedder.embed_query, mine), _embedded(words.embed_query, others)
    passages = _passages(home, [*compress(exchanges, known)], embedder)
    rare = _Rareness(exchanges)
    rows = np.zeros((len(questions), embedder.dimension + words.dimension), np.float32)
    told: list[tuple[float, float] | None] = []
    for row, (text, of, exchange) in enumerate(zip(questions, known, exchanges, strict=True)):
        if of:
            rows[row, : embedder.dimension] = meant[text]
        else:
            rows[row, embedder.dimension :] = worded[text]
        shares = [rare.held(text, each) for each in exchange.passages[:PASSAGES]]
        like = [
            float(meant[text] @ passages[each.chunk_id])
            for each in exchange.passages[:PASSAGES]
            if of and each.chunk_id in passages
        ]
        told.append(_told(shares, like, meant=of))
    usual = {of: _usual(exchanges, told, known, of) for of in (True, False)}
    support = (
        Support(each[0], MEANT if of else WORDED, each[1], usual[of]) if each else None
        for each, of in zip(told, known, strict=True)
    )
    return Likeness(rows, tuple(support))


def _told(
    shares: Sequence[float | None], like: Sequence[float], *, meant: bool
) -> tuple[float, float] | None:
    """The value of the first passage, and how near the nearest is."""
    first = shares[0] if shares else None
    if first is None or (meant and not like):
        return None
    if meant:
        return (first + like[0]) / 2, max(like)
    return first, max(share for share in shares if share is not None)


def _usual(
    exchanges: Sequence[Exchange],
    told: Sequence[tuple[float, float] | None],
    known: Sequence[bool],
    of: bool,
) -> float | None:
    answered = [
        each[1]
        for exchange, each, mine in zip(exchanges, told, known, strict=True)
        if each and mine == of and exchange.status == "ok" and exchange.rating != "down"
    ]
    return median(answered) if len(answered) >= ENOUGH else None


class _Rareness:
    """How rare a word is among the passages that were found, log(1 + N / (1 + n))."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._terms: dict[str, frozenset[str]] = {}
        counts: dict[str, int] = {}
        for each in exchanges:
            for one in each.passages:
                if one.text and one.chunk_id not in self._terms:
                    terms = frozenset(analyse(f"{one.title}\n{one.text}"))
                    self._terms[one.chunk_id] = terms
                    for term in terms:
                        counts[term] = counts.get(term, 0) + 1
        self._counts = counts

    def held(self, question: str, passage: FoundPassage) -> float | None:
        """The weighted share of the question's terms that a passage holds; None without its text,
        or without a term.
        """
        weights = {term: self._weight(term) for term in set(analyse(question))}
        terms = self._terms.get(passage.chunk_id)
        if not weights or terms is None:
            return None
        return _sum(weights, terms) / sum(weights.values())

    def _weight(self, term: str) -> float:
        return log(1 + len(self._terms) / (1 + self._counts.get(term, 0)))


def _sum(weights: Mapping[str, float], terms: Collection[str]) -> float:
    return sum(weight for term, weight in weights.items() if term in terms)


def _knows(embedder: Embedder, text: str) -> bool:
    """As a search takes it: a text that is too short to tell counts as known."""
    return not embedder.languages or detect(text) in {None, *embedder.languages}


def _embedded(embed: Embed, texts: Sequence[str]) -> dict[str, Vectors]:
    """text -> vector, each text once."""
    distinct = list(dict.fromkeys(texts))
    vectors: dict[str, Vectors] = {}
    for start in range(0, len(distinct), PER_CALL):
        part = distinct[start : start + PER_CALL]
        vectors |= dict(zip(part, embed(part), strict=True))
    return vectors


def _passages(
    home: Path, exchanges: Sequence[Exchange], embedder: Embedder
) -> Mapping[str, Vectors]:
    """chunk_id -> vector."""
    wanted: dict[str, dict[str, FoundPassage]] = {}
    for each in exchanges:
        of = wanted.setdefault(each.knowledge_base, {})
        of |= {one.chunk_id: one for one in each.passages[:PASSAGES] if one.text.strip()}
    vectors: dict[str, Vectors] = {}
    for name, passages in wanted.items():
        vectors |= _remembered(home, name, list(passages), embedder)
        missing = {key: one.text for key, one in passages.items() if key not in vectors}
        made = _embedded(embedder.embed, list(missing.values()))
        vectors |= {key: made[text] for key, text in missing.items()}
    return vectors


def _remembered(
    home: Path, name: str, ids: Sequence[str], embedder: Embedder
) -> dict[str, Vectors]:
    """What a build of this knowledge base has embedded with the same model."""
    ledger = existing_ledger(home)
    hashes: dict[str, str] = {}
    with ledger.read() as connection:
        for part in parts(ids):
            query = select(chunks.c.chunk_id, chunks.c.text_hash).where(
                chunks.c.kb == name, chunks.c.chunk_id.in_(part)
            )
            hashes |= {row.chunk_id: row.text_hash for row in connection.execute(query)}
    known = find_embeddings(ledger, embedder.fingerprint(), list(hashes.values()))
    return {
        chunk_id: np.frombuffer(known[text_hash], "<f4")
        for chunk_id, text_hash in hashes.items()
        if text_hash in known
    }
