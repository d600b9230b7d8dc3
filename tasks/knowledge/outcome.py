"""What a build came to: the object that `llmops index --json` prints, computed from what its steps
returned.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import Blocked, BudgetExceeded, NearDuplicate, UnsupportedDocument
from llmops.tasks.knowledge import access
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.plan import Plan, failures_now, within_budget
from llmops.tasks.knowledge.quarantine import Failure, next_try
from llmops.tasks.knowledge.rankings import unfit
from llmops.tasks.retrieval.gate import GateResult

Status = Literal["planned", "published", "unchanged", "blocked", "failed"]
EXIT_CODES: dict[Status, int] = {
    "planned": 0,
    "published": 0,
    "unchanged": 0,
    "blocked": 3,
    "failed": 4,
}
FAILED: dict[Status, str] = {"blocked": "Blocked", "failed": "FailureBudgetExceeded"}
FIRST_QUARANTINED = 5
NO_GOLDEN_SET = "no golden set is configured"
NOT_REACHED = "the run did not get as far as the gate"
NOT_ASKED = (
    "nothing changed, and the live version went live by this gate; `llmops kb measure` measures it"
)


class Totals(NamedTuple):
    """Numbers of documents and chunks of a version."""

    documents: int = 0
    chunks: int = 0


EMPTY = Totals()


class Expectations(NamedTuple):
    """What the expectations came to: warnings, and the page of results ("": nothing was judged)."""

    warnings: list[str]
    page: str


@dataclass
class Steps:
    """What the steps of a build have returned. None, or False: it has not got there.

    `live`: the version before; `gated`: a golden set is configured; `plan`: as it was made from the
    listings, `final`: as it is after the corpus pass and the access rules; `gone`: how many chunks
    of documents that leave were live; `opened`: the candidate has its number; `weight`: of the
    vectors, fitted on the golden set; `tidying`: why cleaning up after publishing failed.
    """

    knowledge_base: str
    run_id: str | None = None
    live: int | None = None
    gated: bool = False
    build: Build | None = None
    totals: Totals = EMPTY
    plan: Plan | None = None
    guarded: bool = False
    unanswerable: list[str] | None = None
    expectations: Expectations | None = None
    failures: list[Failure] | None = None
    embedded: list[Batch] | None = None
    staged: list[Staged] | None = None
    final: Plan | None = None
    settled: bool = False
    opened: bool = False
    gone: int | None = None
    gate: GateResult | None = None
    weight: float | None = None
    published: bool = False
    tidying: str | None = None
    stopped: Blocked | BudgetExceeded | None = None
    began: float = field(default_factory=time.perf_counter, compare=False)

    @property
    def seconds(self) -> float:
        return round(time.perf_counter() - self.began, 2)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Where a guard, the gate or the budget stops the build, that is its outcome."""
        try:
            yield
        except (Blocked, BudgetExceeded) as stop:
            self.stopped = stop

    def check_failures(self, build: Build, plan: Plan, budget: float) -> None:
        """Count what has failed so far. Raises BudgetExceeded where that is too large a share."""
        self.failures = failures_now(build, plan)
        within_budget(build.kb, plan, self.failures, budget)


class QuarantinedNow(BaseModel):
    """A document that could not be processed: at which stage, and why. `next_try`: when it is
    tried again, in words; nothing where the reason is a finding about the document.
    """

    model_config = ConfigDict(frozen=True)
    uri: str
    stage: str
    reason: str
    next_try: str = ""


