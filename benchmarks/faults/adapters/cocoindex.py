"""CocoIndex as its example of text embedding with LanceDB has it: one memoized function per file, a
memoized embedder, rows declared to a table target, run by `cocoindex update`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cocoindex as coco  # type: ignore[import-not-found,unused-ignore]
import numpy as np
from cocoindex.connectors import lancedb, localfs  # type: ignore[import-not-found,unused-ignore]
from cocoindex.resources.file import FileLike, PatternFilePathMatcher  # type: ignore[import-not-found,unused-ignore]
from cocoindex.resources.id import IdGenerator  # type: ignore[import-not-found,unused-ignore]
from cocoindex.resources.schema import VectorSchema  # type: ignore[import-not-found,unused-ignore]
from numpy.typing import NDArray

from benchmarks.faults import inject
from benchmarks.faults.adapter import DIMENSION, Adapter, embed, split, vector

STATE, STORE, TABLE = Path("cocoindex.db"), "lancedb", "chunks"
DATABASE: Any = coco.ContextKey("faults")
SCHEMA = VectorSchema(dtype=np.dtype(np.float32), size=DIMENSION)


@dataclass
class ChunkRow:
    """A row of the table."""

    id: int
    uri: str
    text: str
    embedding: Annotated[NDArray[np.float32], SCHEMA]


def _embed_batch(texts: list[str]) -> list[NDArray[np.float32]]:
    return [np.array(each, np.float32) for each in embed(texts)]


embed_batch: Any = coco.fn.as_async(batching=True, max_batch_size=64)(_embed_batch)


async def _embed_one(text: str) -> NDArray[np.float32]:
    made: NDArray[np.float32] = await embed_batch(text)
    return made


embed_one: Any = coco.fn(memo=True)(_embed_one)


async def _process_file(file: FileLike, per_chunk: int, table: Any) -> None:
    inject.at("parse")
    text = await file.read_text()
    ids, uri = IdGenerator(), str(file.file_path.path).removeprefix("docs/")

    async def declared(chunk: str) -> None:
        row = ChunkRow(await ids.next_id(chunk), uri, chunk, await embed_one(chunk))
        table.declare_row(row=row)

    await asyncio.gather(*map(declared, split(text, per_chunk)))


process_file: Any = coco.fn(memo=True)(_process_file)


async def _main(folder: Path, per_chunk: int) -> None:
    schema = await lancedb.TableSchema.from_class(ChunkRow, primary_key=["id"])
    table = await lancedb.mount_table_target(DATABASE, TABLE, schema)
    matcher = PatternFilePathMatcher(included_patterns=["**/*.txt"])
    files = localfs.walk_dir(folder, recursive=True, path_matcher=matcher)
    await coco.mount_each(process_file, files.items(), per_chunk, table)


async def _lifespan(builder: Any) -> AsyncIterator[None]:
    builder.settings.db_path = STATE
    builder.provide(DATABASE, await lancedb.connect_async(STORE))
    yield


class CocoIndexApp(Adapter):
    """The command line, in this process, so that faults can strike in it."""

    title = "CocoIndex"
    packages = ("cocoindex", "lancedb")
    loads = ("lancedb", "numpy")
    store = STORE
    state = (str(STATE),)
    setup = (
        "`cocoindex update` of an app with `mount_each`, `memo=True` for files and embeddings, "
        "LanceDB as the table target"
    )

    def run(self, per_chunk: int) -> None:
        from cocoindex.cli import cli  # type: ignore[import-not-found,unused-ignore]
        from cocoindex.connectors.lancedb import _target  # type: ignore[import-not-found,unused-ignore]

        inject.arm_lancedb()
        # its state is written by compiled code, when this has returned
        inject.after(_target._RowHandler, "_apply_actions", "state write")
        coco.lifespan(_lifespan)
        self.app = coco.App(
            coco.AppConfig(name="Faults"), coco.fn(_main), folder=Path("docs"), per_chunk=per_chunk
        )
        sys.argv = ["cocoindex", "update", "--force", "benchmarks.faults.adapters.cocoindex"]
        cli()

    def search(self) -> Iterable[tuple[str, str]]:
        rows = lancedb.connect(STORE).open_table(TABLE).search(vector("a question"))
        return [(row["uri"], row["text"]) for row in rows.limit(1000).to_list()]


ADAPTER = CocoIndexApp()
