"""From collected documents to cleaned ones, and from those to chunks."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tasks.chunkers import Chunker, Span, Tokenizer
from tasks.cleaners import Cleaner, Document
from tasks.errors import DocumentError
from tasks.knowledge.boundary import one_document
from tasks.knowledge.build import Batch, Build
from tasks.knowledge.quarantine import Failure, put
from tasks.records import CHUNKS, DOCUMENTS, Shard, chunk_ids, frame, packed, write_shard

Row = dict[str, Any]
COPIED = ("text", "title", "language", "markup", "media_type", "uri")


def clean(build: Build, cleaners: Sequence[Cleaner], batch: Batch) -> Batch:
    """Pass every text through the cleaners, in order."""

    def cleaned(row: Row) -> Row:
        document = Document(**{name: row[name] for name in COPIED}, metadata=json.loads(row["metadata"]))
        for cleaner in cleaners:
            document = cleaner.apply(document)
        if not document.text.strip():
            raise DocumentError("the document has no text")
        build.facts.of(row["source"], document.metadata)  # raises for what cannot be filtered by, before anything is paid
        return {**row, "text": document.text, "title": document.title, "language": document.language,
                "metadata": packed(document.metadata)}

    rows = surviving(build, rows_of(build, batch.documents), "clean", cleaned)
    return batch.model_copy(update={"documents": write_shard(frame(rows, DOCUMENTS), DOCUMENTS, build.lake, "documents")})


def chunk(build: Build, chunker: Chunker, tokenizer: Tokenizer, batch: Batch) -> Batch:
    """Split every document. One that gives no chunk is a failure, not an empty success."""
    chunks: list[Row] = []

    def split(row: Row) -> Row:
        spans = chunker.split(row["text"], markup=row["markup"], title=row["title"], tokenizer=tokenizer, uri=row["uri"])
        if not spans:
            raise DocumentError("the chunker found nothing to keep in this document")
        chunks.extend(_chunk_rows(row, spans))
        return row

    documents = surviving(build, rows_of(build, batch.documents), "chunk", split)
    kept = documents_shard(build, batch.documents, documents)
    return batch.model_copy(update={"documents": kept, "chunks": write_shard(frame(chunks, CHUNKS), CHUNKS, build.lake, "chunks")})


def _chunk_rows(row: Row, spans: Sequence[Span]) -> list[Row]:
    texts = [row["text"][span.start : span.end] for span in spans]
    return [
        {
            "chunk_id": key,
            "doc_id": row["doc_id"],
            "ordinal": n,
            "text": text,
            "start": span.start,
            "end": span.end,
            "tokens": span.tokens,
            "headings": list(span.headings),
            "page": span.page,
            "context": span.context,
            "search": span.search,
        }
        for n, (key, text, span) in enumerate(zip(chunk_ids(row["doc_id"], texts), texts, spans, strict=True))
    ]


def rows_of(build: Build, shard: Shard) -> list[Row]:
    return shard.table(build.lake).to_pylist()  # type: ignore[no-any-return]


def surviving(build: Build, rows: Iterable[Row], stage: str, step: Callable[[Row], Row]) -> list[Row]:
    """The rows that pass a step; the others go to quarantine at that stage."""
    failures: list[Failure] = []
    kept: list[Row] = []
    for row in rows:
        with one_document(failures, source=row["source"], uri=row["uri"], stage=stage, revision=row["revision"]):
            kept.append(step(row))
    put(build.ledger, build.kb, failures, build.stages.all)
    return kept


def documents_shard(build: Build, before: Shard, rows: Sequence[Row]) -> Shard:
    """The same shard when nothing was dropped, else a smaller one."""
    return before if len(rows) == before.rows else write_shard(frame(rows, DOCUMENTS), DOCUMENTS, build.lake, "documents")


def without(build: Build, batch: Batch, dropped: set[str]) -> Batch:
    """The batch without some documents and their chunks."""
    if not dropped:
        return batch
    documents = [row for row in rows_of(build, batch.documents) if row["doc_id"] not in dropped]
    update: dict[str, Any] = {"documents": documents_shard(build, batch.documents, documents)}
    if batch.chunks:
        chunks = [row for row in rows_of(build, batch.chunks) if row["doc_id"] not in dropped]
        update["chunks"] = write_shard(frame(chunks, CHUNKS), CHUNKS, build.lake, "chunks")
    return batch.model_copy(update=update)
