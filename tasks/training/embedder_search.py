"""Judged questions, searched in a live version as it is served and as a trained embedder would
serve it: the same passages, with other vectors.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llmops.tasks.knowledge.caches import load_embeddings, save_embeddings, unpaid
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import KEYS, RankedRow, StoreReader
from llmops.tasks.retrieval.golden import Question
from llmops.tasks.retrieval.groups import Groups, Mask, clean_marks, linked
from llmops.tasks.retrieval.hybrid import CANDIDATES, Candidates, Vector, default_weight
from llmops.tasks.retrieval.judging import Answers, answers, quotes_of
from llmops.tasks.retrieval.weight import Judged, quality
from llmops.tasks.schemas import Record, Vectors, embedded_text, records, sha256
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.training.crossfit import Tell

EMBEDDED = ("text", "context", "search")
"""Columns that say what an embedder sees of a passage."""


class TrainedRows(NamedTuple):
    """What a model was trained on: `questions` with the `passages` that answer them, in one order,
    and the uris of the documents that these come from.
    """

    questions: Sequence[str]
    passages: Sequence[str]
    documents: frozenset[str]


@dataclass(frozen=True)
class TrainedIndex:
    """Every passage of a version, with the vectors of another embedder: `rows` and `vectors`, of
    shape (rows, dimension), in one order.
    """

    rows: tuple[RankedRow, ...]
    vectors: Vectors

    def near(self, point: Vector, depth: int = CANDIDATES) -> list[RankedRow]:
        """The nearest ones, best first, as a store gives them; none is passed over."""
        scores = self.vectors @ point
        best = np.argpartition(-scores, min(depth, len(scores)) - 1)[:depth]
        hits = [self.rows[row]._replace(score=float(scores[row])) for row in best]
        return sorted(hits, key=lambda hit: hit.rank)


@dataclass(frozen=True)
class SearchedTwice:
    """`before`, `after`: as served now, and by the trained embedder; of each question nDCG@10,
    precision@1 and nDCG@10 by vectors alone, shape (questions, 3). `seen`: the questions that a row
    of the training speaks of; `groups`: which belong together. `top`: the uri that the trained
    embedder finds nearest. `given`: how many questions there were; a passage answers these.
    """

    questions: tuple[Question, ...]
    before: Array
    after: Array
    groups: Groups
    seen: Mask
    top: tuple[str, ...]
    given: int


def searched_twice(
    home: Path,
    version: Version,
    questions: Sequence[Question],
    trained: Embedder,
    rows: TrainedRows,
    tell: Tell,
) -> SearchedTwice:
    """Vectors of the trained embedder are kept where the next build finds them."""
    live = searcher(home, version)
    there = answers(live.reader, questions)
    kept = [number for number, mine in enumerate(there.of) if mine]
    asked = tuple(questions[number] for number in kept)
    relevant = [_chunks(there, number) for number in kept]
    groups, seen = _known(asked, there, kept, rows)
    tell(f"{live.reader.count():,} passages of {version.kb} are embedded by the trained model")
    index = embedded(home, live.reader, trained)
    texts = [each.question for each in asked]
    vectors = live.embedder.embed_query(texts), trained.embed_query(texts)
    before, after, top = [], [], []
    lists = live.candidates_many(texts, vectors[0])
    for number, (question, old) in enumerate(zip(asked, lists, strict=True)):
        said = relevant[number], frozenset(quotes_of(question))
        rule = live.rule(question.question)
        before.append(_quality(Judged(old, *said, rule), live.weight))
        new = Candidates(index.near(vectors[1][number]), old.found, old.depth)
        rule = default_weight(question.question, trained.languages)
        after.append(_quality(Judged(new, *said, rule), version.weight))
        top.append(new.near[0].uri)
    return SearchedTwice(
        asked, _table(before), _table(after), groups, seen, tuple(top), len(questions)
    )


def live_version(home: Path, name: str) -> Version:
    """Raises UsageError where nothing is published."""
    return Handle(home=home, name=name).published()


def embedded(home: Path, reader: StoreReader, embedder: Embedder) -> TrainedIndex:
    """What was embedded once is not embedded again, also where the run dies in between."""
    ledger, model = open_ledger(home), embedder.fingerprint()
    rows: list[RankedRow] = []
    hashes: list[str] = []
    for frame in reader.rows((*KEYS, *EMBEDDED)):
        passages = records(frame)
        texts = [embedded_text(each) for each in passages]
        for portion in unpaid(ledger, model, texts, embedder.texts_per_call):
            vectors = embedder.embed(list(portion.values()))
            save_embeddings(ledger, model, list(portion), vectors)  # what was trained here is free
        hashes += map(sha256, texts)
        rows += map(_row, passages)
    return TrainedIndex(tuple(rows), load_embeddings(ledger, model, hashes, embedder.dimension))


def _row(passage: Record) -> RankedRow:
    """Without a score, and found by nobody's `place`: it is ranked alone."""
    return RankedRow._make([*(passage[name] for name in KEYS), 0.0, (None, 0)])


def _quality(judged: Judged, weight: float | None) -> tuple[float, float, float]:
    """At the weight that is served, where the embedder knows the language. A ranking's is of one
    embedder alone; that of the version is fitted anew by the next build.
    """
    fitted = judged.rule if weight is None or judged.rule == 0 else weight
    gains, first = quality(judged, np.array([fitted, 1.0]))
    return float(gains[0]), float(first[0]), float(gains[1])


def _table(rows: Iterable[tuple[float, float, float]]) -> Array:
    return np.array([*rows], np.float64).reshape(-1, 3)


def _chunks(there: Answers, number: int) -> frozenset[str]:
    return frozenset(there.chunk_ids[row] for rows in there.of[number].values() for row in rows)


def _known(
    asked: Sequence[Question], there: Answers, kept: Sequence[int], rows: TrainedRows
) -> tuple[Groups, Mask]:
    """(groups of the questions, those that share a document, a page, a near-duplicate or the words
    of a question with a row of the training, directly or through others).
    """
    names = [f"\0{number}" for number in range(len(rows.passages))]
    texts = {**there.texts, **dict(zip(names, rows.passages, strict=True))}
    documents = [set(there.of[number]) for number in kept]
    every = [*(each.question for each in asked), *rows.questions]
    marks = clean_marks(every, [*documents, *({name} for name in names)], texts)
    pages = [{f"page {uri.partition('#')[0]}"} for uri in sorted(rows.documents)]
    if not asked:
        return np.zeros(0, np.int64), np.zeros(0, bool)
    groups = linked([*marks, *pages])
    mine, theirs = groups[: len(asked)], groups[len(asked) :]
    return mine, np.isin(mine, theirs)
