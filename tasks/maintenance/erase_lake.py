"""Documents in the lake: where their rows are, and shards written anew without them."""

import json
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from re import fullmatch
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Connection, delete, select, update

from llmops.tasks.knowledge.embed import text_hash
from llmops.tasks.ledger import Ledger, now
from llmops.tasks.ledger.leases import alive, aware
from llmops.tasks.ledger.tables import chunks, documents, leases, parsed
from llmops.tasks.schemas import CHUNKS, DOCUMENTS, Shard, from_arrow, write_shard

SCHEMAS = {"documents": DOCUMENTS, "chunks": CHUNKS}
KINDS = ("documents", "chunks", "changes")
TELLING = 40


class Traces(NamedTuple):
    """What the lake holds of some documents: the files, all texts in all versions, keys of parsed
    texts and of embeddings.
    """

    files: list[Path]
    texts: set[str]
    contents: set[str]
    embedded: set[str]


def traces(lake: Path, doc_ids: Collection[str]) -> Traces:
    """Everything of these documents, also what builds wrote that were never published. Other shards
    are read in one column only.
    """
    found = Traces([], set(), set(), set())
    for file in shards(lake):
        if holds(file, doc_ids):
            found.files.append(file)
            if file.parts[-3] != "changes":
                for row in _rows(file, doc_ids):
                    _take(found, row)
    return found


def _take(found: Traces, row: dict[str, Any]) -> None:
    found.texts.update(row[name] for name in ("text", "search", "title") if row.get(name))
    if "content_hash" in row:
        found.texts.update(_told(json.loads(row["metadata"])))
        found.contents.add(row["content_hash"])
    else:
        found.embedded.add(text_hash(row))


def _told(value: Any) -> Iterator[str]:
    """The longer texts in a document's metadata; short ones are names that others have too."""
    if isinstance(value, str) and len(value) >= TELLING:
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _told(one)


def called(lake: Path, uri: str) -> set[str]:
    """The doc_ids that a uri has in the lake, also in builds that were never published."""
    found = set[str]()
    for file in sorted((lake / "documents").glob("??/*.parquet")):
        table = pq.read_table(file, columns=["doc_id", "uri"])
        found.update(table.filter(pc.equal(table["uri"], uri))["doc_id"].to_pylist())
    return found


def shards(lake: Path) -> Iterator[Path]:
    for kind in KINDS:
        yield from sorted((lake / kind).glob("??/*.parquet"))


def holds(file: Path, doc_ids: Collection[str]) -> bool:
    column = pq.read_table(file, columns=["doc_id"])["doc_id"]
    return bool(pc.any(pc.is_in(column, pa.array(sorted(doc_ids), column.type))).as_py())


def _rows(file: Path, doc_ids: Collection[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(
        file, filters=[("doc_id", "in", sorted(doc_ids))]
    ).to_pylist()
    return found


def rewrite(ledger: Ledger, lake: Path, kb: str, doc_ids: Collection[str]) -> tuple[int, int]:
    """Take documents of one knowledge base out of every shard, and point the ledger at the new
    ones.

    A shard that another knowledge base has the same document in stays as it is, for that one. So
    does what a build of another one wrote since it began, if that has the document too. Returns
    (shards rewritten or removed, shards left for others).
    """
    since = _others_began(ledger, kb)
    done = kept = 0
    for file in [file for file in shards(lake) if holds(file, doc_ids)]:
        path = str(file.relative_to(lake))
        new, places = _smaller(lake, file, doc_ids)
        with ledger.write() as connection:
            needed = _of_others(connection, kb, path, doc_ids)
            _move(connection, kb if needed else None, path, new, places)
        if needed or file.stat().st_mtime >= since:
            kept += 1
            continue
        file.unlink()
        done += 1
    _scratch(lake, kb, since)
    return done, kept


def _smaller(
    lake: Path, file: Path, doc_ids: Collection[str]
) -> tuple[Shard | None, dict[int, int]]:
    """The shard without the documents (None: nothing is left), and for each row that stays where it
    was and is.
    """
    table, kind = pq.read_table(file), file.parts[-3]
    stays = [n for n, key in enumerate(table["doc_id"].to_pylist()) if key not in doc_ids]
    if kind not in SCHEMAS or not stays:
        return None, {}
    return write_shard(from_arrow(table.take(stays)), SCHEMAS[kind], lake, kind), {
        old: n for n, old in enumerate(stays)
    }


def _of_others(connection: Connection, kb: str, path: str, doc_ids: Collection[str]) -> bool:
    return any(
        connection.execute(
            select(table.c.doc_id)
            .where(table.c.shard == path, table.c.kb != kb, table.c.doc_id.in_(doc_ids))
            .limit(1)
        ).first()
        for table in (documents, chunks)
    )


def _move(
    connection: Connection, kb: str | None, path: str, new: Shard | None, places: dict[int, int]
) -> None:
    """Point rows at the new shard: those of one knowledge base, or (None) all of them."""
    for table in (documents, parsed):
        mine = (table.c.shard == path) & ((table.c.kb == kb) if kb and table is documents else True)
        for row in connection.execute(select(table).where(mine)).all():
            key = [column == row._mapping[column.name] for column in table.primary_key]
            if row.shard_row in places and new is not None:
                connection.execute(
                    update(table)
                    .where(*key)
                    .values(
                        shard=new.path, shard_sha256=new.sha256, shard_row=places[row.shard_row]
                    )
                )
            elif table is parsed:
                connection.execute(delete(parsed).where(*key))
    if new is not None:
        mine = (chunks.c.shard == path) & ((chunks.c.kb == kb) if kb else True)
        connection.execute(update(chunks).where(mine).values(shard=new.path))


def _others_began(ledger: Ledger, kb: str) -> float:
    """Since when builds of other knowledge bases run that may write shards nobody refers to yet;
    without one: the end of time.
    """
    with ledger.read() as connection:
        began = [
            aware(row.acquired_at)
            for row in connection.execute(select(leases).where(leases.c.kb != kb))
            if alive(row)
        ]
    return min(began).timestamp() if began else now().timestamp() + 3600 * 24 * 365


def _scratch(lake: Path, kb: str, since: float) -> None:
    """Remove what builds of this knowledge base passed among their tasks, and what writers left
    that died halfway.
    """
    for folder in (lake / "runs").glob(f"{kb}-*"):
        if fullmatch(rf"{kb}-\d+", folder.name):
            shutil.rmtree(folder)
    for file in lake.rglob(".*"):
        if file.is_file() and file.stat().st_mtime < since:
            file.unlink()


def parts_of(lake: Path, kb: str) -> Iterator[dict[str, Any]]:
    """The todos of this knowledge base's builds: what they tried, whatever came of it."""
    import json

    for file in sorted((lake / "runs").glob(f"{kb}-*/part-*.json")):
        if fullmatch(rf"{kb}-\d+", file.parent.name):
            yield from json.loads(file.read_bytes())
