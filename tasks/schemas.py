"""What flows between tasks: the schemas of the frames, ids, hashes, and the shard that carries a
frame.

Between tasks travel references: a `Shard` is a Parquet file of up to some hundred rows, named by
its content hash.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import Damaged
from llmops.tasks.hashing import sha256 as sha256  # here for all that stores rows
from llmops.tasks.lake import Lake

if TYPE_CHECKING:
    import pandas as pd


def _column(name: str, kind: Any, about: str, *, null: bool = False) -> Any:
    return pa.field(name, kind, nullable=null, metadata={"about": about})


DOCUMENTS = pa.schema(
    [
        _column("doc_id", pa.string(), "digest of (source, uri)"),
        _column("source", pa.string(), "id of the source in the config"),
        _column("uri", pa.string(), "what the source calls the document"),
        _column(
            "title",
            pa.string(),
            "title found in the content, never derived from the file name",
            null=True,
        ),
        _column("text", pa.string(), "the whole text; a form feed (\\f) stands between pages"),
        _column("markup", pa.string(), "markdown: `#` lines are headings; plain: they are not"),
        _column("media_type", pa.string(), "of the original, as sniffed"),
        _column("language", pa.string(), "ISO 639-1 code, where known", null=True),
        _column("content_hash", pa.string(), "SHA-256 of the original bytes, hexadecimal"),
        _column("metadata", pa.string(), "JSON object from the source and the parser"),
        _column(
            "revision",
            pa.string(),
            "the source's token for this state of the original; empty: unknown",
        ),
        _column("fetched_at", pa.timestamp("us", "UTC"), "when the original was read"),
    ]
)

CHUNKS = pa.schema(
    [
        _column(
            "chunk_id",
            pa.string(),
            "digest of (doc_id, text, occurrence of that text in the document)",
        ),
        _column("doc_id", pa.string(), "the owner"),
        _column("ordinal", pa.int32(), "position in the document, from 0"),
        _column("text", pa.string(), "exactly document.text[start:end]"),
        _column("start", pa.int64(), "character offset of the first character"),
        _column("end", pa.int64(), "character offset after the last character"),
        _column(
            "tokens",
            pa.int32(),
            "length of `search`, else of text, in tokens of the embedder, without special tokens",
        ),
        _column(
            "headings", pa.list_(pa.string()), "path of headings above the chunk, outermost first"
        ),
        _column(
            "page",
            pa.int32(),
            "page of the first character, from 1; null where there are no pages",
            null=True,
        ),
        _column(
            "context",
            pa.string(),
            "what is embedded and searched before the text: title and headings; may be empty",
        ),
        _column(
            "search",
            pa.string(),
            "what is embedded and searched instead of context and text, where that is another text",
            null=True,
        ),
    ]
)


def doc_id(source: str, uri: str) -> str:
    """The id of a document: 32 hexadecimal digits of SHA-256 over (source, uri)."""
    return sha256(f"{source}\x1f{uri}")[:32]


def chunk_ids(document: str, texts: Iterable[str]) -> list[str]:
    """The ids of a document's chunks, in order: the n-th occurrence of a text has an id of its
    own.
    """
    seen: dict[str, int] = {}
    ids = []
    for text in texts:
        seen[text] = seen.get(text, 0) + 1
        ids.append(sha256(f"{document}\x1f{seen[text]}\x1f{text}")[:32])
    return ids


def embedded_text(chunk: Mapping[str, Any]) -> str:
    """What the embedder sees of a chunk."""
    if chunk.get("search") is not None:
        return str(chunk["search"])
    return f"{chunk['context']}\n{chunk['text']}" if chunk["context"] else str(chunk["text"])


def packed(metadata: Mapping[str, Any]) -> str:
    """Metadata as DOCUMENTS holds it; equal metadata gives equal text."""
    return json.dumps(metadata, sort_keys=True, ensure_ascii=False, default=str)


def frame(rows: Iterable[Mapping[str, Any]], schema: Any) -> "pd.DataFrame":
    """Rows as a frame with Arrow dtypes, in the schema's column order. Raises pyarrow.ArrowInvalid
    for a wrong type.
    """
    return from_arrow(pa.Table.from_pylist(list(rows), schema=schema))


def from_arrow(table: Any) -> "pd.DataFrame":
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype)  # type: ignore[no-any-return]


Record = Mapping[str, Any]
"""A row as plain Python values; missing ones are None."""


def records(frame: "pd.DataFrame") -> list[Record]:
    """The rows of a frame, column by column: by rows, pandas takes a hundred times as long."""
    columns = [pa.array(frame[name], from_pandas=True).to_pylist() for name in frame]
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]


class Shard(BaseModel):
    """A reference to a Parquet file: `path` relative to the lake, `sha256` of the file's bytes."""

    model_config = ConfigDict(frozen=True)
    path: str
    rows: int
    sha256: str

    def read(self, lake: Lake, columns: list[str] | None = None) -> "pd.DataFrame":
        """The shard as a frame with Arrow dtypes. Raises Damaged as `table` does."""
        return from_arrow(self.table(lake, columns))

    def table(self, lake: Lake, columns: list[str] | None = None) -> Any:
        """The shard as an Arrow table. Raises Damaged when the file is missing or is no longer what
        was written.
        """
        try:
            content = lake.read(self.path)
        except FileNotFoundError as error:
            raise Damaged(
                f"the shard {lake.where(self.path)} is missing",
                hint="restore a backup, or build with --full",
            ) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise Damaged(
                f"the shard {lake.where(self.path)} is not what was written",
                hint="restore a backup, or build with --full",
            )
        # `read_table` would set up a dataset for each small file
        return pq.ParquetFile(pa.BufferReader(content)).read(columns, use_threads=False)


def write_shard(data: "pd.DataFrame", schema: Any, lake: Lake, kind: str) -> Shard:
    """Write a frame as `lake/kind/ab/<sha256>.parquet`, atomically; equal frames share one file."""
    table = pa.Table.from_pandas(data, schema=schema, preserve_index=False)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    name = hashlib.sha256(content).hexdigest()
    relative = f"{kind}/{name[:2]}/{name}.parquet"
    lake.write(relative, content)
    return Shard(path=relative, rows=len(data), sha256=name)


Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]
"""Shape (texts, dimension), float32, rows of length 1."""


Starts = np.ndarray[tuple[int], np.dtype[np.int64]]
"""Offsets of characters in a text, ascending."""


OneOrMore = Path | Annotated[tuple[Path, ...], Field(min_length=1)]
"""A file, or several that are read as one."""


def paths_of(folder: Path, files: OneOrMore) -> tuple[Path, ...]:
    """Each of them, relative ones in a folder."""
    return tuple(folder / each for each in ((files,) if isinstance(files, Path) else files))


class Lineage(BaseModel):
    """Where a golden question, a case or a training row comes from: the trace, who said so (by
    pseudonyms), and what the answer was made with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    trace_id: str
    reviewers: tuple[str, ...] = ()
    app: str = ""
    knowledge_base: str = ""
    version: int | None = None
    prompt: str = ""
    model: str = ""
