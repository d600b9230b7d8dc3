"""How near questions are to each other and to the passages that were found, in the languages that
an embedder knows and in those that it does not.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sqlalchemy import select

from llmops.tasks.knowledge.caches import find_embeddings
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.tables import chunks
from llmops.tasks.monitoring.traffic import Exchange, FoundPassage
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.schemas import Vectors
from llmops.tasks.texts.language import detect
from llmops.tasks.traces.index import parts

PER_CALL = 64
LONGEST = 2_000
"""Characters of a question that are embedded."""
WORDS = Spec(name="hash")
"""Stands in for an embedder that does not know a question's language: it compares words."""


class Likeness(NamedTuple):
    """`vectors`: a row per question, of two spaces side by side: that of the embedder, and that of
    words, the one that does not count being 0; so questions of both spaces are never alike. `best`:
    the likeness (cosine) of the best passage, None where there is none, or where the embedder does
    not know the language.
    """

    vectors: Vectors
    best: tuple[float | None, ...]


def likeness(home: Path, exchanges: Sequence[Exchange], embedder: Embedder) -> Likeness:
    """Of each exchange. What the ledger remembers of passages is not embedded again. Raises
    Unavailable where the embedder cannot be reached.
    """
    questions = [each.question[:LONGEST] for each in exchanges]
    known = [_knows(embedder, each) for each in questions]
    meant = _embedded(embedder, [text for text, of in zip(questions, known, strict=True) if of])
    worded = _embedded(
        WORDS.build(Embedder), [text for text, of in zip(questions, known, strict=True) if not of]
    )
    passages = _passages(
        home,
        [each for each, of in zip(exchanges, known, strict=True) if of],
        embedder,
    )
    rows = np.zeros((len(questions), embedder.dimension + worded_dimension()), np.float32)
    best: list[float | None] = []
    for row, (text, of, exchange) in enumerate(zip(questions, known, exchanges, strict=True)):
        if not of:
            rows[row, embedder.dimension :] = worded[text]
            best.append(None)
            continue
        rows[row, : embedder.dimension] = meant[text]
        near = [
            float(meant[text] @ passages[one.chunk_id])
            for one in exchange.passages
            if one.chunk_id in passages
        ]
        best.append(max(near, default=None))
    return Likeness(rows, tuple(best))


def worded_dimension() -> int:
    return WORDS.build(Embedder).dimension


def _knows(embedder: Embedder, text: str) -> bool:
    """As a search takes it: a text that is too short to tell counts as known."""
    return not embedder.languages or detect(text) in {None, *embedder.languages}


def _embedded(embedder: Embedder, texts: Sequence[str]) -> dict[str, Vectors]:
    """text -> vector, each text once."""
    distinct = list(dict.fromkeys(texts))
    vectors: dict[str, Vectors] = {}
    for start in range(0, len(distinct), PER_CALL):
        part = distinct[start : start + PER_CALL]
        vectors |= dict(zip(part, embedder.embed(part), strict=True))
    return vectors


def _passages(
    home: Path, exchanges: Sequence[Exchange], embedder: Embedder
) -> Mapping[str, Vectors]:
    """chunk_id -> vector."""
    wanted: dict[str, dict[str, FoundPassage]] = {}
    for each in exchanges:
        of = wanted.setdefault(each.knowledge_base, {})
        of |= {one.chunk_id: one for one in each.passages if one.text.strip()}
    vectors: dict[str, Vectors] = {}
    for name, passages in wanted.items():
        vectors |= _remembered(home, name, list(passages), embedder)
        missing = {key: one.text for key, one in passages.items() if key not in vectors}
        made = _embedded(embedder, list(missing.values()))
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
