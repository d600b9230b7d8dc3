"""Cleaners that compare documents with each other, in a build: every document is sketched, then all
are judged together.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import Row as SqlRow

from llmops.tasks.filters import LABELS
from llmops.tasks.knowledge import sketches
from llmops.tasks.knowledge.build import Batch, Build, Todo
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.plan import Duplicate, Plan, live_documents
from llmops.tasks.knowledge.sketches import DOUBTFUL, CorpusVerdicts, made_from, said_of
from llmops.tasks.knowledge.transform import (
    Row,
    clean,
    document_of,
    documents_shard,
    rows_of,
    surviving,
)
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.cleaners import Cleaner, CorpusCleaner, CorpusVerdict, Sketched

Live = Mapping[str, SqlRow[Any]]
"""doc_id -> a row of the ledger."""
READERS = 8
IDENTITY = ["doc_id", "source", "uri", "revision", "content_hash"]


def cleaner_at(cleaners: Sequence[Cleaner], turn: int) -> tuple[int, CorpusCleaner]:
    """The n-th cleaner that compares documents (from 0), and its place among all."""
    return [
        (place, cleaner)
        for place, cleaner in enumerate(cleaners)
        if isinstance(cleaner, CorpusCleaner)
    ][turn]


def sketch(build: Build, cleaners: Sequence[Cleaner], turn: int, batch: Batch) -> Batch:
    """Bring a batch to the cleaner of that turn, and remember a sketch of each of its documents."""
    place, cleaner = cleaner_at(cleaners, turn)
    batch = clean(build, cleaners, batch, place)
    rows = rows_of(build, batch.documents)
    said = said_of(build, [row["doc_id"] for row in rows], turn)
    sketched_rows: list[Row] = []

    def sketched(row: Row) -> Row:
        document = document_of(row)
        payload = _readers(
            build.metadata_schema.of(row["source"], document.metadata)[LABELS]
        ) + cleaner.sketch(document)
        source = made_from(row["content_hash"], said[row["doc_id"]])
        sketched_rows.append(
            {**{name: row[name] for name in IDENTITY}, "content_hash": source, "sketch": payload}
        )
        return row

    kept = surviving(build, rows, "clean", sketched)
    sketches.save(build, build.fingerprints.corpus[turn], sketched_rows)
    return batch.model_copy(update={"documents": documents_shard(build, batch.documents, kept)})


def _readers(labels: Iterable[str]) -> bytes:
    """Stands for the labels of a document: only those who may read both may learn that two
    documents are alike.
    """
    return blake2b(canonical(sorted(labels)).encode(), digest_size=READERS).digest()


def judge(
    build: Build, cleaners: Sequence[Cleaner], turn: int, plan: Plan, batches: Sequence[Batch]
) -> Plan:
    """Judge all documents that the candidate may have. Returns the plan with further todos:
    documents that were to stay as they are, but are judged otherwise now; and with those that are
    left out."""
    _, cleaner = cleaner_at(cleaners, turn)
    key = build.fingerprints.corpus[turn]
    live = live_documents(build)
    here = {
        row["doc_id"]: row
        for batch in batches
        for row in batch.documents.table(build.lake, IDENTITY).to_pylist()
    }
    known = {
        todo.doc_id: todo
        for todo in [*plan.known, *_fallen_back(build, live, plan, here, turn)]
        if todo.doc_id not in here
    }
    rows = sketches.load(build, key, [*here, *known])
    verdicts = cleaner.judge(_sketched(rows, plan, live))
    texts = {
        doc_id: DOUBTFUL if _doubtful(row, live) else verdicts.get(doc_id, CorpusVerdict()).text()
        for doc_id, row in rows.items()
    }
    sketches.judged(
        build, key, texts, {todo.doc_id: todo.item.revision for todo in known.values() if todo.item}
    )
    out = [
        _duplicate(row, rows[better], verdicts[doc_id].similarity)
        for doc_id, row in rows.items()
        if (better := verdicts.get(doc_id, CorpusVerdict()).instead)
    ]
    return _amended(
        build, turn, plan, [todo for key, todo in known.items() if key in rows], out, live
    )


def _fallen_back(
    build: Build, live: Live, plan: Plan, here: Mapping[str, Row], turn: int
) -> list[Todo]:
    """Live documents that could not be read now: they stay in their last good form, and take part
    in that.
    """
    if turn > 0:
        return []
    verdicts_so_far = CorpusVerdicts(build)
    return [
        todo.model_copy(
            update={
                "item": None,
                "kind": "reprocess",
                "content_hash": live[todo.doc_id].content_hash,
            }
        )
        for todo in plan.todo
        if todo.doc_id in live
        and todo.doc_id not in here
        and verdicts_so_far.sketched(todo.doc_id, live[todo.doc_id].content_hash, 0)
    ]


def _sketched(rows: Live, plan: Plan, live: Live) -> list[Sketched]:
    places = {source: place for place, source in enumerate(plan.listed)}
    return [
        Sketched(
            doc_id=doc_id,
            source=row.source,
            uri=row.uri,
            sketch=row.sketch[READERS:],
            readers=row.sketch[:READERS],
            place=places.get(row.source, len(places)),
            doubtful=_doubtful(row, live),
        )
        for doc_id, row in rows.items()
    ]


def _doubtful(row: SqlRow[Any], live: Live) -> bool:
    return row.verdict == DOUBTFUL and row.doc_id not in live


def _duplicate(row: SqlRow[Any], better: SqlRow[Any], similarity: float) -> Duplicate:
    return Duplicate(
        doc_id=row.doc_id,
        source=row.source,
        uri=row.uri,
        revision=row.revision,
        instead=better.doc_id,
        better=better.uri,
        similarity=similarity,
        cleaner=row.cleaner,
    )


def _amended(
    build: Build,
    turn: int,
    plan: Plan,
    known: Sequence[Todo],
    out: Sequence[Duplicate],
    live: Live,
) -> Plan:
    verdicts_so_far, gone = CorpusVerdicts(build), {duplicate.doc_id for duplicate in out}
    staying = [todo for todo in known if todo.doc_id not in gone]
    more = [
        todo
        for todo in staying
        if not _settled(build, verdicts_so_far, turn, todo, live.get(todo.doc_id))
    ]
    moved = gone | {todo.doc_id for todo in more}
    return plan.model_copy(
        update={
            "todo": [*plan.todo, *more],
            "known": [todo for todo in staying if todo.doc_id not in moved],
            "duplicates": [*plan.duplicates, *out],
            "replaced": plan.replaced
            | {duplicate.doc_id: duplicate.uri for duplicate in out if duplicate.doc_id in live},
            "unchanged": plan.unchanged
            - sum(
                todo.kind == "reprocess" and todo.item is not None
                for todo in known
                if todo.doc_id in moved
            ),
            "uris": sorted(
                {*plan.uris, *(todo.uri for todo in more)} - {duplicate.uri for duplicate in out}
            ),
        }
    )


def _settled(
    build: Build, verdicts_so_far: CorpusVerdicts, turn: int, todo: Todo, row: SqlRow[Any] | None
) -> bool:
    """Whether a document can stay as it is: it is so in the live version already, or the next
    cleaner has sketched it so.
    """
    content = todo.content_hash or ""
    if turn + 1 < len(build.fingerprints.corpus):
        return verdicts_so_far.sketched(todo.doc_id, content, turn + 1)
    return (
        row is not None
        and row.content_hash == content
        and row.text_stage == verdicts_so_far.stage(row)
    )


def _last(doc_id: str, instead: Mapping[str, str]) -> str:
    """The document that stays at the end, where a later cleaner left out the better one too."""
    while doc_id in instead:
        doc_id = instead[doc_id]
    return doc_id


def kept(build: Build, plan: Plan, staged: Sequence[Staged]) -> Plan:
    """The plan without duplicates of documents that failed after they were judged: a live duplicate
    stays then, any other is brought in by the next build, and no document is left out for one that
    is not there."""
    if not plan.duplicates:
        return plan
    gone = {*plan.leaving, *(duplicate.doc_id for duplicate in plan.duplicates)}
    instead = {duplicate.doc_id: duplicate.instead for duplicate in plan.duplicates}
    there = {
        *(live_documents(build).keys() - gone),
        *(key for part in staged for key in (*part.new, *part.changed, *part.same)),
    }
    lonely = [
        duplicate for duplicate in plan.duplicates if _last(duplicate.instead, instead) not in there
    ]
    if not lonely:
        return plan
    sketches.doubt(build, {(duplicate.cleaner, duplicate.instead) for duplicate in lonely})
    stay = {duplicate.doc_id for duplicate in lonely}
    some = ", ".join(sorted(duplicate.uri for duplicate in lonely)[:3])
    return plan.model_copy(
        update={
            "duplicates": [
                duplicate for duplicate in plan.duplicates if duplicate.doc_id not in stay
            ],
            "replaced": {key: uri for key, uri in plan.replaced.items() if key not in stay},
            "notes": [
                *plan.notes,
                f"{len(lonely)} near duplicates of documents that failed are brought in by "
                f"the next build: {some}",
            ],
        }
    )
