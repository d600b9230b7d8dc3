"""The tasks of the index flow, in its order, and the two steps that send parts of the work through
several of them.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.request import url2pathname

from prefect import task
from prefect.futures import PrefectFuture

from llmops.tasks import artifacts
from llmops.tasks.errors import LIVE, LlmopsError
from llmops.tasks.finish import name_run, prefect_url
from llmops.tasks.knowledge import (
    access,
    changes,
    checking,
    corpus,
    measuring,
    planner,
    transform,
    versions,
)
from llmops.tasks.knowledge import collect as collecting
from llmops.tasks.knowledge import embed as embedding
from llmops.tasks.knowledge import publish as publishing
from llmops.tasks.knowledge import stage as staging
from llmops.tasks.knowledge.build import Batch, Build, Part
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import Expectations, Outcome, Totals
from llmops.tasks.knowledge.parser_pool import ParserPool
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.views import rows_at
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.retrieval.gate import GateResult
from llmops.tasks.schemas import sha256
from llmops.tasks.tracking import (
    DATA_DOCS,
    BuildRecord,
    DocumentSet,
    QualityRecord,
    place_of,
    record_build,
    record_quality,
    run_url,
    shared,
)

PROCESSES = 2
T = TypeVar("T")


@task
def recover(build: Build, lease: Lease) -> None:
    """Undo what an earlier build staged and did not publish."""
    versions.clear_up(build, lease)


@task
def plan(build: Build) -> Plan:
    """List every source and compare it with the ledger."""
    return planner.plan_build(build)


@task(name="check golden set")
def check_golden(build: Build, plan: Plan) -> list[str]:
    """Find questions whose documents the candidate will not have. Returns warnings."""
    return measuring.unanswerable(build, plan)


@task
def cut(build: Build, plan: Plan, done: Sequence[Part] = ()) -> list[Part]:
    """Cut the work into parts that one task run each can do; `done`: those that were cut before."""
    return planner.parts(build, plan, done)


@task(task_run_name="collect {part.number} of {part.of}: {part.source}")
def collect(build: Build, part: Part) -> Batch:
    """Read and parse one part of a source."""
    source = planner.source_of(build, build.specs.source(part.source))
    return collecting.collect(build, source, pool(**build.specs.parse.model_dump()), part)


@cache
def pool(*, seconds: float, memory_mb: int, max_chars: int) -> ParserPool:
    """One pool of parsers for all tasks of a process; its workers end with the process."""
    return ParserPool(workers=PROCESSES, seconds=seconds, memory_mb=memory_mb, max_chars=max_chars)


@task(task_run_name="sketch {batch.part.number} of {batch.part.of}")
def sketch(build: Build, turn: int, batch: Batch) -> Batch:
    """Clean one batch as far as the next cleaner that compares documents, and sketch it."""
    return corpus.sketch(build, build.specs.cleaners(), turn, batch)


@task(task_run_name="judge {turn}")
def judge(build: Build, turn: int, plan: Plan, batches: list[Batch]) -> Plan:
    """Compare all documents with each other; that may give more to do."""
    return corpus.judge(build, build.specs.cleaners(), turn, plan, batches)


@task(task_run_name="clean {batch.part.number} of {batch.part.of}")
def clean(build: Build, batch: Batch) -> Batch:
    """Clean one batch of texts."""
    return transform.clean(build, build.specs.cleaners(), batch)


@task(task_run_name="validate {kind} {batch.part.number} of {batch.part.of}")
def check_rows(build: Build, kind: Literal["documents", "chunks"], batch: Batch) -> Batch:
    """Put the rows that fail into quarantine."""
    return checking.check_rows(build, checking.suite_of(build), kind, batch)


@task(task_run_name="chunk {batch.part.number} of {batch.part.of}")
def chunk(build: Build, batch: Batch) -> Batch:
    """Split one batch of documents."""
    return transform.chunk(build, build.specs.chunker(), build.specs.embedder(), batch)


@task(name="validate the whole")
def check_whole(build: Build, plan: Plan, batches: list[Batch]) -> tuple[list[Batch], Expectations]:
    """Judge the candidate as one table. Returns what is left, and what there is to say."""
    return checking.check_whole(build, checking.suite_of(build), plan, batches)


@task(task_run_name="embed {batch.part.number} of {batch.part.of}")
def embed(build: Build, batch: Batch) -> Batch:
    """Embed what the ledger does not know yet."""
    return embedding.embed(build, build.specs.embedder(), batch)


@task(task_run_name="compare {batch.part.number} of {batch.part.of}")
def compare(build: Build, batch: Batch) -> Staged:
    """Find what one batch changes."""
    return changes.find_changes(build, batch)


@task
def settle(build: Build, lease: Lease, plan: Plan, staged: list[Staged]) -> None:
    """Remember what a run that changes nothing has seen."""
    publishing.settle(build, lease, plan, staged)


@task
def open_version(build: Build, lease: Lease, recorded: dict[str, Any]) -> None:
    """Take the version's number, and open the collection to stage into."""
    numbers = {"version": build.version, "parent": build.live, "collection": build.collection}
    versions.open_version(build.handle, lease, {**numbers, **recorded})
    staging.prepare(build)


