"""A document in the lake: what it was called, where its rows are, and shards written anew without
them.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from re import fullmatch
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Connection, delete, select, update

from llmops.tasks.knowledge.embed import text_hash
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.lakes import claim
from llmops.tasks.lake import Lake
from llmops.tasks.ledger import now
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import chunks, documents, parsed, quarantine, sketches
from llmops.tasks.maintenance.garbage import building
from llmops.tasks.schemas import CHUNKS, DOCUMENTS, Shard, from_arrow, write_shard

SCHEMAS = {"documents": DOCUMENTS, "chunks": CHUNKS}
KINDS = ("documents", "chunks", "changes")
TELLING = 40
YEAR_SECONDS = 3600 * 24 * 365


def identities(kb: Handle, uri: str) -> set[str]:
    """The doc_ids that a uri has had in a knowledge base, in any version, in quarantine, or in a
    build that came to nothing.
    """
    with kb.ledger.read() as connection:
        ids = {
            key
            for table in (documents, quarantine, sketches)
            for key in connection.scalars(
                select(table.c.doc_id).where(table.c.kb == kb.name, table.c.uri == uri)
            )
        }
        ids |= _former(connection, kb.name, ids)
        theirs = connection.scalars(
            select(documents.c.doc_id).where(documents.c.kb != kb.name, documents.c.uri == uri)
        )
        called = _called(kb.lake, uri) - set(theirs)
    tried = {
        todo["doc_id"]
        for path in kb.run_files()
        if fullmatch(r"part-\d+\.json", path.rpartition("/")[2])
        for todo in json.loads(kb.lake.read(path))
        if todo["uri"] == uri
    }
    return ids | tried | called


def _former(connection: Connection, kb: str, doc_ids: Collection[str]) -> set[str]:
    """What the documents were called before a rename: the same content of the same source, gone in
    the version in which they came.
    """
    former, new = set[str](), set(doc_ids)
    while new:
        mine = documents.alias()
        before = connection.scalars(
            select(documents.c.doc_id)
            .join(
                mine,
                (mine.c.kb == documents.c.kb)
                & (mine.c.source == documents.c.source)
                & (mine.c.content_hash == documents.c.content_hash)
                & (mine.c.valid_from == documents.c.valid_to),
            )
            .where(documents.c.kb == kb, mine.c.doc_id.in_(new))
        )
        new = set(before) - former - set(doc_ids)
        former |= new
    return former


def _called(lake: Lake, uri: str) -> set[str]:
    """The doc_ids that a uri has in the lake, also in builds that were never published."""
    ids = set[str]()
    for path in shards(lake, ("documents",)):
        table = pq.read_table(lake.parquet(path), columns=["doc_id", "uri"])
        ids.update(table.filter(pc.equal(table["uri"], uri))["doc_id"].to_pylist())
    return ids


def names(kb: Handle, doc_ids: Collection[str]) -> tuple[set[str], set[str]]:
    """(the uris of these documents, the uris of other documents that have the same content in some
    version).
    """
    with kb.ledger.read() as connection:
        own = {
            uri
            for table in (documents, quarantine, sketches)
            for uri in connection.scalars(
                select(table.c.uri).where(table.c.kb == kb.name, table.c.doc_id.in_(doc_ids))
            )
        }
        mine = (documents.c.kb == kb.name) & documents.c.doc_id.in_(doc_ids)
        contents = set(connection.scalars(select(documents.c.content_hash).where(mine)))
        others = connection.scalars(
            select(documents.c.uri).where(
                documents.c.kb == kb.name,
                documents.c.content_hash.in_(contents),
                documents.c.doc_id.not_in(doc_ids),
            )
        )
        return own, set(others)


def uris(kb: Handle) -> list[str]:
    """Of every document of any version, and of what is in quarantine."""
    with kb.ledger.read() as connection:
        return sorted(
            {
                uri
                for table in (documents, quarantine)
                for uri in connection.scalars(select(table.c.uri).where(table.c.kb == kb.name))
            }
        )


class Traces(NamedTuple):
    """What the lake holds of some documents: all texts in all versions, what they were called, keys
    of parsed texts and of embeddings.
    """

    texts: set[str]
    uris: set[str]
    contents: set[str]
    embedded: set[str]


def traces(lake: Lake, doc_ids: Collection[str]) -> Traces:
    """Everything of these documents, also what builds wrote that were never published. Other shards
    are read in one column only.
    """
    left = Traces(set(), set(), set(), set())
    for path in shards(lake, tuple(SCHEMAS)):
        if not _holds(lake, path, doc_ids):
            continue
        table = pq.read_table(lake.parquet(path), filters=[("doc_id", "in", sorted(doc_ids))])
        for row in table.to_pylist():
            left.texts.update(row[name] for name in ("text", "search", "title") if row.get(name))
            if "content_hash" in row:
                left.texts.update(_long_texts(json.loads(row["metadata"])))
                left.contents.add(row["content_hash"])
                left.uris.add(row["uri"])
            else:
                left.embedded.add(text_hash(row))
    return left


def _long_texts(value: object) -> Iterator[str]:
    """The longer texts in a document's metadata; short ones are names that others have too."""
    if isinstance(value, str) and len(value) >= TELLING:
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _long_texts(item)


