"""A knowledge base in LangChain: as a retriever; our chunkers as text splitters, our embedders as
embeddings.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import InstanceOf, PrivateAttr

from llmops.integrations import needing
from llmops.integrations._conditions import narrowed
from llmops.integrations._parts import (
    Cutter,
    base_of,
    described,
    embed_of,
    embedder_named,
    question_vector,
    vectors,
)
from llmops.knowledge_base import KnowledgeBase, Named
from llmops.results import Passage
from llmops.tasks.retrieval.hybrid import Mode

with needing("LangChain", "langchain", "langchain"):
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever
    from langchain_text_splitters import TextSplitter


class KnowledgeBaseRetriever(BaseRetriever):
    """The k best passages of a knowledge base (a name, or a KnowledgeBase) as documents: the live
    version's, or that of `version`. `where`: a condition; `labels`: the access labels that whoever
    asks holds; `rerank`: as in `KnowledgeBase.search`.

    Documents have the passage's chunk_id as their id; their metadata hold uri, title, version,
    page, start, end, score and those of the document.

    A single call may have its own `k` and `mode`, and a `where` that narrows further:
    `retriever.invoke("…", where='year >= 2024')`. Labels are given where a retriever is made, never
    by a call, which may come from outside: make one for each person, with the same KnowledgeBase.
    """

    knowledge_base: str | InstanceOf[KnowledgeBase]
    k: int = 5
    mode: Mode = "hybrid"
    where: str = ""
    labels: tuple[str, ...] = ()
    home: Path | None = None
    version: int | None = None
    rerank: Named | None = None
    _base: KnowledgeBase = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        super().model_post_init(context)
        self._base = base_of(self.knowledge_base, self.home, self.version)

    @property
    def base(self) -> KnowledgeBase:
        """The knowledge base that it reads."""
        return self._base

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        mode: Mode | None = None,
        where: str = "",
    ) -> list[Document]:
        return _documents(self._base.search(query, *self._options(k, mode, where)))

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        mode: Mode | None = None,
        where: str = "",
    ) -> list[Document]:
        return _documents(await self._base.asearch(query, *self._options(k, mode, where)))

    def _options(
        self, k: int | None, mode: Mode | None, where: str
    ) -> tuple[int, Mode, str, Collection[str], Named | None]:
        both = narrowed(self.where, where, self._base.fields) if where else self.where
        count = self.k if k is None else k
        return count, mode or self.mode, both, self.labels, self.rerank


def _documents(passages: list[Passage]) -> list[Document]:
    return [
        Document(id=each.chunk_id, page_content=each.text, metadata=described(each))
        for each in passages
    ]


class Embedding(Embeddings):
    """An embedder by the name, or with the options, that configs use: `Embedding("minilm")`.
    `Embedding.of(base)` is that of a knowledge base's live version.
    """

    def __init__(self, embed: Named = "minilm") -> None:
        self._embedder = embedder_named(embed)

    @classmethod
    def of(cls, base: KnowledgeBase) -> "Embedding":
        return cls(embed_of(base))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector of length 1 for each."""
        return vectors(self._embedder, texts)

    def embed_query(self, text: str) -> list[float]:
        return question_vector(self._embedder, text)


class Chunker(TextSplitter):
    """A chunker by the name, or with the options, that configs use: `Chunker("markdown")`,
    `Chunker({"name": "sentence", "size": 300})`. `embed` is whose tokens are counted; `markup`
    says whether `#` lines are headings.

    Documents that it makes say in their metadata where they stand: start, end, page, headings.
    """

    def __init__(
        self, chunk: Named = "sentence", embed: Named = "minilm", markup: str = "markdown"
    ) -> None:
        super().__init__()
        self._cutter, self._markup = Cutter(chunk, embed), markup

    def split_text(self, text: str) -> list[str]:
        """The chunks, without where they stand."""
        return [piece.text for piece in self._cutter.cut(text, self._markup, {})]

    def create_documents(
        self, texts: list[str], metadatas: list[dict[Any, Any]] | None = None
    ) -> list[Document]:
        """A document for each chunk, with the metadata of its text."""
        return self._made(zip(texts, metadatas or [{}] * len(texts), strict=True))

    def split_documents(self, documents: Iterable[Document]) -> list[Document]:
        return self._made((each.page_content, each.metadata) for each in documents)

    def _made(self, given: Iterable[tuple[str, Mapping[str, object]]]) -> list[Document]:
        return [
            Document(page_content=piece.text, metadata={**metadata, **piece.place})
            for text, metadata in given
            for piece in self._cutter.cut(text, self._markup, metadata)
        ]