@task(task_run_name="stage {staged.batch.part.number} of {staged.batch.part.of}")
def stage(build: Build, staged: Staged) -> None:
    """Write one batch's changes into the collection."""
    changes.write_changes(build, staging.target(build), build.specs.embedder(), staged)


@task
def retire(build: Build, doc_ids: list[str]) -> int:
    """Take the chunks of documents that are gone out of the collection."""
    return staging.retire(build, staging.target(build), build.specs.embedder(), doc_ids)


@task
def seal(build: Build, expected: int) -> str:
    """Make the candidate searchable, and make sure that it holds what it should."""
    return staging.seal(build, staging.target(build), expected)


@task
def gate(build: Build, snapshot: str) -> tuple[GateResult, float | None]:
    """Measure candidate and live version on the golden set. Returns the decision and the
    candidate's weight of the vectors.
    """
    return measuring.gate(build, snapshot)


@task
def publish(
    build: Build,
    lease: Lease,
    plan: Plan,
    staged: list[Staged],
    outcome: Outcome,
    snapshot: str,
    weight: float | None,
) -> None:
    """Make the candidate live, in one transaction."""
    values = {"snapshot": snapshot, "weight": weight, **outcome.figures()}
    publishing.publish(build, lease, plan, staged, plan.leaving, values)
    LIVE[:] = [f"version {build.version} of {build.kb} is live"]


@task
def tidy(build: Build, lease: Lease, keep: int) -> None:
    """Forget versions beyond those that are kept."""
    versions.tidy(build, lease, keep)


def corpus_pass(build: Build, plan: Plan) -> tuple[Plan, list[Any]]:
    """What collecting will give, part by part. A cleaner that compares documents waits for all of
    them, and may call for more.
    """
    batches: list[Batch] = []
    for turn in range(len(build.fingerprints.corpus)):
        parts_so_far: list[Any] = [*batches, *_collected(build, plan, batches)]
        chains: list[list[Any]] = [
            [batch, sketch.submit(build, turn, batch)] for batch in parts_so_far
        ]
        batches = [_results(chain)[-1] for chain in chains]
        plan = judge(build, turn, plan, batches)
    return plan, [*batches, *_collected(build, plan, batches)]


def _collected(build: Build, plan: Plan, done: list[Batch]) -> list[PrefectFuture[Batch]]:
    cuts = cut(build, plan, [batch.part for batch in done])
    return [collect.submit(build, part) for part in cuts]


def chunked(build: Build, collected: Sequence[Any]) -> list[Batch]:
    """Collected parts cleaned, checked, chunked and checked again, each part by itself."""
    chains = []
    for batch in collected:
        cleaned: Any = clean.submit(build, batch)
        checked: Any = check_rows.submit(build, "documents", cleaned)
        chunks: Any = chunk.submit(build, checked)
        last = check_rows.submit(build, "chunks", chunks)
        chains.append([batch, cleaned, checked, chunks, last])
    return [_results(chain)[-1] for chain in chains]


def _results(chain: Sequence[Batch | PrefectFuture[Batch]]) -> list[Batch]:
    """In order: the first task of a chain that failed raises its own error, not that of those that
    waited for it.
    """
    return [link if isinstance(link, Batch) else link.result() for link in chain]


def embedded(build: Build, batches: Sequence[Batch]) -> list[Batch]:
    """Every batch with its vectors in the ledger."""
    return _all([embed.submit(build, batch) for batch in batches])


