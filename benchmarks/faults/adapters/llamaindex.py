"""LlamaIndex's IngestionPipeline with everything that its documentation has against loss: a
document store, upserts and deletes, a persisted cache, LanceDB as the vector store.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from llama_index.core import SimpleDirectoryReader
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import TextSplitter
from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.storage.kvstore import simple_kvstore
from llama_index.core.vector_stores import VectorStoreQuery
from llama_index.vector_stores.lancedb import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
    LanceDBVectorStore,
)

from benchmarks.faults import inject
from benchmarks.faults.adapter import Adapter, embed, parse, split, vector

DOCS, STATE, STORE, TABLE = Path("docs"), Path("state"), "lancedb", "chunks"


class TextReader(BaseReader):
    """The parser of all systems."""

    def load_data(
        self, file: Path, extra_info: dict[str, Any] | None = None, **_: Any
    ) -> list[Document]:
        return [Document(text=parse(file), metadata=extra_info or {})]


class ParagraphSplitter(TextSplitter):
    """The chunker of all systems."""

    per_chunk: int

    def split_text(self, text: str) -> list[str]:
        return split(text, self.per_chunk)


class BilledEmbedding(BaseEmbedding):
    """The embedder of all systems. Only the text is embedded: the metadata stay out."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return embed([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return embed(texts)

    def _get_query_embedding(self, query: str) -> list[float]:
        return vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return vector(query)


class QuotingStore(LanceDBVectorStore):  # type: ignore[misc,unused-ignore]
    """Its `delete` puts ids into double quotes, which LanceDB from 0.38 takes for names of columns:
    every deletion fails (run-llama/llama_index#23087). Mended here, so that the rest is measured.
    """

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        self.table.delete(f"{self.doc_id_key} = '{ref_doc_id}'")


class LlamaIndexPipeline(Adapter):
    """As "Ingestion Pipeline" and "Document Management" of its documentation have it."""

    title = "LlamaIndex IngestionPipeline"
    packages = ("llama-index-core", "llama-index-vector-stores-lancedb", "lancedb")
    loads = ("lancedb", "llama_index.core", "llama_index.vector_stores.lancedb")
    store = STORE
    state = (str(STATE),)
    setup = (
        "`IngestionPipeline` with a `SimpleDocumentStore`, `UPSERTS_AND_DELETE`, cache and "
        "document store loaded before and persisted after each run, file names as ids, LanceDB "
        "(its `delete` mended: from LanceDB 0.38 on it fails)"
    )

    def run(self, per_chunk: int) -> None:
        inject.arm_lancedb()
        codec = SimpleNamespace(load=json.load, dumps=json.dumps)
        inject.before(codec, "dumps", "state write")  # its file is open then, and empty
        vars(simple_kvstore)["json"] = codec
        pipeline = IngestionPipeline(
            transformations=[ParagraphSplitter(per_chunk=per_chunk), BilledEmbedding()],
            docstore=SimpleDocumentStore(),
            vector_store=self._store(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        )
        if STATE.exists():
            pipeline.load(str(STATE))
        pipeline.run(documents=_documents())
        pipeline.persist(str(STATE))

    def _store(self) -> Any:
        return QuotingStore(uri=STORE, table_name=TABLE, mode="create")

    def search(self) -> Iterable[tuple[str, str]]:
        query = VectorStoreQuery(query_embedding=vector("a question"), similarity_top_k=1000)
        found = self._store().query(query)
        return [(node.metadata["uri"], node.get_content()) for node in found.nodes or []]


def _documents() -> list[Document]:
    """The documents of the folder. An empty folder has none, of which the reader makes an error."""
    if not any(DOCS.rglob("*.txt")):
        return []
    reader = SimpleDirectoryReader(
        str(DOCS),
        recursive=True,
        file_extractor={".txt": TextReader()},
        file_metadata=lambda file: {"uri": str(Path(file).relative_to(DOCS.absolute()))},
    )
    documents = reader.load_data()
    for document in documents:
        document.id_ = document.metadata["uri"]
        document.excluded_embed_metadata_keys = ["uri"]
    return documents


ADAPTER = LlamaIndexPipeline()
