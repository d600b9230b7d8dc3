"""A component that finds the passages of a knowledge base."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from haystack import Document, component, default_to_dict

from llmops.integrations._conditions import Tests, joined
from llmops.integrations._parts import base_of, described
from llmops.integrations.haystack.filters import Filters, conditions
from llmops.knowledge_base import KnowledgeBase, Named, held
from llmops.results import Passage
from llmops.tasks.retrieval.hybrid import Mode


@component
class KnowledgeBaseRetriever:
    """The k best passages of a knowledge base (a name, or a KnowledgeBase) as documents: the live
    version's, or that of `version`. `where`: a condition; `labels`: the access labels that whoever
    asks holds; `rerank`: as in `KnowledgeBase.search`.

    Documents have the passage's chunk_id as their id; their meta hold uri, title, version, page,
    start, end and those of the document.

    A run may have its own `top_k`, and `filters` that narrow further. Labels are given where the
    component is made, never by a run, whose inputs may come from outside.
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
        rerank: Named | None = None,
    ) -> None:
        self.base = base_of(knowledge_base, home, version)
        self.k, self.mode, self.where, self.labels = k, mode, where, held(labels)
        self.rerank = rerank
        self._home = None if isinstance(knowledge_base, str) and home is None else self.base.home

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, top_k: int | None = None, filters: Filters | None = None
    ) -> dict[str, list[Document]]:
        """The documents, best first. Raises UsageError for filters that are not understood."""
        return _found(self.base.search(query, *self._options(top_k, filters)))

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, top_k: int | None = None, filters: Filters | None = None
    ) -> dict[str, list[Document]]:
        """The same for `Pipeline.run_async`."""
        return _found(await self.base.asearch(query, *self._options(top_k, filters)))

    def to_dict(self) -> dict[str, Any]:
        """For Haystack's pipelines as YAML: the knowledge base by its name, and by its home where
        one was given.
        """
        return default_to_dict(
            self,
            knowledge_base=self.base.name,
            k=self.k,
            mode=self.mode,
            where=self.where,
            labels=sorted(self.labels),
            home=None if self._home is None else str(self._home),
            version=self.base.pinned,
            rerank=self.rerank,
        )

    def _options(
        self, top_k: int | None, filters: Filters | None
    ) -> tuple[int, Mode, str, Collection[str], Named | None]:
        own = conditions(filters, Tests(self.base.fields)) if filters else ""
        k = self.k if top_k is None else top_k
        return k, self.mode, joined([self.where, own], "and"), self.labels, self.rerank


def _found(passages: Sequence[Passage]) -> dict[str, list[Document]]:
    return {
        "documents": [
            Document(
                id=each.chunk_id, content=each.text, meta=dict(described(each)), score=each.score
            )
            for each in passages
        ]
    }
