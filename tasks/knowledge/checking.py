"""Expectations in a build: rows are judged batch by batch, the table as a whole before anything is
paid.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from llmops.tasks.errors import Blocked
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.collect import read_rows
from llmops.tasks.knowledge.outcome import Expectations
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.quarantine import Failure, by_stage, put
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.knowledge.transform import Row, without
from llmops.tasks.knowledge.views import rows_at
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.tables import documents
from llmops.tasks.schemas import CHUNKS, DOCUMENTS, Shard, frame, from_arrow
from llmops.tasks.validation import (
    Suite,
    ValidationVerdict,
    combine,
    judge,
    looked_at,
    read_suite,
    validate,
    write_docs,
)
from llmops.tasks.validation.suite import Kind

SCHEMAS = {"documents": DOCUMENTS, "chunks": CHUNKS}
TRIED = ("source", "uri", "revision", "content_hash")
KINDS: tuple[Kind, ...] = ("documents", "chunks")


def suite_of(build: Build) -> Suite:
    """The expectations of the build's config."""
    if build.specs.suite is None:
        return Suite()
    return read_suite(build.specs.suite).filled({"max_tokens": build.specs.embedder().max_tokens})


def check_rows(build: Build, suite: Suite, kind: Kind, batches: Sequence[Batch]) -> list[Batch]:
    """Judge each row by itself. A document that fails, or any chunk of which fails, goes to
    quarantine.

    Some batches at once: Great Expectations takes nearly as long for ten rows as for a thousand.
    """
    import pandas as pd

    expectations = suite.rowwise(kind)
    shards = [shard for batch in batches if (shard := _shard(batch, kind))]
    if not expectations or not shards:
        return list(batches)
    owners: list[str] = []
    frames = []  # of what is looked at alone: whole texts of many batches may be large
    for shard in shards:
        data = shard.read(build.lake)
        owners += data["doc_id"].tolist()
        frames.append(looked_at(data, expectations))
    verdict = judge(pd.concat(frames, ignore_index=True), expectations, kind)
    if verdict.failures:
        verdict = verdict.of_documents(_named(owners, _uris(build, batches)))
    place = f"{build.folder}/verdict-{kind}-{batches[0].part.number}.json"
    build.lake.write(place, verdict.model_dump_json().encode())
    failed = {owners[int(row)]: why for row, why in verdict.quarantined.items()}
    return [_drop(build, batch, failed, kind) for batch in batches]


def _shard(batch: Batch, kind: Kind) -> Shard | None:
    return batch.documents if kind == "documents" else batch.chunks


def check_whole(
    build: Build, suite: Suite, plan: Plan, batches: Sequence[Batch]
) -> tuple[list[Batch], Expectations]:
    """Judge the table that the candidate would be. Returns the batches without what failed, the
    warnings and the URL of the Data Docs page.

    Raises Blocked when a critical expectation of the whole table fails.
    """
    if not batches:
        return [], Expectations([], "")
    verdicts = []
    kept = list(batches)
    for kind in KINDS:
        verdict = _whole(build, suite, kind, plan, kept)
        kept = [_drop(build, batch, verdict[1], kind) for batch in kept]
        prefix = f"{build.folder}/verdict-{kind}-"
        files = [file for file in build.lake.files(build.folder) if file.path.startswith(prefix)]
        saved = [
            ValidationVerdict.model_validate_json(build.lake.read(file.path)) for file in files
        ]
        verdicts.append(combine([*saved, verdict[0]]))
    title = f"{build.kb} v{build.version} {build.run_id[:8]}"
    held = by_stage(build.handle.ledger, build.kb)
    page = write_docs(build.home, title, verdicts, held).as_uri()
    blocking = [
        f"{verdict.kind}: {failure}" for verdict in verdicts for failure in verdict.blocking
    ]
    if blocking:
        raise Blocked(
            "expectations failed: " + "; ".join(blocking),
            hint=f"see {page}; correct the documents or the suite",
        )
    warnings = [warning for verdict in verdicts for warning in verdict.warnings]
    return kept, Expectations(warnings, page)


