"""LlamaIndex's IngestionPipeline: `python -m benchmarks.contenders.ingest_llamaindex DOCS STATE`.

With what its documentation has for speed and safety: a document store with upserts and deletes,
cache and document store loaded before and persisted after, file names as ids, LanceDB on disk.
"""

import json
import sys
from pathlib import Path
from typing import Any

from llama_index.core import SimpleDirectoryReader
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.vector_stores.lancedb import LanceDBVectorStore

from benchmarks.contenders.hashed import embed

BATCH = 500
paid: list[int] = []


class HashEmbedding(BaseEmbedding):
    """The embedder of all systems, in large batches."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        paid.append(len(texts))
        return embed(texts)

    def _get_query_embedding(self, query: str) -> list[float]:
        return embed([query])[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return embed([query])[0]


class QuotedStore(LanceDBVectorStore):  # type: ignore[misc]
    """Its own `delete` quotes a path as if it were a column, which LanceDB refuses."""

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        quoted = ref_doc_id.replace("'", "''")
        self.table.delete(f"{self.doc_id_key} = '{quoted}'")


def main(docs: Path, state: Path) -> None:
    store: Any = QuotedStore(uri=str(state / "lancedb"), table_name="chunks", mode="create")
    pipeline = IngestionPipeline(
        transformations=[
            SentenceSplitter(chunk_size=300, chunk_overlap=20),
            HashEmbedding(embed_batch_size=BATCH),
        ],
        docstore=SimpleDocumentStore(),
        vector_store=store,
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
    )
    if (state / "pipeline").exists():
        pipeline.load(str(state / "pipeline"))
    reader = SimpleDirectoryReader(str(docs), recursive=True, filename_as_id=True)
    pipeline.run(documents=reader.load_data())
    pipeline.persist(str(state / "pipeline"))
    sys.stdout.write(json.dumps({"chunks": store.table.count_rows(), "computed": sum(paid)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