def shards(lake: Lake, kinds: Sequence[str]) -> list[str]:
    """The paths of all shards of some kinds."""
    named = re.compile(r"\w+/\w\w/[^./]+\.parquet")
    return [file.path for kind in kinds for file in lake.files(kind) if named.fullmatch(file.path)]


def _holds(lake: Lake, path: str, doc_ids: Collection[str]) -> bool:
    column = pq.read_table(lake.parquet(path), columns=["doc_id"])["doc_id"]
    return bool(pc.any(pc.is_in(column, pa.array(sorted(doc_ids), column.type))).as_py())


def rewrite(kb: Handle, doc_ids: Collection[str]) -> tuple[int, int]:
    """Take documents of one knowledge base out of every shard, and point the ledger at the new
    ones.

    A shard that another knowledge base has the same document in stays as it is, for that one. So
    does what a build of another one wrote since it began, if that has the document too. Returns
    (shards rewritten or removed, shards left for others).
    """
    claim(kb)
    since = _others_began(kb)
    done = kept = 0
    for path in [path for path in shards(kb.lake, KINDS) if _holds(kb.lake, path, doc_ids)]:
        new, places = _without(kb.lake, path, doc_ids)
        with kb.ledger.write() as connection:
            needed = any(
                connection.execute(
                    select(table.c.doc_id)
                    .where(
                        table.c.shard == path, table.c.kb != kb.name, table.c.doc_id.in_(doc_ids)
                    )
                    .limit(1)
                ).first()
                for table in (documents, chunks)
            )
            _move(connection, kb.name if needed else None, path, new, places)
        file = kb.lake.file(path)
        if needed or (file is not None and file.modified >= since):
            kept += 1
            continue
        kb.lake.remove(path)
        done += 1
    kb.forget_runs()
    for file in kb.lake.files():
        if file.partial and file.modified < since:
            kb.lake.remove(file.path)
    return done, kept


def _others_began(kb: Handle) -> float:
    """Since when builds of other knowledge bases run that may write shards nobody refers to yet;
    without one: the end of time.
    """
    with kb.ledger.read() as connection:
        began = [aware(row.acquired_at) for row in building(connection, kb.name)]
    return min(began).timestamp() if began else now().timestamp() + YEAR_SECONDS


def _without(
    lake: Lake, path: str, doc_ids: Collection[str]
) -> tuple[Shard | None, dict[int, int]]:
    """The shard without the documents (None: nothing is left), and for each row that stays where it
    was and is.
    """
    table, kind = pq.read_table(lake.parquet(path)), path.partition("/")[0]
    stays = [n for n, key in enumerate(table["doc_id"].to_pylist()) if key not in doc_ids]
    if kind not in SCHEMAS or not stays:
        return None, {}
    return write_shard(from_arrow(table.take(stays)), SCHEMAS[kind], lake, kind), {
        old: n for n, old in enumerate(stays)
    }


def _move(
    connection: Connection, kb: str | None, path: str, new: Shard | None, places: Mapping[int, int]
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
