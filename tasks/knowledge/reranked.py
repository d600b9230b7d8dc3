"""A search whose best passages are put into another order by a reranker: for one question that
somebody waits for, and for many that are measured.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from llmops.tasks import progress
from llmops.tasks.calls.concurrency import run_bounded
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.reranking import Rerankable, Reranked, Rerankings
from llmops.tasks.plugins.rerankers import LocalReranker, Reranker
from llmops.tasks.retrieval.hybrid import Mode, Searcher, Vector
from llmops.tasks.schemas import Record, Vectors

SEEN = ("doc_id", "context", "text")
"""What a reranker's sight of a passage needs of it."""
WIDTH = 8
"""Questions that are reranked at once."""
Asked = tuple[str, Sequence[Rerankable]]


def rerankable(kb: str, passage: Record) -> Rerankable:
    """The passage as an embedder sees it, with the headings above it."""
    above, text = passage["context"], str(passage["text"])
    return Rerankable(f"{above}\n{text}" if above else text, ((kb, str(passage["doc_id"])),))


def reordered(passages: Sequence[Record], reranked: Reranked) -> list[Record]:
    """Best first, with the reranker's scores; as they are where the plain order stands."""
    if reranked.scores is None:
        return list(passages)
    scores = reranked.scores
    return [{**passages[at], "score": scores[at]} for at in reranked.order(len(passages))]


@dataclass(frozen=True)
class RerankedSearch:
    """`kb`: the knowledge base that is searched. What a reranker costs is booked for the payer."""

    home: Path
    kb: str
    searcher: Searcher
    reranker: Reranker
    payer: Payer

    def passages(
        self,
        query: str,
        k: int,
        mode: Mode,
        columns: Sequence[str],
        vector: Vector | None = None,
    ) -> tuple[list[Record], str]:
        """As `Searcher.passages`, and why the plain order stands: "" where it does not."""
        points = None if vector is None else vector[None]
        [found] = self._found([query], points, k, mode, columns)
        [reranked] = self._all([self._asked(query, found)], waits=True)
        return reordered(found, reranked)[:k], reranked.said

    def documents_many(
        self, queries: Sequence[str], k: int, mode: Mode
    ) -> list[list[tuple[str, str]]]:
        """As `Searcher.documents_many`; where the candidates are of fewer than k documents, those
        of the plain search stand behind them. Raises what a reranker that fails raises: a
        measurement that lacks some questions is none.
        """
        vectors = None if mode == "text" else self.searcher.embedder.embed_query(queries)
        found = self._found(queries, vectors, k, mode, ("uri",))
        asked = [self._asked(query, part) for query, part in zip(queries, found, strict=True)]
        ranked = [
            reordered(part, reranked)
            for part, reranked in zip(found, self._all(asked, waits=False), strict=True)
        ]
        points = repeat(None, len(queries)) if vectors is None else vectors
        return [
            self._documents(query, k, mode, point, best)
            for query, point, best in zip(queries, points, ranked, strict=True)
        ]

    def _documents(
        self, query: str, k: int, mode: Mode, point: Vector | None, ranked: Sequence[Record]
    ) -> list[tuple[str, str]]:
        best: dict[str, str] = {}
        for row in ranked:
            best.setdefault(str(row["uri"]), str(row["text"]))
        if len(best) < k:
            for uri, text in self.searcher.documents(query, k, mode, point):
                best.setdefault(uri, text)
        return [*best.items()][:k]

    def _found(
        self,
        queries: Sequence[str],
        vectors: Vectors | None,
        k: int,
        mode: Mode,
        columns: Sequence[str],
    ) -> list[list[Record]]:
        depth, wanted = max(k, self.reranker.candidates), tuple({*columns, *SEEN})
        found: list[list[Record]] = []
        for numbers in self.searcher.portions(len(queries)):
            texts = [queries[number] for number in numbers]
            points = None if vectors is None else vectors[numbers]
            found += self.searcher.passages_many(texts, depth, mode, points, wanted)
        return found

    def _asked(self, query: str, passages: Sequence[Record]) -> Asked:
        return query, [rerankable(self.kb, each) for each in passages]

    def _all(self, asked: Sequence[Asked], *, waits: bool) -> list[Reranked]:
        if isinstance(self.reranker, LocalReranker) and self.reranker.cheap:
            return [
                Reranked(tuple(self.reranker.scores(query, [each.text for each in passages])))
                for query, passages in asked
            ]
        with start_blocking_portal() as portal:  # also where an event loop runs in this thread
            return portal.call(self._through, asked, waits)

    async def _through(self, asked: Sequence[Asked], waits: bool) -> list[Reranked]:
        async with Gateway(self.home, payer=self.payer) as gateway:
            rerankings = Rerankings(gateway)
            score = rerankings.in_time if waits else rerankings.scores
            with progress.stage("rerank", unit="questions", total=len(asked)) as step:
                return await _scored(self.reranker, asked, score, step)


Score = Callable[[Reranker, str, Sequence[Rerankable]], Awaitable[Reranked]]


async def _scored(
    reranker: Reranker, asked: Sequence[Asked], score: Score, step: Callable[[], object]
) -> list[Reranked]:
    made: dict[int, Reranked] = {}

    async def one(numbered: tuple[int, Asked]) -> None:
        number, (query, passages) = numbered
        made[number] = await score(reranker, query, passages)
        step()

    await run_bounded(list(enumerate(asked)), one, WIDTH)
    return [made[number] for number in range(len(asked))]
