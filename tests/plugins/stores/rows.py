"""Rows and vectors to put into a store."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from llmops.tasks.errors import Damaged
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.embedders import normalised
from llmops.tasks.plugins.stores import ROWS, StoreCollection, StoreReader
from llmops.tasks.schemas import Vectors, chunk_ids, frame
from llmops.tasks.texts.terms import indexed

DIMENSION = 8


def document(uri: str, texts: Sequence[str], *, title: str = "") -> pd.DataFrame:
    """The rows of one document, a chunk per text."""
    ids = chunk_ids(uri, texts)
    return frame(
        [
            {
                "chunk_id": ids[n],
                "doc_id": digest(uri),
                "ordinal": n,
                "text": text,
                "start": n * 100,
                "end": n * 100 + len(text),
                "tokens": len(text.split()),
                "headings": [title] if title else [],
                "page": None,
                "context": title,
                "uri": uri,
                "title": title or None,
                "source": "files",
                "metadata": "{}",
                "search": None,
                "language": "en",
                "media_type": "text/plain",
                "flags": ["seen"],
                "labels": ["public"],
                "row_hash": digest(text),
                "terms": indexed(title, text),
            }
            for n, text in enumerate(texts)
        ],
        ROWS,
    )


def numbered(first: int, last: int, *, word: str = "common") -> pd.DataFrame:
    """One document per number, each of one chunk with a word of its own."""
    parts = [document(f"doc-{n:06}.md", [f"{word} text number{n}"]) for n in range(first, last)]
    return pd.concat(parts, ignore_index=True) if parts else frame([], ROWS)


def vectors(rows: pd.DataFrame) -> Vectors:
    """A vector per row that follows from its text."""
    points = [
        np.random.default_rng(int(digest(text), 16)).standard_normal(DIMENSION)
        for text in rows["text"]
    ]
    return normalised(np.array(points, np.float32).reshape(len(rows), DIMENSION))


def ids(reader: StoreReader) -> list[str]:
    """All chunk ids, sorted, with repetitions if there are any."""
    return sorted(name for part in reader.rows(["chunk_id"]) for name in part["chunk_id"])


def assert_as_it_was(collection: StoreCollection, snapshot: str, chunk_ids: list[str]) -> None:
    """A snapshot that was rolled back reads as it did, or is said to be gone: never a mix."""
    try:
        found = ids(collection.at(snapshot))
    except Damaged:
        return
    assert found == sorted(chunk_ids)


def seen(reader: StoreReader) -> list[object]:
    """What one reader finds by vector and by text, scores included, and how many rows it counts."""
    near = reader.vector(np.ones(DIMENSION), 10)
    found = reader.text(["common", "number3"], 10)
    return [*near["chunk_id"], *near["score"], *found["chunk_id"], *found["score"], reader.count()]


def built(
    collection: StoreCollection,
    version: int,
    first: int,
    last: int,
    retire: list[str] | None = None,
) -> str:
    """Stage numbered documents and seal them."""
    rows = numbered(first, last)
    collection.stage(version, rows, vectors(rows), retire or [])
    return collection.seal(version)
