"""Whether the store holds exactly what the ledger says: missing rows, orphans, duplicates, altered rows."""

from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tasks.errors import Damaged
from tasks.knowledge.ledger import Ledger, live_at
from tasks.knowledge.serving import collection_of
from tasks.knowledge.tables import chunks
from tasks.knowledge.versions import Version, published

KINDS = ("missing", "orphans", "duplicates", "mismatched")


def verify(ledger: Ledger, home: Path, kb: str) -> dict[str, Any]:
    """The object of `kb verify --details`: each kind of trouble as a list of chunk ids."""
    live = published(ledger, kb)
    with ledger.read() as connection:
        wanted: dict[str, str] = {row.chunk_id: row.row_hash for row in connection.execute(
            select(chunks.c.chunk_id, chunks.c.row_hash).where(chunks.c.kb == kb, live_at(chunks, live.version)))}
    found, note = _found(home, live)
    counted = Counter(key for key, _ in found)
    hashes = dict(found)
    trouble = {
        "missing": sorted(wanted.keys() - hashes.keys()), "orphans": sorted(hashes.keys() - wanted.keys()),
        "duplicates": sorted(key for key, count in counted.items() if count > 1),
        "mismatched": sorted(key for key in wanted.keys() & hashes.keys() if wanted[key] != hashes[key])}
    return {"ok": not any(trouble.values()), "knowledge_base": kb, "version": live.version, "documents": live.documents,
            "chunks": len(wanted), **trouble, "note": note}


def _found(home: Path, live: Version) -> tuple[list[tuple[str, str]], str]:
    try:
        reader = collection_of(home, live).at(live.snapshot or "")
        return [pair for frame in reader.rows(["chunk_id", "row_hash"])
                for pair in zip(frame["chunk_id"].tolist(), frame["row_hash"].tolist(), strict=True)], ""
    except Damaged as error:
        return [], str(error)


def counts(found: dict[str, Any]) -> dict[str, Any]:
    """The same with counts instead of lists."""
    return found | {kind: len(found[kind]) for kind in KINDS}
