"""Expectations in a build: rows are judged batch by batch, the table as a whole before anything is
paid.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from llmops.tasks.errors import Blocked
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.collect import read_rows
from llmops.tasks.knowledge.outcome import Expectations
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.quarantine import Failure, by_stage, put
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.knowledge.transform import Row, without
from llmops.tasks.knowledge.views import rows_at
from llmops.tasks.schemas import CHUNKS, DOCUMENTS, frame, from_arrow
from llmops.tasks.validation import (
    Suite,
    ValidationVerdict,
    combine,
    read_suite,
    validate,
    write_docs,
)
from llmops.tasks.validation.suite import Kind

SCHEMAS = {"documents": DOCUMENTS, "chunks": CHUNKS}
KINDS: tuple[Kind, ...] = ("documents", "chunks")


def suite_of(build: Build) -> Suite:
    """The expectations of the build's config."""
    if build.specs.suite is None:
        return Suite()
    return read_suite(build.specs.suite).filled({"max_tokens": build.specs.embedder().max_tokens})


def check_rows(build: Build, suite: Suite, kind: Kind, batch: Batch) -> Batch:
    """Judge each row by itself. A document that fails, or any chunk of which fails, goes to
    quarantine.
    """
    shard = batch.documents if kind == "documents" else batch.chunks
    if shard is None or not suite.rowwise(kind):
        return batch
    data = shard.read(build.lake)
    owners = data["doc_id"].tolist()
    verdict = validate(data, suite.rowwise(kind), kind)
    if verdict.failures:
        verdict = verdict.of_documents(_named(owners, _uris(build, [batch])))
    place = f"{build.folder}/verdict-{kind}-{batch.part.number}.json"
    build.lake.write(place, verdict.model_dump_json().encode())
    return _drop(
        build, batch, {owners[int(row)]: why for row, why in verdict.quarantined.items()}, kind
    )


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
    new = [
        shard.table(build.lake, columns)
        for batch in batches
        if (shard := batch.documents if kind == "documents" else batch.chunks)
    ]
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
    rows = (
        _live_documents(build, columns, gone)
        if kind == "documents"
        else _live_chunks(build, columns, gone)
    )
    return pa.Table.from_pandas(frame(rows, schema), schema=schema, preserve_index=False)


def _live_documents(build: Build, columns: list[str], gone: set[str]) -> list[Row]:
    rows = {
        key: row for key, row in rows_at(build.handle, build.live or 0).items() if key not in gone
    }
    stored = [name for name in columns if name not in ("text", "markup")]
    texts: Mapping[str, Row] = {}
    if len(stored) < len(columns):
        texts = read_rows(
            build, {key: (row.shard, row.shard_sha256, row.shard_row) for key, row in rows.items()}
        )
    return [
        {
            **{name: getattr(row, name) for name in stored},
            **{name: texts[key][name] for name in columns if name not in stored},
        }
        for key, row in rows.items()
    ]


def _live_chunks(build: Build, columns: list[str], gone: set[str]) -> list[Row]:
    live = build.handle.live()
    return [
        row
        for part in (
            searcher(build.home, live).reader.rows(columns) if live and not build.fresh else ()
        )
        for row in pa.Table.from_pandas(part, preserve_index=False).to_pylist()
        if row["doc_id"] not in gone
    ]


def _drop(build: Build, batch: Batch, failed: Mapping[str, str], kind: Kind) -> Batch:
    rows = (
        batch.documents.table(build.lake, ["doc_id", "source", "uri", "revision"]).to_pylist()
        if failed
        else []
    )
    mine = [row for row in rows if row["doc_id"] in failed]
    put(
        build.handle,
        [
            Failure(
                source=row["source"],
                uri=row["uri"],
                revision=row["revision"],
                stage="validate",
                error="ExpectationFailed",
                reason=f"{kind}: {failed[row['doc_id']]}",
            )
            for row in mine
        ],
        build.fingerprints.all,
    )
    return without(build, batch, {row["doc_id"] for row in mine})
