"""What of a knowledge base may be named to somebody who holds some access labels: its documents,
what changed between its versions, and what is in quarantine.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Row, and_, func, literal, or_, select, tuple_

from llmops.tasks.errors import DocumentError, NearDuplicate, UsageError
from llmops.tasks.filters import PUBLIC
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.handle import Handle, Version, schema_of
from llmops.tasks.knowledge.quarantine import QuarantineItem, public_item
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.tables import documents, quarantine

SHOWN = 200
LOOKED_AT = 2_000
"""Items of a quarantine, the latest first, and documents for a part of a list."""
NAMES = (documents.c.doc_id, documents.c.uri, documents.c.title, documents.c.source)
"""What a document is called; `metadata` decides beside them who may see it."""


@dataclass(frozen=True)
class Sight:
    """What the holder of `labels` may see under the access rules of `schemas`, all of them: what
    one version lets everybody read and the live one does not, is not named. Without rules, nothing.
    """

    labels: frozenset[str]
    schemas: tuple[MetadataSchema, ...]

    @cached_property
    def whole(self) -> bool:
        """Whether there is nothing that the rules could hide."""
        return bool(self.schemas) and all(
            schema.access.field is None
            and self._opens(schema.access.default)
            and all(map(self._opens, schema.sources.values()))
            for schema in self.schemas
        )

    def source(self, source: str) -> bool:
        """Whether a document may be named of which nothing but its source is known."""
        return self._by_source(source)

    @cached_property
    def _by_source(self) -> Callable[[str], bool]:
        return cache(self._source)

    def _source(self, source: str) -> bool:
        return bool(self.schemas) and all(
            schema.access.field is None and self._opens(schema.labels(source, {}))
            for schema in self.schemas
        )

    def document(self, source: str, metadata: str) -> bool:
        """Whether a document may be named; `metadata` as the ledger keeps it."""
        if self.whole:
            return True
        if not any(schema.access.field for schema in self.schemas):
            return self._by_source(source)
        own = json.loads(metadata)
        try:
            labels = [schema.labels(source, own) for schema in self.schemas]
        except DocumentError:
            return False
        return bool(labels) and all(map(self._opens, labels))

    def _opens(self, labels: Collection[str]) -> bool:
        return not labels or PUBLIC in labels or not self.labels.isdisjoint(labels)


def sight_of(labels: Collection[str], *versions: Version) -> Sight:
    """What the holder of some labels may see of these versions."""
    return Sight(frozenset(labels), tuple(schema_of(version) for version in versions))


class NamedDocument(NamedTuple):
    """A document as a list names it."""

    doc_id: str
    uri: str
    title: str
    source: str


class DocumentNames(NamedTuple):
    """Documents in the order of their uris, at most so many as were asked for. `more`: how many
    there are beyond them; `hidden`: how many the labels do not open.
    """

    documents: tuple[NamedDocument, ...]
    more: int = 0
    hidden: int = 0


class VersionChanges(NamedTuple):
    """What is different in `end`, seen from `start`."""

    start: int
    end: int
    added: DocumentNames
    changed: DocumentNames
    retired: DocumentNames


def changes(kb: Handle, start: int, end: int, labels: Collection[str]) -> VersionChanges:
    """The documents in which two versions differ. Costs in proportion to the change. Raises
    UsageError for a version that there is not, or that is no longer kept.
    """
    older, newer = sorted((start, end))
    if older == newer:
        raise UsageError(f"version {start} does not differ from itself", where=kb.name)
    sight = sight_of(labels, kept(kb, older), kept(kb, newer), kb.published())
    before, after = documents.alias(), documents.alias()
    same = and_(before.c.kb == after.c.kb, before.c.doc_id == after.c.doc_id)
    arrived = (
        select(*_of(after), before.c.doc_id.label("before"))
        .join_from(after, before, and_(same, live_at(before, older)), isouter=True)
        .where(after.c.kb == kb.name, live_at(after, newer), after.c.valid_from > older)
        .where(
            or_(
                before.c.doc_id.is_(None),
                before.c.text_hash != after.c.text_hash,
                before.c.title.is_distinct_from(after.c.title),
                before.c.metadata != after.c.metadata,
            )
        )
        .order_by(after.c.uri)
    )
    left = (
        select(*_of(before))
        .join_from(before, after, and_(same, live_at(after, newer)), isouter=True)
        .where(before.c.kb == kb.name, live_at(before, older), before.c.valid_to <= newer)
        .where(after.c.doc_id.is_(None))
        .order_by(before.c.uri)
    )
    with kb.ledger.read() as connection:
        new = connection.execute(arrived).all()
        gone = connection.execute(left).all()
    added = named([row for row in new if row.before is None], sight)
    changed = named([row for row in new if row.before is not None], sight)
    retired = named(gone, sight)
    if start > end:
        added, retired = retired, added
    return VersionChanges(start, end, added, changed, retired)


def _of(table: FromClause) -> list[ColumnElement[Any]]:
    return [table.c[column.name] for column in (*NAMES, documents.c.metadata)]


def kept(kb: Handle, number: int) -> Version:
    """A version whose documents the ledger still knows. Raises UsageError for another one."""
    version = kb.version(number)
    if version.status != "published":
        raise UsageError(
            f"version {number} of {kb.name!r} is not kept: it is {version.status}",
            where=kb.name,
            hint=f"`llmops kb log {kb.name}` lists the published ones",
        )
    return version


def named(rows: Collection[Row[Any]], sight: Sight, most: int = SHOWN) -> DocumentNames:
    """The rows that may be named."""
    seen = [row for row in rows if sight.document(row.source, row.metadata)]
    return DocumentNames(
        tuple(_named(row) for row in seen[:most]),
        more=max(0, len(seen) - most),
        hidden=len(rows) - len(seen),
    )


def _named(row: Row[Any]) -> NamedDocument:
    title = row.title or row.uri.rpartition("/")[2]
    return NamedDocument(row.doc_id, row.uri, title, row.source)


class DocumentPage(NamedTuple):
    """A part of a version's documents. `next`: the id of the document that the next part begins
    with, "" for the last part. A part in which nothing may be named can have a next one.
    """

    documents: tuple[NamedDocument, ...]
    next: str = ""


def page(
    kb: Handle,
    number: int,
    labels: Collection[str],
    *,
    text: str = "",
    after: str = "",
    size: int = 50,
) -> DocumentPage:
    """The documents of a version whose uri or title holds `text`, from the one on whose id is
    `after`, "" for the first. Raises
    UsageError as `kept` does.
    """
    sight = sight_of(labels, kept(kb, number), kb.published())
    query = (
        select(*NAMES, documents.c.metadata)
        .where(documents.c.kb == kb.name, live_at(documents, number))
        .order_by(documents.c.uri, documents.c.doc_id)
    )
    if after:
        other = documents.alias()
        begins = select(other.c.uri).where(
            other.c.kb == kb.name, other.c.doc_id == after, live_at(other, number)
        )
        place = tuple_(documents.c.uri, documents.c.doc_id)
        query = query.where(place >= tuple_(begins.scalar_subquery(), literal(after)))
    if text:
        held = [c.icontains(text, autoescape=True) for c in (documents.c.uri, documents.c.title)]
        query = query.where(or_(*held))
    most = size + 1 if sight.whole else LOOKED_AT
    with kb.ledger.read() as connection:
        rows = connection.execute(query.limit(most)).all()
    seen = [row for row in rows if sight.document(row.source, row.metadata)]
    if len(seen) > size:
        return DocumentPage(tuple(map(_named, seen[:size])), seen[size].doc_id)
    rest = rows[-1].doc_id if len(rows) == most else ""
    return DocumentPage(tuple(map(_named, seen)), rest)


class QuarantineSeen(NamedTuple):
    """What is in quarantine and may be named, the latest first. `more` and `hidden` as in
    DocumentNames.
    """

    items: tuple[QuarantineItem, ...]
    more: int = 0
    hidden: int = 0


def quarantined(
    kb: Handle, labels: Collection[str], *rules: MetadataSchema, most: int = SHOWN
) -> QuarantineSeen:
    """What is in quarantine. `rules`: of the config that is built next; those of the live version
    hold beside them. A document that is live is judged by what is known of it, another one by its
    source alone; where documents name their own labels, that is not enough to show it.
    """
    live = kb.live()
    sight = Sight(frozenset(labels), (*rules, *([schema_of(live)] if live else [])))
    of_live = and_(
        documents.c.kb == quarantine.c.kb,
        documents.c.doc_id == quarantine.c.doc_id,
        live_at(documents, live.version if live else 0),
    )
    mine = quarantine.c.kb == kb.name
    query = (
        select(quarantine, documents.c.metadata.label("known"))
        .join_from(quarantine, documents, of_live, isouter=True)
        .where(mine)
        .order_by(quarantine.c.last_seen.desc(), quarantine.c.uri)
        .limit(LOOKED_AT)
    )
    with kb.ledger.read() as connection:
        rows = connection.execute(query).all()
        total = connection.scalar(select(func.count()).select_from(quarantine).where(mine)) or 0
    seen = [row for row in rows if _may_name(sight, row)]
    shown = tuple(_item(row, sight) for row in seen[:most])
    hidden = len(rows) - len(seen)
    return QuarantineSeen(shown, total - len(shown) - hidden, hidden)


def _may_name(sight: Sight, row: Row[Any]) -> bool:
    if row.known is not None:
        return sight.document(row.source, row.known)
    return sight.source(row.source)


def _item(row: Row[Any], sight: Sight) -> QuarantineItem:
    """The reason of a near duplicate names another document."""
    item = public_item(row)
    if row.error == NearDuplicate.__name__ and not sight.whole:
        item["reason"] = "a near duplicate of another document, which is kept"
    return item


def document_of(
    kb: Handle, doc_id: str, numbers: Collection[int], labels: Collection[str]
) -> dict[int, Row[Any]]:
    """The ledger's row of a document in each of the versions that have it. Raises UsageError where
    none has, or the labels do not open it: whether it exists is not said.
    """
    told = UsageError("there is no such document", where=kb.name)
    live = kb.published()
    found: dict[int, Row[Any]] = {}
    for number in numbers:
        sight = sight_of(labels, kept(kb, number), live)
        mine = (documents.c.kb == kb.name) & (documents.c.doc_id == doc_id)
        with kb.ledger.read() as connection:
            row = connection.execute(
                select(documents).where(mine, live_at(documents, number))
            ).one_or_none()
        if row is not None and not sight.document(row.source, row.metadata):
            raise told
        if row is not None:
            found[number] = row
    if not found:
        raise told
    return found
