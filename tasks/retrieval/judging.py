"""Judged questions against a snapshot: their candidate lists, and the passages that answer them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from llmops.tasks.plugins.stores import RankedRow, StoreReader
from llmops.tasks.retrieval.golden import Question, normalise
from llmops.tasks.retrieval.hybrid import Candidates, Searcher
from llmops.tasks.retrieval.weight import Judged
from llmops.tasks.schemas import Vectors, records

Quotes = Mapping[str, tuple[str, ...]]
"""uri -> the quotes of which a chunk has to contain one; none where any chunk will do."""


def quotes_of(question: Question) -> dict[str, tuple[str, ...]]:
    """What a question asks of the chunks of each document that answers it."""
    anywhere = {item.uri for item in question.relevant if item.quote is None}
    said: dict[str, tuple[str, ...]] = {}
    for item in question.relevant:
        more = () if item.uri in anywhere or item.quote is None else (normalise(item.quote),)
        said[item.uri] = (*said.get(item.uri, ()), *more)
    return said


def holds(text: str, quotes: Sequence[str]) -> bool:
    """Whether a chunk is what a question asks for."""
    return not quotes or any(quote in normalise(text) for quote in quotes)


def judged(
    searcher: Searcher, questions: Sequence[Question], vectors: Vectors | None = None
) -> list[Judged]:
    """Each question with both candidate lists; without `vectors` they are embedded in one batch."""
    texts = [question.question for question in questions]
    return [
        judge(searcher.reader, question, lists, searcher.rule(question.question))
        for question, lists in zip(questions, searcher.candidates_many(texts, vectors), strict=True)
    ]


def judge(reader: StoreReader, question: Question, lists: Candidates, rule: float) -> Judged:
    """A question with lists that are there already. Texts are read where quotes ask for them."""
    quotes = quotes_of(question)
    mine = {hit.chunk_id: hit for hit in (*lists.near, *lists.found) if hit.uri in quotes}
    asked = [hit for hit in mine.values() if quotes[hit.uri]]
    relevant = {hit.chunk_id for hit in mine.values() if not quotes[hit.uri]}
    relevant |= _saying(reader, asked, quotes)
    return Judged(lists, frozenset(relevant), frozenset(quotes), rule)


def _saying(reader: StoreReader, hits: Sequence[RankedRow], quotes: Quotes) -> set[str]:
    if not hits:
        return set()
    rows = reader.passages(lambda: hits, ("chunk_id", "uri", "text"))
    return {
        str(row["chunk_id"]) for row in rows if holds(str(row["text"]), quotes[str(row["uri"])])
    }


@dataclass(frozen=True)
class Answers:
    """The passages that answer questions. `vectors` of shape (passages, dimension), in the order of
    `chunk_ids`; `of`: for each question the rows of its passages, by document; `texts`: uri -> text
    of each of these documents.
    """

    chunk_ids: tuple[str, ...]
    vectors: Vectors
    of: tuple[Mapping[str, tuple[int, ...]], ...]
    texts: Mapping[str, str]


class _Passage(NamedTuple):
    chunk_id: str
    uri: str
    text: str
    vector: Vectors


def answers(reader: StoreReader, questions: Sequence[Question]) -> Answers:
    """Of each question, in one reading of all rows."""
    wanted = [quotes_of(question) for question in questions]
    uris = set().union(*wanted) if wanted else set()
    found = sorted(_passages(reader, uris), key=lambda passage: passage.chunk_id)
    by_uri: dict[str, list[int]] = {}
    texts: dict[str, list[str]] = {}
    for row, passage in enumerate(found):
        by_uri.setdefault(passage.uri, []).append(row)
        texts.setdefault(passage.uri, []).append(passage.text)
    return Answers(
        tuple(passage.chunk_id for passage in found),
        np.stack([passage.vector for passage in found]) if found else np.zeros((0, 0), np.float32),
        tuple(_rows(quotes, by_uri, found) for quotes in wanted),
        {uri: "\n".join(parts) for uri, parts in texts.items()},
    )


def _rows(
    quotes: Quotes, by_uri: Mapping[str, Sequence[int]], found: Sequence[_Passage]
) -> dict[str, tuple[int, ...]]:
    rows = {
        uri: tuple(row for row in by_uri.get(uri, ()) if holds(found[row].text, said))
        for uri, said in quotes.items()
    }
    return {uri: mine for uri, mine in rows.items() if mine}


def _passages(reader: StoreReader, uris: set[str]) -> Iterator[_Passage]:
    for frame in reader.rows(("chunk_id", "uri", "text", "vector")):
        kept = frame[frame["uri"].isin(sorted(uris))]
        for row in records(kept):
            vector = np.asarray(row["vector"], np.float32)
            yield _Passage(str(row["chunk_id"]), str(row["uri"]), str(row["text"]), vector)
