"""The one transaction in which a staged version goes live: documents, chunks and the pointer move
together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, select, update

from llmops.tasks.audit.log import append
from llmops.tasks.errors import LlmopsError
from llmops.tasks.knowledge.build import Build
from llmops.tasks.knowledge.changes import Staged, document_rows
from llmops.tasks.knowledge.outcome import Steps, outcome_of
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.quarantine import exclude, resolve, restamp
from llmops.tasks.knowledge.versions import close_version, live_moves
from llmops.tasks.ledger import live_at, now, still_open, upsert
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import chunks, documents, knowledge_bases, listings, versions

KEYS = 500
STAMPS = (
    "revision",
    "text_stage",
    "check_stage",
    "chunk_stage",
    "shard",
    "shard_sha256",
    "shard_row",
)


def publish(
    build: Build,
    lease: Lease,
    plan: Plan,
    staged: Sequence[Staged],
    retired: Sequence[str],
    values: Mapping[str, Any],
) -> None:
    """Move the pointer. `retired`: doc_ids that leave; `values`: what the versions row still lacks.
    All or nothing.
    """
    prepared = [
        (part, document_rows(build, part.batch), part.changes.table(build.lake)) for part in staged
    ]
    listed = _listed(plan)
    with build.ledger.write() as connection:
        lease.confirm(connection)
        for part, rows, changes in prepared:
            _documents(connection, build, part, rows)
            # made into rows one part at a time: all of them take ten times the memory
            _chunks(connection, build, changes.to_pylist(), _chunk_shard(part))
            resolve(connection, build.kb, _well(listed, rows))
        _retire(connection, build, retired)
        resolve(connection, build.kb, [key for key in retired if key not in plan.withdrawn])
        _settle(connection, build, plan)
        _point(connection, build, values)


@contextmanager
def rejected_on_failure(steps: Steps) -> Iterator[None]:
    """Write down that a candidate did not go live, where it fails; the next build clears it up."""
    try:
        yield
    except LlmopsError:
        build, outcome = steps.build, outcome_of(steps)
        if build is not None:
            close_version(
                build.handle,
                build.version,
                status="rejected",
                documents=outcome.documents.get("total"),
                chunks=outcome.chunks["total"],
                **outcome.figures(),
            )
        raise


def settle(build: Build, lease: Lease, plan: Plan, staged: Sequence[Staged]) -> None:
    """What a run that changes nothing still remembers: new revisions and stamps, the time of the
    listing, what is well again.
    """
    listed = _listed(plan)
    with build.ledger.write() as connection:
        lease.confirm(connection)
        for part in staged:
            rows = document_rows(build, part.batch)
            _stamp(connection, build, [rows[key] for key in part.same])
            _moved(connection, build, part)
            resolve(connection, build.kb, _well(listed, rows))
        _settle(connection, build, plan)


def _listed(plan: Plan) -> dict[str, str]:
    """doc_id -> the revision that its source tells of."""
    return {todo.doc_id: todo.item.revision for todo in plan.todo if todo.item}


def _well(listed: Mapping[str, str], rows: Mapping[str, Any]) -> list[str]:
    """Documents that got here as they are listed, and not only in their last good form."""
    return [key for key, row in rows.items() if listed.get(key) == row["revision"]]


def _documents(connection: Connection, build: Build, part: Staged, rows: Mapping[str, Any]) -> None:
    _close(connection, documents, build, documents.c.doc_id, part.changed)
    fresh = [
        {**rows[key], "valid_from": build.version, "valid_to": None}
        for key in (*part.new, *part.changed)
    ]
    upsert(connection, documents, fresh)
    _stamp(connection, build, [rows[key] for key in part.same])


def _stamp(connection: Connection, build: Build, rows: Iterable[Mapping[str, Any]]) -> None:
    """What is the same went through the stages again. It lies in the lake anew: so a `--full` build
    mends what was lost there.
    """
    for row in rows:
        connection.execute(
            update(documents)
            .where(
                documents.c.kb == build.kb,
                documents.c.doc_id == row["doc_id"],
                still_open(documents),
            )
            .values({name: row[name] for name in STAMPS})
        )


def _moved(connection: Connection, build: Build, part: Staged) -> None:
    """Unchanged chunks lie in the lake anew, like their documents."""
    for start in range(0, len(part.same), KEYS):
        mine = (
            (chunks.c.kb == build.kb)
            & chunks.c.doc_id.in_(part.same[start : start + KEYS])
            & still_open(chunks)
        )
        connection.execute(update(chunks).where(mine).values(shard=_chunk_shard(part)))


def _chunk_shard(part: Staged) -> str:
    return part.batch.chunks.path if part.batch.chunks else ""


def _chunks(
    connection: Connection, build: Build, changes: Sequence[Mapping[str, Any]], shard: str
) -> None:
    _close(
        connection,
        chunks,
        build,
        chunks.c.chunk_id,
        [row["chunk_id"] for row in changes if row["action"] != "add"],
    )
    upsert(
        connection,
        chunks,
        [
            {
                "kb": build.kb,
                "valid_from": build.version,
                "valid_to": None,
                "shard": shard,
                **{name: row[name] for name in ("chunk_id", "doc_id", "row_hash", "text_hash")},
            }
            for row in changes
            if row["action"] != "retire"
        ],
    )


def _close(
    connection: Connection,
    table: Table,
    build: Build,
    column: ColumnElement[str],
    keys: Sequence[str],
) -> None:
    for start in range(0, len(keys), KEYS):
        connection.execute(
            update(table)
            .where(
                table.c.kb == build.kb,
                still_open(table),
                column.in_(keys[start : start + KEYS]),
            )
            .values(valid_to=build.version)
        )


def _retire(connection: Connection, build: Build, doc_ids: Sequence[str]) -> None:
    for table in (documents, chunks):
        _close(connection, table, build, table.c.doc_id, doc_ids)


def _settle(connection: Connection, build: Build, plan: Plan) -> None:
    for key, revision in plan.touched.items():
        connection.execute(
            update(documents)
            .where(
                documents.c.kb == build.kb,
                documents.c.doc_id == key,
                still_open(documents),
            )
            .values(revision=revision)
        )
    resolve(connection, build.kb, [*plan.touched, *plan.cured])
    restamp(connection, build.kb, plan.restamped)
    exclude(
        connection,
        build.kb,
        [duplicate.failure() for duplicate in plan.duplicates],
        build.fingerprints.all,
    )
    upsert(
        connection,
        listings,
        [
            {"kb": build.kb, "source": name, "completed_at": now(), "documents": plan.listed[name]}
            for name in plan.complete
        ],
    )


def _point(connection: Connection, build: Build, values: Mapping[str, Any]) -> None:
    totals = {
        table.name: connection.scalar(
            select(func.count())
            .select_from(table)
            .where(table.c.kb == build.kb, live_at(table, build.version))
        )
        for table in (documents, chunks)
    }
    mine = (versions.c.kb == build.kb) & (versions.c.version == build.version)
    connection.execute(
        update(versions)
        .where(mine)
        .values(status="published", published_at=now(), **totals, **values)
    )
    number, run = str(build.version), f"flow run {build.run_id}"
    append(connection, live_moves("publish", connection, build.kb, number, run))
    connection.execute(
        update(knowledge_bases).where(knowledge_bases.c.name == build.kb).values(live=build.version)
    )
