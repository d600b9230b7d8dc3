"""A knowledge base as a vector store for reading, for `VectorStoreIndex.from_vector_store`."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from llmops.integrations._conditions import Tests, joined
from llmops.integrations._parts import base_of
from llmops.integrations.llama_index.filters import conditions
from llmops.integrations.llama_index.nodes import node_of
from llmops.knowledge_base import KnowledgeBase, held
from llmops.results import Passage
from llmops.tasks.errors import UsageError
from llmops.tasks.retrieval.hybrid import Mode

MODES: dict[VectorStoreQueryMode, Mode] = {
    VectorStoreQueryMode.DEFAULT: "vector",
    VectorStoreQueryMode.TEXT_SEARCH: "text",
    VectorStoreQueryMode.SPARSE: "text",
    VectorStoreQueryMode.HYBRID: "hybrid",
    VectorStoreQueryMode.SEMANTIC_HYBRID: "hybrid",
}


class _Asked(NamedTuple):
    """`search`: question, k, mode, condition and labels. `vector`: to be used instead of the
    question's own.
    """

    search: tuple[str, int, Mode, str, Collection[str]]
    vector: list[float] | None


class KnowledgeBaseVectorStore(BasePydanticVectorStore):
    """A knowledge base as a vector store for reading: `VectorStoreIndex.from_vector_store(store,
    embed_model=Embedding.of(store.base))`.

    Modes: `default` (vectors), `text_search` or `sparse`, `hybrid`. Metadata filters become
    conditions on uri, title, source, language, media_type, page, flags and the declared fields.
    The question is embedded by the knowledge base's own embedder, whatever the index has;
    `is_embedding_query=True` takes the index's vector instead, as for HyDE: then its model must be
    `Embedding.of(store.base)`.
    """

    stores_text: bool = True
    is_embedding_query: bool = False
    knowledge_base: str = ""
    where: str = ""
    labels: tuple[str, ...] = ()
    home: str | None = None
    version: int | None = None
    _base: KnowledgeBase = PrivateAttr()

    def __init__(
        self,
        knowledge_base: str | KnowledgeBase,
        where: str = "",
        labels: Collection[str] = (),
        home: str | Path | None = None,
        version: int | None = None,
        is_embedding_query: bool = False,
        stores_text: bool = True,
    ) -> None:
        base = base_of(knowledge_base, home, version)
        super().__init__(
            stores_text=stores_text,
            is_embedding_query=is_embedding_query,
            knowledge_base=base.name,
            where=where,
            labels=tuple(sorted(held(labels))),
            home=str(base.home),
            version=base.pinned,
        )
        self._base = base

    @classmethod
    def class_name(cls) -> str:
        return "KnowledgeBaseVectorStore"

    @property
    def base(self) -> KnowledgeBase:
        return self._base

    @property
    def client(self) -> KnowledgeBase:
        """The knowledge base."""
        return self._base

    def query(self, query: VectorStoreQuery, **kwargs: object) -> VectorStoreQueryResult:
        """Raises UsageError for what a knowledge base cannot be asked."""
        asked = self._asked(query)
        return _result(self._base.search(*asked.search, vector=asked.vector))

    async def aquery(self, query: VectorStoreQuery, **kwargs: object) -> VectorStoreQueryResult:
        asked = self._asked(query)
        return _result(await self._base.asearch(*asked.search, vector=asked.vector))

    def _asked(self, query: VectorStoreQuery) -> _Asked:
        if query.doc_ids or query.node_ids or query.alpha is not None:
            raise UsageError(
                f"got doc_ids={query.doc_ids!r}, node_ids={query.node_ids!r}, "
                f"alpha={query.alpha!r}, which a knowledge base does not know",
                hint="filters on uri choose documents; the weight of a hybrid search is fitted",
            )
        if query.mode not in MODES:
            allowed = ", ".join(mode.value for mode in MODES)
            raise UsageError(f"got mode {query.mode.value!r}; allowed: {allowed}")
        mode, text = MODES[query.mode], query.query_str or ""
        by_vector = mode != "text" and (self.is_embedding_query or not text)
        hybrid = mode == "hybrid" and query.hybrid_top_k
        filters = conditions(query.filters, Tests(self._base.fields)) if query.filters else ""
        k = query.hybrid_top_k if hybrid else query.similarity_top_k
        where = joined([self.where, filters], "and")
        vector = query.query_embedding if by_vector else None
        return _Asked((text, k or 1, mode, where, self.labels), vector)

    def add(self, nodes: Sequence[BaseNode], **kwargs: object) -> list[str]:
        """Raises UsageError, as all that would change it."""
        self._read_only()

    def delete(self, ref_doc_id: str, **delete_kwargs: object) -> None:
        self._read_only()

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: object,
    ) -> None:
        self._read_only()

    def clear(self) -> None:
        self._read_only()

    def _read_only(self) -> NoReturn:
        raise UsageError(
            f"the knowledge base {self._base.name!r} is only read here",
            hint="documents come into it, change and leave by `llmops index CONFIG`",
        )


def _result(passages: Sequence[Passage]) -> VectorStoreQueryResult:
    return VectorStoreQueryResult(
        nodes=[node_of(each) for each in passages],
        similarities=[each.score for each in passages],
        ids=[each.chunk_id for each in passages],
    )
