"""A knowledge base as a retriever, for query engines, chat engines and agents."""

from collections.abc import Collection
from pathlib import Path

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle

from llmops.integrations._parts import base_of
from llmops.integrations.llama_index.nodes import node_of
from llmops.knowledge_base import KnowledgeBase, Named, held
from llmops.results import Passage
from llmops.tasks.retrieval.hybrid import Mode


class KnowledgeBaseRetriever(BaseRetriever):
    """The k best passages of a knowledge base (a name, or a KnowledgeBase) as nodes: the live
    version's, or that of `version`. `where`: a condition; `labels`: the access labels that whoever
    asks holds; `rerank`: as in `KnowledgeBase.search`.

    Nodes have the passage's chunk_id as their id; their metadata hold uri, title, version, page,
    start, end and those of the document.
    """

    def __init__(
        self,
        knowledge_base: str | KnowledgeBase,
        k: int = 5,
        mode: Mode = "hybrid",
        where: str = "",
        labels: Collection[str] = (),
        home: str | Path | None = None,
        version: int | None = None,
        callback_manager: CallbackManager | None = None,
        rerank: Named | None = None,
    ) -> None:
        self.base = base_of(knowledge_base, home, version)
        self._k, self._mode, self._where, self._labels = k, mode, where, held(labels)
        self._rerank = rerank
        super().__init__(callback_manager)

    @property
    def _options(self) -> tuple[int, Mode, str, Collection[str], Named | None]:
        return self._k, self._mode, self._where, self._labels, self._rerank

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """A vector that the bundle has is not looked at: it may be another embedder's."""
        return _scored(self.base.search(query_bundle.query_str, *self._options))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return _scored(await self.base.asearch(query_bundle.query_str, *self._options))


def _scored(passages: list[Passage]) -> list[NodeWithScore]:
    return [NodeWithScore(node=node_of(each), score=each.score) for each in passages]