def compared(build: Build, plan: Plan, batches: Sequence[Batch]) -> tuple[Plan, list[Staged]]:
    """What every batch changes, and the plan as it is then: without what failed on the way."""
    staged = _all([compare.submit(build, batch) for batch in batches])
    return access.withdraw(build, corpus.kept(build, plan, staged), batches), staged


def _all(futures: Sequence[PrefectFuture[T]]) -> list[T]:
    return [future.result() for future in futures]


def tidied(build: Build, lease: Lease, keep: int) -> str | None:
    """Tidy after publishing. Returns why it failed: the new version is live all the same."""
    try:
        tidy(build, lease, keep)
    except LlmopsError as error:
        return str(error)
    return None


def show_plan(build: Build, plan: Plan, totals: Totals) -> None:
    """The plan as an artifact."""
    artifacts.plan(build.kb, plan.counts(totals.documents), plan.preview())


def named(outcome: Outcome) -> Outcome:
    """A run that made no version says so in its name."""
    if outcome.status == "unchanged":
        name_run(f"{outcome.name} unchanged (v{outcome.version})")
    elif outcome.candidate is None and outcome.status != "published":
        name_run(f"{outcome.name} {outcome.status}")
    return outcome


def recorded(handle: Handle, config: dict[str, Any]) -> Callable[[Outcome], Outcome]:
    """The step that records a build in MLflow, where there is something to record."""

    def step(outcome: Outcome) -> Outcome:
        page = _data_docs(outcome)
        blocked = outcome.status == "blocked" and page and not place_of(handle.home).own
        if outcome.candidate is None and outcome.status != "failed" and not blocked:
            return outcome
        record = BuildRecord(
            knowledge_base=outcome.knowledge_base,
            outcome=outcome.public(),
            worst=tuple(outcome.worst),
            decision=outcome.gate,
            documents=_document_set(handle, outcome),
            data_docs=page,
            prefect_run_id=outcome.prefect_run_id,
            prefect_url=prefect_url(),
            **config,
        )
        mlflow_run_id = record_build(handle.home, record)
        if outcome.status == "published":
            record_quality(handle.home, _quality(outcome))
        run_page = run_url(handle.home, mlflow_run_id)
        readable = shared(handle.home, run_page, {"data docs": DATA_DOCS} if page else {})
        if outcome.candidate is not None:
            versions.close_version(handle, outcome.candidate, mlflow_run_id=mlflow_run_id)
        links = outcome.links | {"mlflow": run_page} | readable
        hint = outcome.hint
        if hint and page and readable:
            hint = hint.replace(page.as_uri(), readable["data docs"])
        update = {"mlflow_run_id": mlflow_run_id, "links": links, "hint": hint}
        return outcome.model_copy(update=update)

    return step


def _quality(outcome: Outcome) -> QualityRecord:
    """The point of the version that went live."""
    gate = outcome.gate
    return QualityRecord(
        knowledge_base=outcome.knowledge_base,
        version=outcome.version or 0,
        measured=gate.get("measured") or {},
        questions=gate.get("questions") or 0,
        golden_sha256=gate.get("golden_sha256") or "",
        gated=bool(gate.get("golden_sha256")),
        numbers={
            "documents": {
                name: outcome.documents.get(name, 0) for name in ("total", "quarantined")
            },
            "chunks": {"total": outcome.chunks["total"]},
            "cost_usd": outcome.cost_usd,
            "seconds": outcome.seconds,
        },
    )


def _data_docs(outcome: Outcome) -> Path | None:
    """The file that the outcome links to."""
    uri = outcome.links.get("data docs")
    return Path(url2pathname(uri.removeprefix("file://"))) if uri else None


def _document_set(handle: Handle, outcome: Outcome) -> DocumentSet | None:
    """The documents of the version that is live now, as MLflow records a dataset."""
    if outcome.status != "published":
        return None
    rows = rows_at(handle, outcome.version or 0).values()
    digest = sha256("\n".join(sorted(f"{row.uri}\x1f{row.content_hash}" for row in rows)))
    return DocumentSet(
        digest=digest,
        sources=tuple(sorted({row.source for row in rows})),
        profile={"documents": len(rows), "characters": sum(row.characters for row in rows)},
    )


def shown(outcome: Outcome) -> Outcome:
    """The outcome as artifacts."""
    artifacts.outcome(outcome.public())
    return outcome
