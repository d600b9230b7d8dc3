"""The tasks of the index flow, in its order, and the two steps that send parts of the work through
several of them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar, cast

from prefect import Task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed

from llmops.tasks import artifacts, progress
from llmops.tasks.errors import LIVE, LlmopsError
from llmops.tasks.finish import tell, telling
from llmops.tasks.knowledge import (
    access,
    changes,
    checking,
    corpus,
    lines,
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
from llmops.tasks.knowledge.outcome import Expectations, Outcome, Totals
from llmops.tasks.knowledge.parser_pool import ParserPool
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.parsers import Comments, Ocr, ParseOptions
from llmops.tasks.references import task
from llmops.tasks.retrieval.gate import GateResult, skipped

PROCESSES = 2
PARTS_PER_CHECK = 8
MET = {"documents": "met the expectations", "chunks": "met the expectations of chunks"}
T = TypeVar("T")


class Gated(NamedTuple):
    """What the gate says, and the candidate's weight of the vectors."""

    result: GateResult
    weight: float | None

    def __repr__(self) -> str:
        return f"the gate's verdict {self.result.verdict}"  # in Prefect's log, which shows all


@task(task_run_name="recover")
def recover(build: Build, lease: Lease) -> None:
    """Undo what an earlier build staged and did not publish."""
    versions.clear_up(build, lease)


@task(task_run_name="plan")
def plan(build: Build) -> Plan:
    """List every source and compare it with the ledger."""
    return telling(planner.plan_build(build), lines.planned)


@task(name="check golden set", task_run_name="check golden set")
def check_golden(build: Build, plan: Plan) -> list[str]:
    """Find questions whose documents the candidate will not have. Returns warnings."""
    return telling(measuring.unanswerable(build, plan), lines.unanswerable)


@task(task_run_name="cut")
def cut(build: Build, plan: Plan, done: Sequence[Part] = ()) -> list[Part]:
    """Cut the work into parts that one task run each can do; `done`: those that were cut before."""
    return telling(planner.parts(build, plan, done), lines.cut)


@task(task_run_name="collect {part.number} of {part.of}: {part.source}")
def collect(build: Build, part: Part) -> Batch:
    """Read and parse one part of a source."""
    source = planner.source_of(build, build.specs.source(part.source))
    batch = collecting.collect(build, source, pool(**dict(build.specs.parse)), part)
    return telling(batch, lines.collected)


@cache
def pool(
    *, seconds: float, memory_mb: int, max_chars: int, ocr: Ocr, comments: Comments
) -> ParserPool:
    """One pool of parsers for all tasks of a process; its workers end with the process."""
    return ParserPool(
        workers=PROCESSES,
        seconds=seconds,
        memory_mb=memory_mb,
        max_chars=max_chars,
        options=ParseOptions(ocr=ocr, comments=comments),
    )


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
    cleaned = transform.clean(build, build.specs.cleaners(), batch)
    return telling(cleaned, lambda done: lines.kept("cleaned", [batch], [done]))


@task(task_run_name="validate {kind} from {batches[0].part.number} of {batches[0].part.of}")
def check_rows(
    build: Build, kind: Literal["documents", "chunks"], batches: list[Batch]
) -> list[Batch]:
    """Put the rows that fail into quarantine."""
    checked = checking.check_rows(build, checking.suite_of(build), kind, batches)
    return telling(checked, lambda done: lines.kept(MET[kind], batches, done))


@task(task_run_name="chunk {batch.part.number} of {batch.part.of}")
def chunk(build: Build, batch: Batch) -> Batch:
    """Split one batch of documents."""
    chunked = transform.chunk(build, build.specs.chunker(), build.specs.embedder(), batch)
    return telling(chunked, lines.chunked)


@task(name="validate the whole", task_run_name="validate the whole")
def check_whole(build: Build, plan: Plan, batches: list[Batch]) -> tuple[list[Batch], Expectations]:
    """Judge the candidate as one table. Returns what is left, and what there is to say."""
    checked = checking.check_whole(build, checking.suite_of(build), plan, batches)
    return telling(checked, lines.checked)


@task(task_run_name="embed {batch.part.number} of {batch.part.of}")
def embed(build: Build, batch: Batch) -> Batch:
    """Embed what the ledger does not know yet."""
    return telling(embedding.embed(build, build.specs.embedder(), batch), lines.embedded)


@task(task_run_name="compare {batch.part.number} of {batch.part.of}")
def compare(build: Build, batch: Batch) -> Staged:
    """Find what one batch changes."""
    return telling(changes.find_changes(build, batch), lines.compared)


@task(task_run_name="settle")
def settle(build: Build, lease: Lease, plan: Plan, staged: list[Staged]) -> None:
    """Remember what a run that changes nothing has seen."""
    publishing.settle(build, lease, plan, staged)


@task(task_run_name="open version")
def open_version(build: Build, lease: Lease, recorded: dict[str, Any]) -> None:
    """Take the version's number, and open the collection to stage into."""
    numbers = {"version": build.version, "parent": build.live, "collection": build.collection}
    versions.open_version(build.handle, lease, {**numbers, **recorded})
    staging.prepare(build)