class Outcome(BaseModel):
    """`version`: what is live after the run; `previous_version`: what was live before; `candidate`:
    what was built.

    `reason` and `hint` are set when the status is blocked or failed; `links` lead to the run in the
    UIs; `quarantine`: the first that could not be processed in this run.
    """

    model_config = ConfigDict(frozen=True)
    flow: Literal["index"] = "index"
    knowledge_base: str
    status: Status = "unchanged"
    reason: str | None = None
    hint: str | None = None
    version: int | None = None
    previous_version: int | None = None
    candidate: int | None = None
    documents: dict[str, int] = Field(default_factory=dict)
    chunks: dict[str, int] = Field(
        default_factory=lambda: {"added": 0, "retired": 0, "kept": 0, "total": 0}
    )
    embeddings: dict[str, int] = Field(default_factory=lambda: {"computed": 0, "reused": 0})
    tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    gate: dict[str, Any] = Field(default_factory=dict)
    worst: list[dict[str, Any]] = Field(default_factory=list)
    quarantine: list[QuarantinedNow] = Field(default_factory=list)
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def name(self) -> str:
        return self.knowledge_base

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]

    @property
    def headline(self) -> str:
        """The run in one line."""
        if self.reason is not None:
            return self.reason
        total, quarantined = (self.documents.get(key, 0) for key in ("total", "quarantined"))
        line = f"{self.status}: version {self.version}, {total} documents"
        return f"{line}, {quarantined} in quarantine" if quarantined else line

    @property
    def failed(self) -> str | None:
        """The name of the run's state where it counts as failed."""
        return FAILED.get(self.status)

    @property
    def completed(self) -> str:
        return "CompletedWithQuarantine" if self.documents.get("quarantined") else "Completed"

    def warned(self, *warnings: str) -> "Outcome":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "Outcome":
        return self.model_copy(update={"links": links})

    def public(self) -> dict[str, Any]:
        """The JSON object."""
        return self.model_dump(mode="json")

    def figures(self) -> dict[str, Any]:
        """What the versions row keeps."""
        return {
            "added": self.chunks["added"],
            "retired": self.chunks["retired"],
            "gate": self.gate,
            "prefect_run_id": self.prefect_run_id,
        }


def outcome_of(steps: Steps, seconds: float = 0.0) -> Outcome:
    """The outcome of a build that has come so far, or has ended; nothing is looked up."""
    gate = _gate(steps).to_json()
    worst = gate.pop("worst", [])
    candidate = steps.build.version if steps.build and steps.opened else None
    embedded = steps.embedded or []
    page = steps.expectations.page if steps.expectations else ""
    return Outcome(
        knowledge_base=steps.knowledge_base,
        status=_status(steps),
        reason=steps.stopped.message if steps.stopped else None,
        hint=steps.stopped.hint if steps.stopped else None,
        version=candidate if steps.published else steps.live,
        previous_version=steps.live,
        candidate=candidate,
        documents=_documents(steps),
        chunks=_chunks(steps),
        embeddings=_embeddings(steps),
        tokens=sum(batch.tokens for batch in embedded),
        cost_usd=sum(batch.cost_usd for batch in embedded),
        seconds=seconds,
        gate=gate,
        worst=worst,
        quarantine=_quarantined(steps),
        prefect_run_id=steps.run_id,
        links={"data docs": page} if page else {},
        warnings=_warnings(steps),
    )


def _status(steps: Steps) -> Status:
    if steps.stopped:
        return "failed" if isinstance(steps.stopped, BudgetExceeded) else "blocked"
    return "published" if steps.published else "unchanged"


def _gate(steps: Steps) -> GateResult:
    if steps.gate:
        return steps.gate
    gated = steps.gated and steps.guarded
    reason = NO_GOLDEN_SET if not gated else NOT_ASKED if steps.settled else NOT_REACHED
    return GateResult(verdict="skipped", reason=reason)


def _documents(steps: Steps) -> dict[str, int]:
    if steps.plan is None:
        return {}
    counts = steps.plan.counts(steps.totals.documents)
    if steps.failures is not None:
        counts["quarantined"] = len(steps.plan.held) + len(steps.failures)
    if steps.final and steps.build and steps.build.fingerprints.corpus:
        counts["duplicates"] = len(steps.final.duplicates)
    return counts if steps.gone is None else counts | _replaced(steps.final, steps.staged)