def _whole(
    build: Build, suite: Suite, kind: Kind, plan: Plan, batches: Sequence[Batch]
) -> tuple[ValidationVerdict, dict[str, str]]:
    expectations = suite.whole(kind)
    if not expectations:
        return ValidationVerdict(kind=kind), {}
    columns = list(dict.fromkeys(["doc_id", *suite.columns(kind)]))
    new = [shard.table(build.lake, columns) for batch in batches if (shard := _shard(batch, kind))]
    data = from_arrow(
        pa.concat_tables([_live(build, kind, columns, plan), *new], promote_options="permissive")
    )
    owners = data["doc_id"].tolist()
    verdict = validate(data, expectations, kind)
    if verdict.failures:
        live = {key: row.uri for key, row in rows_at(build.handle, build.live or 0).items()}
        verdict = verdict.of_documents(_named(owners, live | _uris(build, batches)))
    return verdict, {owners[int(row)]: why for row, why in verdict.quarantined.items()}


def _uris(build: Build, batches: Sequence[Batch]) -> dict[str, str]:
    """By doc_id."""
    tables = (batch.documents.table(build.lake, ["doc_id", "uri"]) for batch in batches)
    return {row["doc_id"]: row["uri"] for table in tables for row in table.to_pylist()}


def _named(doc_ids: Sequence[str], uris: Mapping[str, str]) -> list[str]:
    return [uris.get(each, each) for each in doc_ids]


def _live(build: Build, kind: Kind, columns: list[str], plan: Plan) -> pa.Table:
    """The rows that the candidate keeps from the live version; they come first, so that of equal
    rows the new one fails.
    """
    gone = {*(todo.doc_id for todo in plan.todo), *plan.leaving}
    live = build.handle.live()
    schema = pa.schema([SCHEMAS[kind].field(name) for name in columns])
    if live is None:
        return schema.empty_table()
    if kind == "documents":
        rows = _live_documents(build, columns, gone)
        return pa.Table.from_pandas(frame(rows, schema), schema=schema, preserve_index=False)
    return _live_chunks(build, schema, gone)


def _live_documents(build: Build, columns: list[str], gone: set[str]) -> list[Row]:
    stored = [name for name in columns if name not in ("text", "markup")]
    places = ["shard", "shard_sha256", "shard_row"] if len(stored) < len(columns) else []
    query = select(*(documents.c[name] for name in dict.fromkeys(["doc_id", *stored, *places])))
    with build.ledger.read() as connection:
        query = query.where(documents.c.kb == build.kb, live_at(documents, build.live or 0))
        rows = [row for row in connection.execute(query) if row.doc_id not in gone]
    if not places:
        return [dict(row._mapping) for row in rows]
    lying = {row.doc_id: (row.shard, row.shard_sha256, row.shard_row) for row in rows}
    texts = read_rows(build, lying)
    read = [name for name in columns if name not in stored]
    return [
        {name: getattr(row, name) for name in stored}
        | {name: texts[row.doc_id][name] for name in read}
        for row in rows
    ]


def _live_chunks(build: Build, schema: pa.Schema, gone: set[str]) -> pa.Table:
    live = build.handle.live()
    if live is None or build.fresh:
        return schema.empty_table()
    leaving = pa.array(gone, pa.string())
    parts = [
        pa.Table.from_pandas(part, preserve_index=False).select(schema.names).cast(schema)
        for part in searcher(build.home, live).reader.rows(schema.names)
    ]
    table = pa.concat_tables([schema.empty_table(), *parts])
    return table.filter(pc.invert(pc.is_in(table["doc_id"], value_set=leaving)))


def _drop(build: Build, batch: Batch, failed: Mapping[str, str], kind: Kind) -> Batch:
    rows = batch.documents.table(build.lake, ["doc_id", *TRIED]).to_pylist() if failed else []
    mine = [row for row in rows if row["doc_id"] in failed]
    put(
        build.handle,
        [
            Failure(
                **{name: row[name] for name in TRIED},
                stage="validate",
                error="ExpectationFailed",
                reason=f"{kind}: {failed[row['doc_id']]}",
            )
            for row in mine
        ],
        build.fingerprints.all,
    )
    return without(build, batch, {row["doc_id"] for row in mine})