@task(task_run_name="stage {staged.batch.part.number} of {staged.batch.part.of}")
def stage(build: Build, staged: Staged) -> None:
    """Write one batch's changes into the collection."""
    changes.write_changes(build, staging.target(build), build.specs.embedder(), staged)
    tell(lines.staged(staged))


@task(task_run_name="retire")
def retire(build: Build, doc_ids: list[str]) -> int:
    """Take the chunks of documents that are gone out of the collection."""
    gone = staging.retire(build, staging.target(build), build.specs.embedder(), doc_ids)
    return telling(gone, lambda chunks: lines.retired(len(doc_ids), chunks))


@task(task_run_name="seal")
def seal(build: Build, expected: int) -> str:
    """Make the candidate searchable, and make sure that it holds what it should."""
    snapshot = staging.seal(build, staging.target(build), expected)
    return telling(snapshot, lambda _: f"version {build.version} holds {expected:,} chunks")


@task(task_run_name="gate")
def gate(build: Build, snapshot: str) -> State[Gated]:
    """Measure candidate and live version on the golden set: the decision and the candidate's weight
    of the vectors, in a state that shows whether the gate has opened.
    """
    measured = Gated(*measuring.gate(build, snapshot))
    tell(lines.gated(measured.result))
    return _shut(measured) if not measured.result.opens else Completed(name="Passed", data=measured)


def _shut(measured: Gated) -> State[Gated]:
    """Red in the UI. What was found travels in it all the same: the flow says how it ends."""
    result = measured.result
    return Failed(name=result.verdict.capitalize(), message=result.reason, data=measured)


def gated(build: Build, snapshot: str) -> Gated:
    """The gate's decision and the weight, whether it has opened or not. Raises what it raised."""
    found: object = gate(build, snapshot, return_state=True).result(raise_on_failure=False)
    if isinstance(found, BaseException):
        raise found
    return cast(Gated, found)


@task(task_run_name="gate")
def gate_of_live(build: Build) -> GateResult | None:
    """Ask a gate that is new, or asks something new, of the live version, which stays whatever it
    says: nothing changes.
    """
    try:
        found = measuring.gate_of_live(build)
    except LlmopsError as error:
        return telling(skipped(f"the live version could not be measured: {error}"), lines.gated)
    return telling(found, lambda said: lines.gated(said) if said else "the live version passed it")


@task(task_run_name="publish")
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
    LIVE[build.kb] = telling(f"version {build.version} of {build.kb} is live", str)


@task(task_run_name="tidy")
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
    for stage in ("read", "clean", "chunk"):
        progress.expect(stage, sum(part.rows for part in cuts))
    progress.expect("embed", 0, "chunks")  # how many comes to be known by and by
    return [_of_source(part.source).submit(build, part) for part in cuts]


@cache
def _of_source(source: str) -> Task[[Build, Part], Batch]:
    return collect.with_options(tags=[f"source:{source}"])


def chunked(build: Build, collected: Sequence[Any]) -> list[Batch]:
    """Collected parts cleaned, checked, chunked and checked again: each part by itself, but for the
    checks, which take some at once.
    """
    started = []
    for start in range(0, len(collected), PARTS_PER_CHECK):
        group = collected[start : start + PARTS_PER_CHECK]
        cleaned: list[Any] = [clean.submit(build, batch) for batch in group]
        started.append(([*group, *cleaned], check_rows.submit(build, "documents", cleaned)))
    ended = []
    for before, documents in started:
        chunks: list[Any] = [chunk.submit(build, batch) for batch in _after(before, documents)]
        ended.append((chunks, check_rows.submit(build, "chunks", chunks)))
    return [batch for before, checked in ended for batch in _after(before, checked)]


def _after(before: Sequence[Any], last: PrefectFuture[T]) -> T:
    """The result of the last one, once there are those of all before it."""
    _results(before)
    return last.result()


def _results(chain: Sequence[Batch | PrefectFuture[Batch]]) -> list[Batch]:
    """In order: the first task of a chain that failed raises its own error, not that of those that
    waited for it.
    """
    return [link if isinstance(link, Batch) else link.result() for link in chain]


def embedded(build: Build, batches: Sequence[Batch]) -> list[Batch]:
    """Every batch with its vectors in the ledger."""
    progress.finished("read", "clean", "chunk")
    chunks = sum(batch.chunks.rows for batch in batches if batch.chunks)
    progress.expect("embed", chunks, "chunks")
    return _all([embed.submit(build, batch) for batch in batches])


def compared(build: Build, plan: Plan, batches: Sequence[Batch]) -> tuple[Plan, list[Staged]]:
    """What every batch changes, and the plan as it is then: without what failed on the way."""
    progress.finished("embed")
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


def tags(sources: Sequence[Spec], kb: str) -> list[str]:
    """By which runs of one knowledge base, or of one source, are found in the UI."""
    return ["flow:index", f"kb:{kb}", *(f"source:{source.id}" for source in sources)]


def show_plan(build: Build, plan: Plan, totals: Totals) -> None:
    """The plan as an artifact."""
    artifacts.plan(build.kb, plan.counts(totals.documents), plan.preview())
