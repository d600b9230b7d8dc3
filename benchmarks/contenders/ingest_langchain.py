"""LangChain's indexing API: `python -m benchmarks.contenders.ingest_langchain DOCS STATE`.

With a record manager in SQLite, `cleanup="full"` (the mode that removes what was deleted at the
source), the source id of each file, large batches as its reference advises, LanceDB on disk.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_classic.indexes import SQLRecordManager
from langchain_community.vectorstores import LanceDB
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import index
from langchain_text_splitters import RecursiveCharacterTextSplitter

from benchmarks.contenders.hashed import embed

BATCH = 1_000
paid: list[int] = []


class HashEmbeddings(Embeddings):
    """The embedder of all systems."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        paid.append(len(texts))
        return embed(texts)

    def embed_query(self, text: str) -> list[float]:
        return embed([text])[0]


class ChunkLoader(BaseLoader):
    """The files in their order, cut."""

    def __init__(self, docs: Path) -> None:
        self.docs = docs
        # by default a heading would be a chunk of its own, and a file three of them
        self.splitter = RecursiveCharacterTextSplitter(
            separators=[". ", " ", ""], chunk_size=1_200, chunk_overlap=80
        )

    def lazy_load(self) -> Iterator[Document]:
        for file in sorted(self.docs.rglob("*.md")):
            document = Document(page_content=file.read_text(), metadata={"source": str(file)})
            yield from self.splitter.split_documents([document])


def main(docs: Path, state: Path) -> None:
    records = SQLRecordManager("bench", db_url=f"sqlite:///{state / 'records.db'}")
    records.create_schema()
    # its default, mode="overwrite", replaces the table at every batch
    store: Any = LanceDB(
        uri=str(state / "lancedb"), embedding=HashEmbeddings(), table_name="chunks", mode="append"
    )
    index(
        ChunkLoader(docs),
        records,
        store,
        cleanup="full",
        source_id_key="source",
        batch_size=BATCH,
        key_encoder="blake2b",
    )
    chunks = store.get_table().count_rows()
    sys.stdout.write(json.dumps({"chunks": chunks, "computed": sum(paid)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
