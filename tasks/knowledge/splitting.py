"""Documents to chunks, where that is work of Python alone: many at a time, in whichever process.

What this module imports is imported by each of those processes.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from llmops.tasks import processes
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker, Span
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.schemas import chunk_ids

Row = dict[str, Any]
NEEDED = ("doc_id", "text", "markup", "title", "uri")


def work_alone(*plugins: Chunker | Embedder) -> bool:
    """Whether each says so of itself: a subclass of somebody else's may ask a model."""
    return all(vars(type(plugin)).get("alone", False) for plugin in plugins)


def split_alone(chunk: Spec, embed: Spec, rows: Sequence[Row]) -> list[list[Row] | None]:
    """For each document its chunks, as rows of `schemas.CHUNKS`. None where the chunker raised or
    found none: it is asked again for that one, where its error is told.

    Only for plugins that `work_alone`.
    """
    needed = [{name: row[name] for name in NEEDED} for row in rows]
    return processes.run(_split, chunk, embed, needed)


def _split(chunk: Spec, embed: Spec, rows: Sequence[Row]) -> list[list[Row] | None]:
    chunker, embedder = _plugins(chunk, embed)
    return [_chunks(chunker, embedder, row) for row in rows]


@lru_cache(8)
def _plugins(chunk: Spec, embed: Spec) -> tuple[Chunker, Embedder]:
    return chunk.build(Chunker), embed.build(Embedder)


def _chunks(chunker: Chunker, embedder: Embedder, row: Row) -> list[Row] | None:
    try:
        spans = chunker.split(
            row["text"],
            markup=row["markup"],
            title=row["title"],
            tokenizer=embedder,
            uri=row["uri"],
        )
    except Exception:  # noqa: BLE001 - it is raised again, and told, by the caller's own attempt
        return None
    return chunk_rows(row, spans) or None


def chunk_rows(row: Row, spans: Sequence[Span]) -> list[Row]:
    """The chunks of a document as rows of `schemas.CHUNKS`."""
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
        for n, (key, text, span) in enumerate(
            zip(chunk_ids(row["doc_id"], texts), texts, spans, strict=True)
        )
    ]
