"""Documents that could not be processed: with stage, reason and attempts, until they succeed or are
dropped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypedDict

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, delete, func, select, update

from llmops.tasks import progress
from llmops.tasks.errors import (
    DocumentError,
    LlmopsError,
    NearDuplicate,
    UsageError,
    disk_trouble,
)
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import Ledger, now, upsert
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import quarantine
from llmops.tasks.schemas import doc_id, sha256

LONGEST_REASON = 2000


class Failure(BaseModel):
    """One document that failed, at which stage (collect, parse, clean, validate, chunk, embed), and
    why. `unforeseen`: by an error that is no finding about the document; `content_hash`: of what
    was tried, where it is known.
    """

    model_config = ConfigDict(frozen=True)
    source: str
    uri: str
    stage: str
    error: str
    reason: str
    retryable: bool = False
    revision: str = ""
    unforeseen: bool = False
    content_hash: str = ""


class QuarantineItem(TypedDict):
    """A document in quarantine in the shape of `quarantine list`. `next_try`: when builds try it
    again, in words.
    """

    id: str
    knowledge_base: str
    uri: str
    source: str
    stage: str
    error: str
    reason: str
    retryable: bool
    next_try: str
    attempts: int
    first_seen: str
    last_seen: str


@contextmanager
def one_document(
    failures: list[Failure],
    *,
    source: str,
    uri: str,
    stage: str,
    revision: str = "",
    content_hash: str = "",
) -> Iterator[None]:
    """Turn whatever goes wrong with this document into a Failure; errors of the environment still
    end the run.
    """
    place = {"source": source, "uri": uri, "stage": stage}
    tried = {"revision": revision, "content_hash": content_hash}
    try:
        yield
    except LlmopsError:
        raise
    except DocumentError as error:
        failures.append(
            Failure(
                **place,
                **tried,
                error=type(error).__name__,
                reason=error.reason,
                retryable=error.retryable,
                unforeseen=error.unforeseen,
            )
        )
    except (
        Exception
    ) as error:  # a plugin may raise anything: it costs this document, and is written down
        if (trouble := disk_trouble(error)) is not None:
            raise trouble from error
        failures.append(
            Failure(
                **place,
                **tried,
                error=type(error).__name__,
                reason=f"{type(error).__name__}: {error}",
                unforeseen=True,
            )
        )


def put(kb: Handle, failures: Sequence[Failure], stages: str) -> None:
    """Record failures; one more attempt where the document is in quarantine already. What nobody
    foresaw is tried by the next build, unless it has come before in the same way.
    """
    if not failures:
        return
    progress.count("quarantined", len(failures))
    with kb.ledger.write() as connection:
        ids = {item_id(kb.name, failure.source, failure.uri): failure for failure in failures}
        before = {row.id: row for row in _by_id(connection, list(ids))}
        upsert(
            connection,
            quarantine,
            [_row(kb.name, key, failure, stages, before.get(key)) for key, failure in ids.items()],
        )


def exclude(connection: Connection, kb: str, left_out: Sequence[Failure], stages: str) -> None:
    """List documents that are left out for others, and are no failures; those that are listed so
    already stay as they are.
    """
    ids = {item_id(kb, failure.source, failure.uri): failure for failure in left_out}
    before = {row.id: row for row in _by_id(connection, list(ids))}
    news = {
        key: failure
        for key, failure in ids.items()
        if key not in before
        or (before[key].error, before[key].reason)
        != (failure.error, failure.reason[:LONGEST_REASON])
    }
    upsert(
        connection,
        quarantine,
        [_row(kb, key, failure, stages, before.get(key)) for key, failure in news.items()],
    )


def _row(
    kb: str, key: str, failure: Failure, stages: str, before: Row[Any] | None
) -> dict[str, Any]:
    once_more = failure.unforeseen and not _came_before(failure, stages, before)
    values = failure.model_dump() | {
        "retryable": failure.retryable or once_more,
        "reason": failure.reason[:LONGEST_REASON],
        "error": failure.error[:120],
    }
    return {
        "id": key,
        "kb": kb,
        "doc_id": doc_id(failure.source, failure.uri),
        **values,
        "stages": stages,
        "attempts": before.attempts + 1 if before else 1,
        "first_seen": aware(before.first_seen) if before else now(),
        "last_seen": now(),
    }


def _came_before(failure: Failure, stages: str, before: Row[Any] | None) -> bool:
    """Whether the last try of the same content, by the same stages, ended with the same error."""
    if before is None or not before.unforeseen or before.stages != stages:
        return False
    if (before.stage, before.error) != (failure.stage, failure.error[:120]):
        return False
    if failure.content_hash:
        return bool(failure.content_hash == before.content_hash)
    return before.revision in ("", failure.revision)  # "": somebody has asked for another try


def next_try(*, retryable: bool, unforeseen: bool) -> str:
    """When builds try a document in quarantine again, in words."""
    if retryable:
        return f"the next build tries it {'once more' if unforeseen else 'again'}"
    twice = "it failed twice in the same way; " if unforeseen else ""
    return f"{twice}builds try it again when the document, its parser or the config has changed"


def _by_id(connection: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    return [
        row
        for start in range(0, len(ids), 500)
        for row in connection.execute(
            select(quarantine).where(quarantine.c.id.in_(ids[start : start + 500]))
        )
    ]


def item_id(kb: str, source: str, uri: str) -> str:
    return sha256(f"{kb}\x1f{source}\x1f{uri}")[:12]


def resolve(connection: Connection, kb: str, doc_ids: Iterable[str]) -> None:
    """Documents that are well again, or gone from their source, leave the quarantine."""
    wanted = list(doc_ids)
    for start in range(0, len(wanted), 500):
        connection.execute(
            delete(quarantine).where(
                quarantine.c.kb == kb, quarantine.c.doc_id.in_(wanted[start : start + 500])
            )
        )


def held(kb: Handle) -> dict[str, Row[Any]]:
    """doc_id -> row of everything in quarantine."""
    with kb.ledger.read() as connection:
        return {
            row.doc_id: row
            for row in connection.execute(select(quarantine).where(quarantine.c.kb == kb.name))
        }


def items(ledger: Ledger, kb: str | None = None) -> list[QuarantineItem]:
    """The quarantine in the shape of `quarantine list`, newest first."""
    query = select(quarantine).order_by(quarantine.c.last_seen.desc(), quarantine.c.uri)
    with ledger.read() as connection:
        rows = connection.execute(query if kb is None else query.where(quarantine.c.kb == kb)).all()
    return [public_item(row) for row in rows]


def by_stage(ledger: Ledger, kb: str) -> dict[str, int]:
    """How many documents of a knowledge base failed at which stage; near duplicates did not."""
    failed = (quarantine.c.kb == kb, quarantine.c.error != NearDuplicate.__name__)
    query = select(quarantine.c.stage, func.count()).where(*failed).group_by(quarantine.c.stage)
    with ledger.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def public_item(row: Row[Any]) -> QuarantineItem:
    """A row of the table in the shape of `quarantine list`."""
    return {
        "id": row.id,
        "knowledge_base": row.kb,
        "uri": row.uri,
        "source": row.source,
        "stage": row.stage,
        "error": row.error,
        "reason": row.reason,
        "retryable": row.retryable,
        "next_try": next_try(retryable=row.retryable, unforeseen=row.unforeseen),
        "attempts": row.attempts,
        "first_seen": aware(row.first_seen).isoformat(),
        "last_seen": aware(row.last_seen).isoformat(),
    }


def get(ledger: Ledger, key: str) -> QuarantineItem:
    """One item by id. Raises UsageError when there is none."""
    with ledger.read() as connection:
        row = connection.execute(select(quarantine).where(quarantine.c.id == key)).one_or_none()
    if row is None:
        raise UsageError(
            f"no item {key!r} is in quarantine", hint="`llmops quarantine list` shows what is"
        )
    return public_item(row)


def quarantined(ledger: Ledger, kb: str, source: str, uri: str) -> QuarantineItem | None:
    """The item of one document; None where it is not in quarantine."""
    with ledger.read() as connection:
        rows = _by_id(connection, [item_id(kb, source, uri)])
    return public_item(rows[0]) if rows else None


def release(ledger: Ledger, keys: Sequence[str]) -> None:
    """Let the next build try these again: forgetting the revision makes them look new."""
    with ledger.write() as connection:
        for key in keys:
            connection.execute(
                update(quarantine).where(quarantine.c.id == key).values(revision="", retryable=True)
            )


def restamp(connection: Connection, kb: str, revisions: Mapping[str, str]) -> None:
    """Documents (doc_id -> revision) that are listed otherwise, and are as they were: the next
    build need not look into them to know.
    """
    for key, revision in revisions.items():
        mine = (quarantine.c.kb == kb) & (quarantine.c.doc_id == key)
        connection.execute(update(quarantine).where(mine).values(revision=revision))


def drop(ledger: Ledger, keys: Sequence[str]) -> None:
    """Forget these items; a document that is still bad comes back when a build tries it again."""
    with ledger.write() as connection:
        for key in keys:
            connection.execute(delete(quarantine).where(quarantine.c.id == key))


def failed_since(kb: Handle, moment: datetime) -> list[Failure]:
    """What was put into quarantine, or failed there again, since a moment."""
    with kb.ledger.read() as connection:
        rows = connection.execute(select(quarantine).where(quarantine.c.kb == kb.name)).all()
    return [
        Failure(**{name: getattr(row, name) for name in Failure.model_fields})
        for row in rows
        if aware(row.last_seen) >= moment
    ]
