"""What operators ask of the ledger: which knowledge bases there are, what they hold, how fresh they
are.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypedDict

from sqlalchemy import Row, Select, select

from llmops.tasks.errors import NearDuplicate, UsageError
from llmops.tasks.filters import LABELS, both, visible
from llmops.tasks.filters.evaluate import matches
from llmops.tasks.filters.grammar import parse
from llmops.tasks.filters.metadata import owner_columns
from llmops.tasks.knowledge.handle import Handle, Version, gone, schema_of
from llmops.tasks.ledger import Ledger, live_at, now
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import documents, knowledge_bases, listings, quarantine, versions


class BaseListed(TypedDict):
    """A knowledge base in the shape of `kb list`."""

    name: str
    version: int | None
    documents: int | None
    chunks: int | None
    store: str | None
    published_at: str | None


class DocumentListed(TypedDict):
    """A document in the shape of `kb documents`. `version`: the first that has it in this form;
    `labels`: who may read it.
    """

    doc_id: str
    uri: str
    title: str
    source: str
    version: int
    chunks: int
    media_type: str
    language: str | None
    metadata: dict[str, object]
    labels: list[str]
    fetched_at: str
    stale: bool


class VersionListed(TypedDict):
    """A version in the shape of `kb log`."""

    version: int
    published_at: str | None
    status: str
    documents: int | None
    chunks: int | None
    added: int | None
    retired: int | None
    gate: Any
    mlflow_run_id: str | None
    prefect_run_id: str | None
    config_sha256: str | None


def overview(ledger: Ledger) -> list[BaseListed]:
    """Every knowledge base in the shape of `kb list`; one without a published version has nulls."""
    with ledger.read() as connection:
        rows = connection.execute(
            select(knowledge_bases.c.name, versions)
            .select_from(
                knowledge_bases.outerjoin(
                    versions,
                    (versions.c.kb == knowledge_bases.c.name)
                    & (versions.c.version == knowledge_bases.c.live),
                )
            )
            .order_by(knowledge_bases.c.name)
        ).all()
    return [
        {
            "name": row.name,
            "version": row.version,
            "documents": row.documents,
            "chunks": row.chunks,
            "store": row.config["store"]["name"] if row.config else None,
            "published_at": aware(row.published_at).isoformat() if row.published_at else None,
        }
        for row in rows
    ]


def status(kb: Handle) -> dict[str, Any]:
    """The live version, counts, staleness of each source, open quarantine, running build, in the
    shape of `kb status`.
    """
    live = kb.published()
    with kb.ledger.read() as connection:
        row = connection.execute(
            select(versions).where(versions.c.kb == kb.name, versions.c.version == live.version)
        ).one()
        seen = connection.execute(select(listings).where(listings.c.kb == kb.name)).all()
        failed = (quarantine.c.kb == kb.name, quarantine.c.error != NearDuplicate.__name__)
        retryable = list(connection.scalars(select(quarantine.c.retryable).where(*failed)))
        stale = list(connection.scalars(stale_documents(live)))
    return {
        "knowledge_base": kb.name,
        "version": live.version,
        "documents": row.documents,
        "chunks": row.chunks,
        "published_at": aware(row.published_at).isoformat(),
        "store": live.config["store"]["name"],
        "collection": live.collection,
        "sources": [
            {
                "source": source.source,
                "documents": source.documents,
                "listed_at": aware(source.completed_at).isoformat(),
                "staleness_seconds": round((now() - aware(source.completed_at)).total_seconds(), 1),
            }
            for source in seen
        ],
        "quarantine": len(retryable),
        "retryable": sum(retryable),
        "stale": stale,
        "running": kb.building(),
        "text_weight": live.weight,
        "ranking": live.ranking,
        "config_sha256": row.config_sha256,
        "mlflow_run_id": row.mlflow_run_id,
        "prefect_run_id": row.prefect_run_id,
    }


def stale_documents(live: Version) -> Select[tuple[str]]:
    """Live documents whose new content could not be read: they are served in their last good
    form.
    """
    return (
        select(documents.c.uri)
        .join(
            quarantine,
            (quarantine.c.kb == documents.c.kb) & (quarantine.c.doc_id == documents.c.doc_id),
        )
        .where(documents.c.kb == live.kb, live_at(documents, live.version))
        .order_by(documents.c.uri)
    )


def listing(
    kb: Handle,
    condition: str = "",
    labels: Collection[str] | None = None,
    version: Version | None = None,
) -> list[DocumentListed]:
    """The documents of a version (None: the live one) in the shape of `kb documents`, by uri; only
    those that fulfil a condition, and that these access labels open (None: all). Raises UsageError.
    """
    at = version or kb.published()
    schema = schema_of(at)
    where = both(
        None if labels is None else visible(frozenset(labels)),
        parse(condition, schema.fields) if condition.strip() else None,
    )
    with kb.ledger.read() as connection:
        stale = set(connection.scalars(stale_documents(at)))
        rows = connection.execute(
            select(documents)
            .where(documents.c.kb == kb.name, live_at(documents, at.version))
            .order_by(documents.c.uri, documents.c.source)
        ).all()
    owners = [(row, owner_columns(schema, row._asdict())) for row in rows]
    return [
        _listed(row, owner, row.uri in stale)
        for row, owner in owners
        if where is None or matches(where, owner)
    ]


def _listed(row: Row[Any], owner: Mapping[str, Any], stale: bool) -> DocumentListed:
    return {
        "doc_id": row.doc_id,
        "uri": row.uri,
        "title": row.title or row.uri.rpartition("/")[2],
        "source": row.source,
        "version": row.valid_from,
        "chunks": row.chunks,
        "media_type": row.media_type,
        "language": row.language,
        "metadata": json.loads(row.metadata),
        "labels": owner[LABELS],
        "fetched_at": aware(row.fetched_at).isoformat(),
        "stale": stale,
    }


def rows_at(kb: Handle, number: int) -> dict[str, Row[Any]]:
    """doc_id -> ledger row of every document of a version."""
    with kb.ledger.read() as connection:
        return {
            row.doc_id: row
            for row in connection.execute(
                select(documents).where(documents.c.kb == kb.name, live_at(documents, number))
            )
        }


def diff(
    kb: Handle, start: int | None, end: int | None, uris: Collection[str] = ()
) -> dict[str, Any]:
    """Documents added, changed, renamed and retired between two versions (default: the live one and
    the one it came from), in the shape of `kb diff`. `uris`: only these; none: all. Raises
    UsageError for a version whose documents are not recorded.
    """
    live = kb.published()
    newer = _recorded(kb, end) if end is not None else live
    older_number = start if start is not None else newer.parent
    before = rows_at(kb, _recorded(kb, older_number).version) if older_number is not None else {}
    after = rows_at(kb, newer.version)
    changed = [
        key
        for key in after
        if key in before
        and (after[key].text_hash, after[key].title, after[key].metadata)
        != (before[key].text_hash, before[key].title, before[key].metadata)
    ]
    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    renamed = _renamed([before[key] for key in gone], [after[key] for key in new])
    names = {each["from"] for each in renamed}, {each["to"] for each in renamed}

    def wanted(*named: str) -> bool:
        return not uris or any(each in uris for each in named)

    added = [after[key].uri for key in new]
    retired = [before[key].uri for key in gone]
    return {
        "knowledge_base": kb.name,
        "from": older_number,
        "to": newer.version,
        "added": sorted(uri for uri in added if uri not in names[1] and wanted(uri)),
        "changed": sorted(after[key].uri for key in changed if wanted(after[key].uri)),
        "retired": sorted(uri for uri in retired if uri not in names[0] and wanted(uri)),
        "renamed": [each for each in renamed if wanted(each["from"], each["to"])],
    }


def _recorded(kb: Handle, number: int) -> Version:
    """A version that went live and is kept: the ledger has rows of no other."""
    version = kb.version(number)
    if version.status in ("published", "damaged"):
        return version
    raise UsageError(
        f"version {number} of {kb.name!r} {gone(version)}; its documents are not recorded",
        hint=f"`llmops kb log {kb.name}` lists the published ones; `llmops index CONFIG --plan` "
        f"says what the next build would change",
    )


def _renamed(gone: Sequence[Row[Any]], new: Sequence[Row[Any]]) -> list[dict[str, str]]:
    """What left under one name and came under another with the same content, in one source; where
    several are the same, each name is used once.
    """
    by_content: dict[tuple[str, str], list[str]] = {}
    for row in sorted(gone, key=lambda row: str(row.uri), reverse=True):
        by_content.setdefault((row.source, row.content_hash), []).append(row.uri)
    return [
        {"from": former.pop(), "to": row.uri}
        for row in sorted(new, key=lambda row: str(row.uri))
        if (former := by_content.get((row.source, row.content_hash)))
    ]


class HitDocument(TypedDict):
    """What a reader needs of the document of a passage, beside its name. `metadata`: as the source,
    the parser and the config gave it; `labels`: who may read it.
    """

    source: str
    metadata: dict[str, object]
    labels: list[str]


def documents_of(
    version: Version, ledger: Ledger, doc_ids: Collection[str]
) -> dict[str, HitDocument]:
    """By doc_id, of those that the version has."""
    mine = (documents.c.kb == version.kb) & live_at(documents, version.version)
    query = select(documents.c.doc_id, documents.c.source, documents.c.metadata)
    with ledger.read() as connection:
        rows = connection.execute(query.where(mine, documents.c.doc_id.in_(sorted(doc_ids)))).all()
    schema = schema_of(version)
    given = [(row, json.loads(row.metadata)) for row in rows]
    return {
        row.doc_id: {
            "source": row.source,
            "metadata": metadata,
            "labels": schema.labels(row.source, metadata),
        }
        for row, metadata in given
    }


def history(kb: Handle, most: int | None = None) -> list[VersionListed]:
    """The versions, at most so many, newest first, in the shape of `kb log`."""
    live = kb.published().version
    with kb.ledger.read() as connection:
        rows: Sequence[Any] = connection.execute(
            select(versions)
            .where(versions.c.kb == kb.name)
            .order_by(versions.c.version.desc())
            .limit(most)
        ).all()
    return [
        {
            "version": row.version,
            "published_at": aware(row.published_at).isoformat() if row.published_at else None,
            "status": "live" if row.version == live else row.status,
            "documents": row.documents,
            "chunks": row.chunks,
            "added": row.added,
            "retired": row.retired,
            "gate": row.gate,
            "mlflow_run_id": row.mlflow_run_id,
            "prefect_run_id": row.prefect_run_id,
            "config_sha256": row.config_sha256,
        }
        for row in rows
    ]
