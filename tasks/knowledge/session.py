"""The beginning and the end of a build: which stages it has, where it writes, and what it leaves
behind.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from llmops.tasks.errors import Damaged
from llmops.tasks.filters.metadata import Facts
from llmops.tasks.knowledge.build import Build, Fingerprints
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import Outcome
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.quarantine import Failure
from llmops.tasks.knowledge.reading import collection_of, store_of
from llmops.tasks.knowledge.versions import (
    Version,
    close_version,
    expire,
    mark_cleared,
    next_number,
    recover,
    register,
)
from llmops.tasks.ledger import Ledger, live_at, now, open_ledger, upsert
from llmops.tasks.ledger.leases import Lease, aware
from llmops.tasks.ledger.tables import chunks, documents, quarantine, runs
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins import stores as stored
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.cleaners import Cleaner
from llmops.tasks.plugins.cleaners._corpus import CorpusCleaner
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.parsers._choose import all_parsers
from llmops.tasks.plugins.stores import Store
from llmops.tasks.texts import terms


def stages(
    cleaners: Sequence[Cleaner], suite: str, chunker: Chunker, embedder: Embedder, facts: Facts
) -> Fingerprints:
    """The fingerprints of a configuration's stages. `suite`: the text of the expectations; `facts`
    belong to the chunks' rows.
    """
    parse, model = all_parsers(), embedder.fingerprint()
    clean = tuple(cleaner.fingerprint() for cleaner in cleaners)
    readers = facts.model_dump_json(include={"access", "sources"})
    corpus = tuple(
        digest(parse, readers, *clean[: place + 1])
        for place, cleaner in enumerate(cleaners)
        if isinstance(cleaner, CorpusCleaner)
    )
    chunk = (chunker.fingerprint(), model, facts.model_dump_json())
    return Fingerprints(
        parse=parse, clean=clean, check=suite, chunk=chunk, model=model, corpus=corpus
    )


def start(
    handle: Handle,
    stages: Fingerprints,
    store: Store,
    facts: Facts,
    *,
    run_id: str | None = None,
    full: bool = False,
) -> Build:
    """A build towards the next version, to be called with the lease held: what is live does not
    change meanwhile.
    """
    live, number = handle.live(), next_number(handle.ledger, handle.name)
    name = collection_name(handle.name, stages, store, facts)
    collection = _collection(handle.home, live, name, number)
    return Build(
        handle=handle,
        version=number,
        live=live.version if live else None,
        stages=stages,
        facts=facts,
        full=full,
        began=now(),
        collection=collection,
        fresh=live is None or live.collection != collection,
        run_id=run_id or "local",
    )


def _collection(home: Path, live: Version | None, name: str, number: int) -> str:
    """Where to stage: beside the live version in its own collection, in a new one where that is
    another or is lost.
    """
    if live is None or live.collection.partition(".")[0] != name:
        return name
    try:
        collection_of(home, live).at(live.snapshot or "").count()
    except Damaged:
        return f"{name}.{number}"
    return live.collection


def begin(handle: Handle, run_id: str | None) -> Outcome:
    """The outcome of a run that has done nothing yet; the knowledge base becomes known."""
    register(open_ledger(handle.home), handle.name)
    live = handle.live()
    return Outcome(
        knowledge_base=handle.name,
        version=live.version if live else None,
        previous_version=live.version if live else None,
        prefect_run_id=run_id,
    )


def collection_name(kb: str, stages: Fingerprints, store: Store, facts: Facts) -> str:
    """One physical collection per knowledge base, store, embedder, analyser and schema: what cannot
    be compared never mixes.
    """
    schema = digest(str(stored.REVISION), canonical(facts.fields))
    return f"{kb}-{digest(stages.model, store.fingerprint(), str(terms.REVISION), schema)[:8]}"


def clear_up(build: Build, lease: Lease) -> None:
    """Undo whatever came into ledger and store after the live version: staged and not published,
    rolled back, changed by hand.
    """
    undo(build.handle, lease, keeps=build.collection)


def undo(handle: Handle, lease: Lease, *, keeps: str | None = None) -> None:
    """The same without a build. Raises Damaged when the collection `keeps` is lost; another one may
    be.
    """
    forgotten, kept = recover(handle.ledger, lease, handle.name)
    drop_unused(handle.home, forgotten, kept)
    live = handle.live()
    if live is not None:
        try:
            collection_of(handle.home, live).recover(live.snapshot)
        except Damaged:
            if live.collection == keeps:  # else it is lost, and will be replaced
                raise
    mark_cleared(handle.ledger, forgotten)


def totals(build: Build) -> dict[str, int]:
    """Documents and chunks of the live version."""
    if build.live is None:
        return {"documents": 0, "chunks": 0}
    with build.ledger.read() as connection:
        return {
            table.name: connection.scalar(
                select(func.count())
                .select_from(table)
                .where(table.c.kb == build.kb, live_at(table, build.live))
            )
            or 0
            for table in (documents, chunks)
        }


def failures_now(build: Build, found: Plan) -> list[Failure]:
    """What this build has put into quarantine; documents that it only holds there are not counted
    here.
    """
    held = set(found.held)
    with build.ledger.read() as connection:
        rows = connection.execute(select(quarantine).where(quarantine.c.kb == build.kb)).all()
    return [
        Failure(**{name: getattr(row, name) for name in Failure.model_fields})
        for row in rows
        if aware(row.last_seen) >= build.began and row.uri not in held
    ]


def tidy(build: Build, lease: Lease, keep: int) -> None:
    """Forget the versions beyond `keep`, and free what only they needed."""
    gone, kept = expire(build.ledger, lease, build.kb, keep)
    if gone:
        drop_unused(build.home, gone, kept)
        for name in {one.collection for one in kept}:
            mine = [one for one in kept if one.collection == name]
            collection_of(build.home, mine[0]).gc([one.snapshot for one in mine if one.snapshot])


def drop_unused(home: Path, gone: Sequence[Version], kept: Sequence[Version]) -> None:
    """Remove the collections that only forgotten versions used."""
    in_use = {one.collection for one in kept}
    for name, one in {one.collection: one for one in gone}.items():
        if name not in in_use:
            store_of(one).drop(name, home)


def close(build: Build, outcome: Outcome, status: str = "rejected") -> None:
    """Write down that a candidate did not go live; the next build clears it up."""
    close_version(
        build.ledger,
        build.kb,
        build.version,
        status=status,
        documents=outcome.documents.get("total"),
        chunks=outcome.chunks["total"],
        **outcome.figures(),
    )


def save_outcome(ledger: Ledger, run_id: str, kb: str, outcome: dict[str, Any]) -> None:
    with ledger.write() as connection:
        upsert(
            connection, runs, [{"id": run_id, "kb": kb, "outcome": outcome, "finished_at": now()}]
        )


def saved_outcome(ledger: Ledger, run_id: str) -> dict[str, Any] | None:
    with ledger.read() as connection:
        return connection.scalar(select(runs.c.outcome).where(runs.c.id == run_id))