def _quarantined(steps: Steps) -> list[QuarantinedNow]:
    """Failures before files that nobody reads, which are many and expected."""
    failures = steps.failures if steps.failures is not None else []
    problems = [] if steps.failures is not None or steps.plan is None else steps.plan.problems
    ordered = sorted(
        (each for each in [*failures, *problems] if each.error != NearDuplicate.__name__),
        key=lambda each: (each.error == UnsupportedDocument.__name__, each.uri),
    )
    return [
        QuarantinedNow(
            uri=each.uri,
            stage=each.stage,
            reason=each.reason,
            next_try=next_try(retryable=each.retryable, unforeseen=each.unforeseen)
            if each.retryable or each.unforeseen
            else "",
        )
        for each in ordered[:FIRST_QUARANTINED]
    ]


def _replaced(plan: Plan | None, staged: list[Staged] | None) -> dict[str, int]:
    """What was really found, in the place of the plan's estimates."""
    if plan is None or staged is None:
        return {}
    new, edited = (sum(len(getattr(part, name)) for part in staged) for name in ("new", "edited"))
    processed = sum(len(part.new) + len(part.changed) + len(part.same) for part in staged)
    renamed = plan.count("renamed")
    retired = len(plan.vanished) + len(plan.replaced) + len(plan.withdrawn)
    return {
        "new": new - renamed,
        "changed": edited,
        "unchanged": plan.unchanged + processed - new - edited,
        "retired": retired,
        "total": plan.live + new - renamed - retired,
    }


def _chunks(steps: Steps) -> dict[str, int]:
    before = steps.totals.chunks
    if steps.gone is None or steps.staged is None:
        return {"added": 0, "retired": 0, "kept": before, "total": before}
    added = sum(part.added for part in steps.staged)
    retired = sum(part.retired for part in steps.staged) + steps.gone
    return {
        "added": added,
        "retired": retired,
        "kept": before - retired,
        "total": before - retired + added,
    }


def _embeddings(steps: Steps) -> dict[str, int]:
    of_chunks = sum(batch.computed for batch in steps.embedded or [])
    of_sentences = sum(batch.weighed for batch in steps.embedded or [])
    reused = 0 if steps.gone is None else max(0, _chunks(steps)["added"] - of_chunks)
    return {"computed": of_sentences + of_chunks, "reused": reused}


def _left_behind(gate: GateResult) -> list[str]:
    if not gate.left_out:
        return []
    some = ", ".join(gate.left_out[:3]) + (", …" if len(gate.left_out) > 3 else "")
    return [
        f"the gate leaves out {len(gate.left_out)} of its questions ({some}): the sentences that "
        "they rest on have left the documents; the feedback flow asks people again"
    ]


def _stays(gate: GateResult) -> list[str]:
    """Of a live version that a new gate would not have let in."""
    if gate.opens:
        return []
    return [f"the gate, asked of what is live, says {gate.verdict}: {gate.reason}; it stays live"]


def _left_out(batches: Sequence[Batch]) -> list[str]:
    pages = {uri: count for batch in batches for uri, count in batch.left_out.items()}
    if not pages:
        return []
    first = min(pages)
    return [
        f"{sum(pages.values())} pages of {len(pages)} documents were not read, because text "
        "recognition was not sure enough of them or `parse.ocr.most_pages` allows no more: such as "
        f"{pages[first]} of {first!r} (metadata `ocr_pages_left_out`)"
    ]


def _warnings(steps: Steps) -> list[str]:
    notes = steps.plan.notes if steps.plan else []
    final = steps.final
    return [
        *notes,
        *(steps.unanswerable or []),
        *(steps.expectations.warnings if steps.expectations else []),
        *(_left_out(steps.embedded) if steps.embedded else []),
        *(_left_behind(steps.gate) if steps.gate else []),
        *(_stays(steps.gate) if steps.gate and steps.settled else []),
        *(final.notes[len(notes) :] if final else []),
        *(access.withdrawal(final) if final else []),
        *([steps.tidying] if steps.tidying else []),
        *(unfit(steps.build.handle) if steps.published and steps.build else []),
    ]
