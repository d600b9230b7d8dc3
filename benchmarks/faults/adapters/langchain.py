"""LangChain's indexing API with a record manager in SQLite and LanceDB. `cleanup="full"` is the
mode that removes what was deleted at the source; `langchain_incremental` has the other.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import index

from benchmarks.faults import inject
from benchmarks.faults.adapter import Adapter, embed, parse, split, vector

DOCS, RECORDS, STORE, TABLE = Path("docs"), "records.db", "lancedb", "chunks"


class ChunkLoader(BaseLoader):
    """The parser and the chunker of all systems, over the files in their order."""

    def __init__(self, per_chunk: int) -> None:
        self.per_chunk = per_chunk

    def lazy_load(self) -> Iterator[Document]:
        for file in sorted(DOCS.rglob("*.txt")):
            source = {"source": str(file.relative_to(DOCS))}
            for chunk in split(parse(file), self.per_chunk):
                yield Document(page_content=chunk, metadata=source)


class BilledEmbeddings(Embeddings):
    """The embedder of all systems."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return embed(texts)

    def embed_query(self, text: str) -> list[float]:
        return vector(text)


class LangChainIndex(Adapter):
    """As the reference of `langchain_core.indexing.index` has it."""

    title = 'LangChain index(cleanup="full")'
    packages = ("langchain-core", "langchain-classic", "langchain-community", "lancedb")
    loads = (
        "lancedb",
        "langchain_classic.indexes",
        "langchain_community.vectorstores.lancedb",
        "langchain_core.indexing",
    )
    store = STORE
    state = (f"{RECORDS}*",)
    setup = (
        "`index` with `cleanup`, `SQLRecordManager` in SQLite, `source` as the source id, LanceDB"
    )
    cleanup: Literal["full", "incremental"] = "full"

    def run(self, per_chunk: int) -> None:
        from langchain_classic.indexes import (  # type: ignore[import-not-found,unused-ignore]
            SQLRecordManager,
        )

        inject.arm_lancedb()
        inject.before(SQLRecordManager, "update", "state write")
        records = SQLRecordManager("faults", db_url=f"sqlite:///{RECORDS}")
        records.create_schema()
        index(
            ChunkLoader(per_chunk),
            records,
            self._store(),
            cleanup=self.cleanup,
            source_id_key="source",
            key_encoder="sha256",
        )

    def _store(self) -> Any:
        from langchain_community.vectorstores import (  # type: ignore[import-not-found,unused-ignore]
            LanceDB,
        )

        # its default, mode="overwrite", replaces the table at every batch
        return LanceDB(uri=STORE, embedding=BilledEmbeddings(), table_name=TABLE, mode="append")

    def search(self) -> Iterable[tuple[str, str]]:
        found = self._store().similarity_search_by_vector(vector("a question"), k=1000)
        return [(document.metadata["source"], document.page_content) for document in found]


ADAPTER = LangChainIndex()
