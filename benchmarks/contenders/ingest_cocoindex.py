"""CocoIndex: `python -m benchmarks.contenders.ingest_cocoindex DOCS STATE`.

As its example of text embedding with LanceDB has it: a memoized function for each file and for each
embedding, embeddings in batches, rows declared to a table target, its state on disk.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cocoindex as coco
import numpy as np
from cocoindex.connectors import lancedb, localfs
from cocoindex.ops.text import RecursiveSplitter
from cocoindex.resources.file import FileLike, PatternFilePathMatcher
from cocoindex.resources.id import IdGenerator
from cocoindex.resources.schema import VectorSchema
from numpy.typing import NDArray

from benchmarks.contenders.hashed import DIMENSION, embed_array

DOCS, STATE = Path(sys.argv[1]), Path(sys.argv[2])
BATCH = 500
DATABASE: Any = coco.ContextKey("database")
SCHEMA = VectorSchema(dtype=np.dtype(np.float32), size=DIMENSION)
splitter = RecursiveSplitter()
paid: list[int] = []


@dataclass
class ChunkRow:
    """A row of the table."""

    id: int
    uri: str
    text: str
    embedding: Annotated[NDArray[np.float32], SCHEMA]


def _embed_batch(texts: list[str]) -> list[np.ndarray]:
    paid.append(len(texts))
    return embed_array(texts)


embed_batch: Any = coco.fn.as_async(batching=True, max_batch_size=BATCH)(_embed_batch)


async def _embed_one(text: str) -> NDArray[np.float32]:
    made: NDArray[np.float32] = await embed_batch(text)
    return made


embed_one: Any = coco.fn(memo=True)(_embed_one)


async def _process_file(file: FileLike, table: Any) -> None:
    ids, uri = IdGenerator(), str(file.file_path.path)

    async def declared(text: str) -> None:
        table.declare_row(row=ChunkRow(await ids.next_id(text), uri, text, await embed_one(text)))

    cut = splitter.split(
        await file.read_text(), chunk_size=1_200, chunk_overlap=80, language="markdown"
    )
    await asyncio.gather(*(declared(each.text) for each in cut))


process_file: Any = coco.fn(memo=True)(_process_file)


async def _main(folder: Path) -> None:
    schema = await lancedb.TableSchema.from_class(ChunkRow, primary_key=["id"])
    table = await lancedb.mount_table_target(DATABASE, "chunks", schema)
    matcher = PatternFilePathMatcher(included_patterns=["**/*.md"])
    files = localfs.walk_dir(folder, recursive=True, path_matcher=matcher)
    await coco.mount_each(process_file, files.items(), table)


async def _lifespan(builder: Any) -> AsyncIterator[None]:
    builder.settings.db_path = STATE / "cocoindex.db"
    builder.provide(DATABASE, await lancedb.connect_async(str(STATE / "lancedb")))
    yield


def main() -> None:
    coco.lifespan(_lifespan)
    app: Any = coco.App(coco.AppConfig(name="Bench"), coco.fn(_main), folder=DOCS)
    app.update_blocking()
    table = lancedb.connect(str(STATE / "lancedb")).open_table("chunks")
    sys.stdout.write(json.dumps({"chunks": table.count_rows(), "computed": sum(paid)}) + "\n")


if __name__ == "__main__":
    main()
