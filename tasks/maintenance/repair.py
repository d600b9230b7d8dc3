"""Mending a store that is not what the ledger says: as a version of its own with the same content,
beside what readers see.

Rows come from the lake and vectors from what was paid for. As with a build, one transaction makes
the mended version live, and until then nothing that is served has changed.
"""

from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select, update

from llmops.tasks.errors import Damaged, LlmopsError
from llmops.tasks.knowledge import session
from llmops.tasks.knowledge.caches import known_embeddings, load_embeddings, save_embeddings
from llmops.tasks.knowledge.changes import terms_of
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.paid import TEXTS_PER_CALL
from llmops.tasks.knowledge.reading import collection_of, embedder_of, facts_of
from llmops.tasks.knowledge.versions import (
    Version,
    close_version,
    condemn,
    mark_cleared,
    next_number,
    open_version,
    published,
)
from llmops.tasks.ledger import Ledger, now
from llmops.tasks.ledger.leases import Lease, hold
from llmops.tasks.ledger.tables import knowledge_bases, versions
from llmops.tasks.maintenance.lake import Passages, passages
from llmops.tasks.maintenance.verify import Found, compare, newest_beside, public
from llmops.tasks.plugins.stores import StoreCollection, rows_schema
from llmops.tasks.schemas import embedded_text, frame

NAMED = 5


@dataclass
class Work:
    """What a repair did. `restored`, `removed`: rows; `undone`: rows that were staged, added or
    deleted after the last publish.
    """

    restored: int = 0
    removed: int = 0
    undone: int = 0
    computed: int = 0
    notes: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        return {
            "restored": self.restored,
            "removed": self.removed,
            "undone": self.undone,
            "embeddings": {"computed": self.computed, "reused": self.restored - self.computed},
        }


def repair(ledger: Ledger, home: Path, kb: str, *, thorough: bool = False) -> dict[str, Any]:
    """The object of `kb repair`. A sound base is left alone, without a new version.

    Raises Damaged, with nothing changed, when the lake or the ledger no longer has what is missing;
    Blocked during a build.
    """
    published(ledger, kb)
    work = Work()
    with hold(home, kb) as lease:
        found = compare(ledger, home, published(ledger, kb), thorough=thorough)
        if not found.ok:
            session.undo(Handle(home=home, name=kb), lease)
            found = compare(ledger, home, published(ledger, kb), thorough=thorough)
        if not found.ok:
            _mend(_Mender(ledger, lease, home, found, work, thorough))
        elif found.unpublished:
            work.undone = found.unpublished
            collection_of(home, found.version).recover(
                newest_beside(ledger, found.version).snapshot
            )
        after = public(
            ledger, home, compare(ledger, home, published(ledger, kb), thorough=thorough)
        )
    return after | {"note": "; ".join(filter(None, [after["note"], *work.notes]))} | work.figures()


@dataclass(frozen=True)
class _Mender:
    ledger: Ledger
    lease: Lease
    home: Path
    found: Found
    work: Work
    thorough: bool

    @property
    def live(self) -> Version:
        return self.found.version

    @property
    def wanted(self) -> Ids[str] | None:
        """The chunks to be written; None: all of them, into a collection of their own."""
        return (
            None
            if self.found.lost
            else {*self.found.missing, *self.found.duplicates, *self.found.mismatched}
        )


def _mend(one: _Mender) -> None:
    _pay(one, _missing_vectors(one))
    number = next_number(one.ledger, one.live.kb)
    name = (
        f"{one.live.collection.partition('.')[0]}.{number}"
        if one.found.lost
        else one.live.collection
    )
    kept = {key: getattr(one.live, key) for key in ("parent", "weight", "config", "config_sha256")}
    reason = f"repaired: the content is that of version {one.live.version}"
    open_version(
        one.ledger,
        one.lease,
        one.live.kb,
        kept
        | {"version": number, "collection": name, "gate": {"verdict": "skipped", "reason": reason}},
    )
    candidate = one.live.model_copy(update={"version": number, "collection": name})
    try:
        sealed = _staged(one, candidate)
    except LlmopsError:
        close_version(one.ledger, one.live.kb, number, status="rejected")
        raise
    _publish(one, sealed, _damaged(one))


