"""Rows on the disk: a run never has more than some thousand in memory. What tasks tell each other
is where they lie.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.datasets.training.row import Row
from llmops.tasks.errors import Damaged, disk_trouble

ROWS = 2_000
"""Rows of a shard."""
PARTIAL = ".partial"


class RowShard(BaseModel):
    """A file of rows as JSON lines. `path` is absolute: the files of a run have a folder."""

    model_config = ConfigDict(frozen=True)
    path: Path
    rows: int

    def read(self) -> Iterator[Row]:
        """The rows, in order. Raises Damaged where the file is gone or no longer whole."""
        count = 0
        try:
            with self.path.open("rb") as file:
                for line in file:
                    yield Row.model_validate_json(line)
                    count += 1
        except (OSError, ValueError) as error:
            raise _damaged(self.path, str(error)) from error
        if count != self.rows:
            raise _damaged(self.path, f"{count} rows instead of {self.rows}")


def _damaged(path: Path, why: str) -> Damaged:
    return Damaged(f"rows of a run are gone or damaged: {path}: {why}", hint="run it again")


class RowFiles(BaseModel):
    """Rows in several shards, in their order. They can be read any number of times."""

    model_config = ConfigDict(frozen=True)
    shards: tuple[RowShard, ...] = ()

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)

    def read(self) -> Iterator[Row]:
        for shard in self.shards:
            yield from shard.read()


def line_of(row: Row) -> str:
    """A row as JSON on one line; what is not said is left out."""
    said = row.model_dump(mode="json", exclude_defaults=True)
    return f"{json.dumps(said, ensure_ascii=False)}\n"


def write_shard(path: Path, rows: Iterable[Row]) -> RowShard:
    """Write one shard. Raises Unavailable where the disk is full."""
    count = 0
    with appearing(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(line_of(row))
            count += 1
    return RowShard(path=path, rows=count)


def write_shards(
    folder: Path, name: str, rows: Iterable[Row], most: int = ROWS
) -> tuple[RowShard, ...]:
    """Write rows as they come, in shards of at most `most`: `NAME-00000.jsonl`, …"""
    shards: list[RowShard] = []
    block: list[Row] = []

    def put() -> None:
        shards.append(write_shard(folder / f"{name}-{len(shards):05}.jsonl", block))
        block.clear()

    for row in rows:
        block.append(row)
        if len(block) >= most:
            put()
    if block:
        put()
    return tuple(shards)


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Where to write a file that is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}{PARTIAL}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        if trouble := disk_trouble(error):
            raise trouble from error
        raise
    finally:
        partial.unlink(missing_ok=True)
