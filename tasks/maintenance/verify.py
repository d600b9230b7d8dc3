"""Whether the store holds exactly what the ledger says: missing rows, orphans, duplicates, altered
rows and vectors.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Literal, TypedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from llmops.tasks import progress
from llmops.tasks.errors import Damaged
from llmops.tasks.knowledge.caches import find_embeddings
from llmops.tasks.knowledge.changes import row_hash, terms_of
from llmops.tasks.knowledge.embed import text_hash
from llmops.tasks.knowledge.handle import Handle, Version, schema_of
from llmops.tasks.knowledge.reading import collection_of, embedder_of
from llmops.tasks.knowledge.versions import build_command
from llmops.tasks.ledger import Ledger, live_at
from llmops.tasks.ledger.leases import holder
from llmops.tasks.ledger.tables import chunks, documents, versions
from llmops.tasks.plugins.stores import StoreReader, rows_schema

Kind = Literal["missing", "orphans", "duplicates", "mismatched"]
KINDS: tuple[Kind, ...] = ("missing", "orphans", "duplicates", "mismatched")
CLOSE = 1e-4  # between two vectors of length 1, also after a store has normalised them once more


class Findings(BaseModel):
    """What differs between ledger and store at one version: chunk ids, sorted. `lost`: why the
    collection cannot be read, or "".

    `surplus`: rows beyond the first of each duplicate. `unpublished`: rows that came, or went,
    after the newest snapshot.
    """

    model_config = ConfigDict(frozen=True)
    version: Version
    chunks: int
    missing: list[str]
    orphans: list[str]
    duplicates: list[str]
    mismatched: list[str]
    surplus: int = 0
    unpublished: int = 0
    lost: str = ""

    @property
    def ok(self) -> bool:
        return not (self.lost or any(getattr(self, kind) for kind in KINDS))


class Verification(TypedDict):
    """The object of `kb verify --details`: each kind of trouble as a list of chunk ids. `unbacked`:
    documents whose text is missing from the lake, so that they could not be restored.
    """

    ok: bool
    knowledge_base: str
    version: int
    documents: int | None
    chunks: int
    missing: list[str]
    orphans: list[str]
    duplicates: list[str]
    mismatched: list[str]
    unpublished: int
    unbacked: int
    note: str


def verify(kb: Handle, *, thorough: bool = False) -> Verification:
    """Examine the live version."""
    return verification(kb, examine(kb, kb.published(), thorough=thorough))


def verification(kb: Handle, findings: Findings) -> Verification:
    version, unbacked = findings.version, _unbacked(kb, findings.version)
    return {
        "ok": findings.ok,
        "knowledge_base": version.kb,
        "version": version.version,
        "documents": version.documents,
        "chunks": findings.chunks,
        "missing": findings.missing,
        "orphans": findings.orphans,
        "duplicates": findings.duplicates,
        "mismatched": findings.mismatched,
        "unpublished": findings.unpublished,
        "unbacked": unbacked,
        "note": "; ".join(_notes(kb, findings, unbacked)),
    }


def _notes(kb: Handle, findings: Findings, unbacked: int) -> Iterator[str]:
    building = holder(kb.ledger, kb.name)
    repair = f"`llmops kb repair {findings.version.kb}`"
    if findings.lost:
        yield findings.lost
    if not findings.ok:
        yield f"{repair} restores it from the lake"
    elif findings.unpublished and building:
        yield f"{findings.unpublished} rows are not published yet: a build is running, {building}"
    elif findings.unpublished:
        yield (
            f"{findings.unpublished} rows were left behind, added or removed since the last "
            f"publish; no search sees it; {repair} undoes it"
        )
    if unbacked:
        yield (
            f"{unbacked} documents could not be restored: their text is not in the lake; "
            f"`{build_command(kb)} --full` reads it again"
        )


def counts(verified: Verification) -> dict[str, object]:
    """The same, or what a repair adds to it, with counts instead of lists."""
    return {**verified, **{kind: len(verified[kind]) for kind in KINDS}}


def examine(kb: Handle, version: Version, *, thorough: bool = False) -> Findings:
    """Read all that the store holds of a version. `thorough`: also whether text and vector of each
    row are those of its hash.

    Raises Unavailable when the store does not answer.
    """
    with kb.ledger.read() as connection:
        rows = connection.execute(
            select(chunks.c.chunk_id, chunks.c.row_hash).where(
                chunks.c.kb == version.kb, live_at(chunks, version.version)
            )
        )
        wanted = {row.chunk_id: row.row_hash for row in rows}
    held: Counter[str] = Counter()
    wrong: set[str] = set()
    lost, unpublished = "", 0
    try:
        collection = collection_of(kb.home, version)
        reader = collection.at(version.snapshot or "")
        stored = _checked(kb.ledger, version, reader) if thorough else _stored(reader)
        for key, hashed in progress.each(stored, "compare", len(wanted), "chunks"):
            held[key] += 1
            if wanted.get(key, hashed) != hashed:
                wrong.add(key)
        _probe(reader)
        unpublished = collection.unpublished(newest_beside(kb.ledger, version).snapshot or "")
    except Damaged as error:
        held, lost = Counter(), error.message
    return Findings(
        version=version,
        chunks=len(wanted),
        missing=sorted(wanted.keys() - held.keys()),
        lost=lost,
        unpublished=unpublished,
        orphans=sorted(held.keys() - wanted.keys()),
        duplicates=sorted(key for key, count in held.items() if count > 1),
        surplus=sum(held.values()) - len(held),
        mismatched=[] if lost else sorted(wrong),
    )


def newest_beside(ledger: Ledger, version: Version) -> Version:
    """The newest published version of the same collection: after a rollback that is not the live
    one.
    """
    with ledger.read() as connection:
        row = connection.execute(
            select(versions)
            .where(
                versions.c.kb == version.kb,
                versions.c.collection == version.collection,
                versions.c.status == "published",
                versions.c.version >= version.version,
            )
            .order_by(versions.c.version.desc())
            .limit(1)
        ).one_or_none()
    return version if row is None else Version.model_validate(row)


def _stored(reader: StoreReader) -> Iterator[tuple[str, str]]:
    for frame in reader.rows(["chunk_id", "row_hash"]):
        yield from zip(frame["chunk_id"].tolist(), frame["row_hash"].tolist(), strict=True)


def _checked(ledger: Ledger, version: Version, reader: StoreReader) -> Iterator[tuple[str, str]]:
    """The hash of each row as it stands there; one that no row can have where terms or vector are
    not those of the text.
    """
    schema, embedder = rows_schema(schema_of(version).fields), embedder_of(version)
    for frame in reader.rows([*schema.names, "vector"]):
        rows = pa.Table.from_pandas(
            frame[schema.names], schema=schema, preserve_index=False
        ).to_pylist()
        stored = np.array(frame["vector"].tolist(), np.float32).reshape(
            len(rows), embedder.dimension
        )
        content = [
            {key: value for key, value in row.items() if key not in ("row_hash", "terms")}
            for row in rows
        ]
        keys = [text_hash(row) for row in content]
        paid = find_embeddings(ledger, embedder.fingerprint(), keys)
        for row, plain, key, vector in zip(rows, content, keys, stored, strict=True):
            right = (
                row["terms"] == terms_of(row)
                and row["row_hash"] == row_hash(plain)
                and _same(vector, paid.get(key))
            )
            yield row["chunk_id"], row["row_hash"] if right else "altered"


def _same(stored: NDArray[np.float32], paid: bytes | None) -> bool:
    """Whether two vectors point the same way; what was never paid for cannot be compared."""
    if paid is None:
        return True
    length, wanted = np.linalg.norm(stored), np.frombuffer(paid, "<f4")
    return bool(
        length > 0 and np.allclose(stored / length, wanted / np.linalg.norm(wanted), atol=CLOSE)
    )


def _probe(reader: StoreReader) -> None:
    """One search by text and by vector: an index may be lost where the rows are not. Raises
    Damaged.
    """
    for frame in reader.rows(["terms", "vector"]):
        terms = str(frame["terms"].iloc[0]).split()[:1]
        reader.vector(np.array(frame["vector"].iloc[0], np.float32), 1)
        if terms and reader.text(terms, 1).empty:
            raise Damaged("the full-text index does not find what is stored")
        return


def _unbacked(kb: Handle, version: Version) -> int:
    """How many documents have a shard that does not lie in the lake."""
    with kb.ledger.read() as connection:
        places = {
            (row.doc_id, row.shard)
            for table in (documents, chunks)
            for row in connection.execute(
                select(table.c.doc_id, table.c.shard)
                .distinct()
                .where(table.c.kb == version.kb, live_at(table, version.version))
            )
        }
    there = {
        shard: bool(shard) and kb.lake.file(shard) is not None
        for shard in {shard for _, shard in places}
    }
    return len({doc for doc, shard in places if not there[shard]})