def _missing_vectors(one: _Mender) -> list[tuple[str, str]]:
    """(key, text) of what the ledger has no vector for. Raises Damaged when a row cannot be made
    again from the lake.
    """
    lost: dict[str, str] = {}
    texts: dict[str, str] = {}
    model = embedder_of(one.live).fingerprint()
    for part in passages(one.ledger, one.home / "lake", one.live, one.wanted):
        lost |= part.lost
        known = known_embeddings(one.ledger, model, part.keys)
        texts |= {
            key: embedded_text(row)
            for key, row in zip(part.keys, part.rows, strict=True)
            if key not in known
        }
    if lost:
        some = "; ".join(f"{uri}: {why}" for uri, why in sorted(lost.items())[:NAMED]) + (
            "; …" if len(lost) > NAMED else ""
        )
        raise Damaged(
            f"{len(lost)} documents of {one.live.kb!r} cannot be restored from the lake, "
            f"so nothing was changed: {some}",
            hint=f"run `llmops index CONFIG --full`, which reads them from their sources again, "
            f"then `llmops kb repair "
            f"{one.live.kb}`; or restore a backup",
        )
    return list(texts.items())


def _pay(one: _Mender, texts: Sequence[tuple[str, str]]) -> None:
    """Embed what is not paid for, remembered call by call."""
    embedder = embedder_of(one.live)
    for start in range(0, len(texts), TEXTS_PER_CALL):
        part = texts[start : start + TEXTS_PER_CALL]
        save_embeddings(
            one.ledger,
            embedder.fingerprint(),
            [key for key, _ in part],
            embedder.embed([text for _, text in part]),
        )
    one.work.computed = len(texts)


def _staged(one: _Mender, candidate: Version) -> Version:
    """The candidate, sealed and compared with the ledger. Raises Damaged when it is still not
    right.
    """
    collection = collection_of(one.home, candidate)
    if one.found.lost:
        collection.recover(None)
    orphans = [] if one.found.lost else one.found.orphans
    _stage(one, collection, candidate, Passages(), orphans)
    for part in passages(one.ledger, one.home / "lake", one.live, one.wanted):
        _stage(
            one,
            collection,
            candidate,
            part,
            [] if one.found.lost else [row["chunk_id"] for row in part.rows],
        )
        one.work.restored += len(part.rows)
    one.work.removed = 0 if one.found.lost else len(orphans) + one.found.surplus
    sealed = candidate.model_copy(update={"snapshot": collection.seal(candidate.version)})
    after = compare(one.ledger, one.home, sealed, thorough=one.thorough)
    if not after.ok:
        raise Damaged(
            f"the mended version is not right yet: "
            f"{after.lost or 'the store does not hold what was written'}",
            hint=f"nothing live has changed; see `llmops kb verify {one.live.kb}`, and try again",
        )
    return sealed


def _stage(
    one: _Mender,
    collection: StoreCollection,
    candidate: Version,
    part: Passages,
    gone: Sequence[str],
) -> None:
    if not part.rows and not gone:
        return
    embedder = embedder_of(one.live)
    vectors = load_embeddings(one.ledger, embedder.fingerprint(), part.keys, embedder.dimension)
    rows = frame(
        [{**row, "terms": terms_of(row)} for row in part.rows],
        rows_schema(facts_of(one.live).fields),
    )
    collection.stage(candidate.version, rows, vectors.astype(np.float32), gone)


def _damaged(one: _Mender) -> list[Version]:
    """The live version, and each other published one that is not whole: also in another collection,
    which was lost with it.
    """
    with one.ledger.read() as connection:
        query = select(versions).where(
            versions.c.kb == one.live.kb,
            versions.c.status == "published",
            versions.c.version != one.live.version,
        )
        others = [Version.model_validate(row) for row in connection.execute(query)]
    return [
        one.live,
        *(
            other
            for other in others
            if not compare(one.ledger, one.home, other, thorough=one.thorough).ok
        ),
    ]


def _publish(one: _Mender, sealed: Version, damaged: Sequence[Version]) -> None:
    """One transaction: the mended version is live, and those that cannot be served are no longer
    kept. Then the lost collection goes.
    """
    kb, numbers = one.live.kb, [other.version for other in damaged]
    with one.ledger.write() as connection:
        one.lease.confirm(connection)
        of_kb = versions.c.kb == kb
        condemn(connection, kb, numbers)
        connection.execute(
            update(versions)
            .where(of_kb, versions.c.version == sealed.version)
            .values(
                status="published",
                published_at=now(),
                snapshot=sealed.snapshot,
                documents=sealed.documents,
                chunks=one.found.chunks,
                added=0,
                retired=0,
            )
        )
        connection.execute(
            update(knowledge_bases).where(knowledge_bases.c.name == kb).values(live=sealed.version)
        )
        kept = [
            Version.model_validate(row)
            for row in connection.execute(
                select(versions).where(of_kb, versions.c.status == "published")
            )
        ]
    try:
        session.drop_unused(one.home, damaged, kept)
        mark_cleared(
            one.ledger,
            [
                other
                for other in damaged
                if other.collection not in {each.collection for each in kept}
            ],
        )
    except LlmopsError as error:
        one.work.notes.append(
            f"the old collection could not be removed ({error.message}); `llmops kb gc "
            f"{kb}` tries again"
        )
