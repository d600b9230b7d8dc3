"""From collected documents to cleaned ones, and from those to chunks."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llmops.tasks import progress
from llmops.tasks.calls.gateway import BlockingGateway
from llmops.tasks.errors import DocumentError
from llmops.tasks.knowledge.access import relabelled
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.paid import EmbeddingBill, PayingTokenizer
from llmops.tasks.knowledge.quarantine import Failure, one_document, put
from llmops.tasks.knowledge.sketches import read, verdicts_of
from llmops.tasks.knowledge.splitting import chunk_rows, split_alone, work_alone
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.cleaners import Cleaner, CorpusCleaner, CorpusVerdict, Document
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.schemas import CHUNKS, DOCUMENTS, Shard, frame, packed, write_shard

Row = dict[str, Any]
COPIED = ("text", "title", "language", "markup", "media_type", "uri")


def clean(
    build: Build, cleaners: Sequence[Cleaner], batch: Batch, until: int | None = None
) -> Batch:
    """Pass every text through the cleaners that it has not passed, in order, up to the one at
    `until` (to the last).

    A document that one of them leaves out for another is gone from the batch.
    """
    collected = rows_of(build, batch.documents)
    steps = _steps(build, cleaners, [row["doc_id"] for row in collected])[batch.cleaned : until]

    def cleaned(row: Row) -> Row:
        document = document_of(row)
        for cleaner, verdicts in steps:
            verdict = verdicts.get(row["doc_id"])
            if not isinstance(cleaner, CorpusCleaner):
                document = cleaner.apply(document)
            elif verdict and verdict.note:
                document = cleaner.settle(document, verdict.note)
        if not document.text.strip():
            raise DocumentError("the document has no text")
        build.metadata_schema.of(
            row["source"], document.metadata
        )  # raises for what cannot be filtered by, before anything is paid
        return {
            **row,
            "text": document.text,
            "title": document.title,
            "language": document.language,
            "metadata": packed(document.metadata),
        }

    out = {key for _, verdicts in steps for key, verdict in verdicts.items() if verdict.instead}
    rows = surviving(
        build, [row for row in collected if row["doc_id"] not in out], "clean", cleaned
    )
    shard = write_shard(frame(rows, DOCUMENTS), DOCUMENTS, build.lake, "documents")
    moved = batch.relabelled | relabelled(build, collected)
    return batch.model_copy(
        update={"documents": shard, "cleaned": len(cleaners[:until]), "relabelled": moved}
    )


def document_of(row: Row) -> Document:
    return Document(**{name: row[name] for name in COPIED}, metadata=json.loads(row["metadata"]))


def _steps(
    build: Build, cleaners: Sequence[Cleaner], doc_ids: Sequence[str]
) -> list[tuple[Cleaner, dict[str, CorpusVerdict]]]:
    keys = iter(build.fingerprints.corpus)
    return [
        (
            cleaner,
            {key: read(text) for key, text in verdicts_of(build, next(keys), doc_ids).items()}
            if isinstance(cleaner, CorpusCleaner)
            else {},
        )
        for cleaner in cleaners
    ]


def chunk(build: Build, chunker: Chunker, embedder: Embedder, batch: Batch) -> Batch:
    """Split every document. One that gives no chunk is a failure, not an empty success.

    What the chunker pays for (sentences, questions) is in the batch's account.
    """
    chunks: list[Row] = []
    bill = EmbeddingBill()
    rows = rows_of(build, batch.documents)
    found = _split_alone(build, chunker, embedder, rows)

    def split(row: Row) -> Row:
        if known := found.get(row["doc_id"]):
            chunks.extend(known)
            return row
        spans = chunker.split(
            row["text"],
            markup=row["markup"],
            title=row["title"],
            tokenizer=PayingTokenizer(build, embedder, gateway, row["doc_id"], bill),
            uri=row["uri"],
        )
        if not spans:
            raise DocumentError("the chunker found nothing to keep in this document")
        chunks.extend(chunk_rows(row, spans))
        return row

    with BlockingGateway(build.home, payer=build.payer) as gateway:
        documents = surviving(build, rows, "chunk", split)
    kept = documents_shard(build, batch.documents, documents)
    shard = write_shard(frame(chunks, CHUNKS), CHUNKS, build.lake, "chunks")
    return batch.model_copy(
        update={
            "documents": kept,
            "chunks": shard,
            "weighed": bill.embedded,
            "tokens": bill.tokens + gateway.spent.tokens,
            "cost_usd": bill.cost_usd + gateway.spent.cost_usd,
        }
    )


def _split_alone(
    build: Build, chunker: Chunker, embedder: Embedder, rows: Sequence[Row]
) -> dict[str, list[Row]]:
    """doc_id -> chunks, of the documents that need nobody's help and give no trouble."""
    if not work_alone(chunker, embedder):
        return {}
    found = split_alone(build.specs.chunk, build.specs.embed, rows)
    return {
        row["doc_id"]: chunks for row, chunks in zip(rows, found, strict=True) if chunks is not None
    }


def rows_of(build: Build, shard: Shard) -> list[Row]:
    return shard.table(build.lake).to_pylist()  # type: ignore[no-any-return]


def surviving(
    build: Build, rows: Iterable[Row], stage: str, step: Callable[[Row], Row]
) -> list[Row]:
    """The rows that pass a step; the others go to quarantine at that stage."""
    failures: list[Failure] = []
    kept: list[Row] = []
    rows = list(rows)
    with progress.stage(stage, len(rows)) as done:
        for row in rows:
            place = {name: row[name] for name in ("source", "uri", "revision", "content_hash")}
            with one_document(failures, stage=stage, **place):
                kept.append(step(row))
            done()
    put(build.handle, failures, build.fingerprints.all)
    return kept


def documents_shard(build: Build, before: Shard, rows: Sequence[Row]) -> Shard:
    """The same shard when nothing was dropped, else a smaller one."""
    return (
        before
        if len(rows) == before.rows
        else write_shard(frame(rows, DOCUMENTS), DOCUMENTS, build.lake, "documents")
    )


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
