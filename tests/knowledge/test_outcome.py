"""The outcome of a build, computed from what its steps returned: no build is run."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import Blocked, BudgetExceeded
from llmops.tasks.knowledge.build import Batch, Build, Fingerprints, Part, Specs, Todo
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import Expectations, Outcome, Steps, Totals, outcome_of
from llmops.tasks.knowledge.plan import Duplicate, Plan, within_budget
from llmops.tasks.knowledge.quarantine import Failure
from llmops.tasks.plugins import Spec
from llmops.tasks.retrieval.gate import GateResult
from llmops.tasks.schemas import Shard

SHARD = Shard(path="s", rows=0, sha256="0")
PART = Part(number=1, of=1, source="files", path="part-1.json", rows=4)
NAME = "hand"


def build(*, corpus: tuple[str, ...] = (), fresh: bool = False) -> Build:
    return Build(
        handle=Handle(home=Path("home"), name=NAME),
        version=3,
        live=2,
        collection="c",
        fresh=fresh,
        specs=Specs(
            chunk=Spec(name="sentence"), embed=Spec(name="hash"), store=Spec(name="lancedb")
        ),
        fingerprints=Fingerprints(
            parse="p", clean=("c",), check="", chunk=("k",), model="m", corpus=corpus
        ),
        began=datetime(2026, 1, 1, tzinfo=UTC),
    )


def todo(name: str, kind: Any) -> Todo:
    return Todo(doc_id=name, source="files", uri=f"{name}.md", kind=kind)


def batch(**values: Any) -> Batch:
    return Batch(part=PART, documents=SHARD, **values)


PLAN = Plan(
    todo=[todo("a", "new"), todo("b", "changed"), todo("r", "renamed"), todo("s", "reprocess")],
    vanished={"v": "v.md"},
    renamed={"r0": "old.md"},
    held=["h.md"],
    problems=[Failure(source="files", uri="x.md", stage="collect", error="E", reason="why")],
    listed={"files": 9},
    notes=["a note"],
    live=8,
    unchanged=4,
)
STAGED = Staged(
    batch=batch(),
    changes=SHARD,
    new=("a", "r"),
    changed=("b", "s"),
    edited=("b",),
    same=(),
    added=7,
    retired=2,
    replaced=1,
)
PAID = [
    batch(computed=3, weighed=2, tokens=50, cost_usd=0.5),
    batch(computed=1, tokens=5, cost_usd=0.25),
]
BEGUN = Steps(NAME, "run-1", 2)
PLANNED = replace(BEGUN, build=build(), totals=Totals(8, 40), plan=PLAN)
GUARDED = replace(PLANNED, guarded=True)
CHECKED = replace(
    GUARDED, expectations=Expectations(["odd rows"], "file:///docs/1.html"), failures=[]
)
COMPARED = replace(CHECKED, embedded=PAID, staged=[STAGED], final=PLAN)
STAGED_ALL = replace(COMPARED, opened=True, gone=4)
PUBLISHED = replace(STAGED_ALL, published=True)

ESTIMATED = {
    "listed": 9,
    "new": 1,
    "changed": 1,
    "renamed": 1,
    "unchanged": 5,
    "vanished": 1,
    "retired": 0,
    "quarantined": 2,
    "total": 8,
}
REALLY = {**ESTIMATED, "quarantined": 1, "retired": 1, "unchanged": 5, "total": 8}
NOTHING_PAID = {"computed": 0, "reused": 0}


@pytest.mark.parametrize(
    ("steps", "documents", "chunks", "embeddings"),
    [
        (BEGUN, {}, (0, 0, 0, 0), NOTHING_PAID),
        (PLANNED, ESTIMATED, (0, 0, 40, 40), NOTHING_PAID),
        (CHECKED, {**ESTIMATED, "quarantined": 1}, (0, 0, 40, 40), NOTHING_PAID),
        (COMPARED, {**ESTIMATED, "quarantined": 1}, (0, 0, 40, 40), {"computed": 6, "reused": 0}),
        (STAGED_ALL, REALLY, (7, 6, 34, 41), {"computed": 6, "reused": 3}),
        (PUBLISHED, REALLY, (7, 6, 34, 41), {"computed": 6, "reused": 3}),
    ],
)
def test_the_numbers_are_those_of_the_last_step(
    steps: Steps, documents: dict[str, int], chunks: tuple[int, ...], embeddings: dict[str, int]
) -> None:
    outcome = outcome_of(steps)
    assert list(outcome.documents.items()) == list(documents.items())
    assert tuple(outcome.chunks.values()) == chunks
    assert list(outcome.chunks) == ["added", "retired", "kept", "total"]
    assert outcome.embeddings == embeddings


@pytest.mark.parametrize(
    ("steps", "status", "version", "candidate", "code", "state"),
    [
        (BEGUN, "unchanged", 2, None, 0, "Completed"),
        (replace(BEGUN, stopped=Blocked("busy")), "blocked", 2, None, 3, "Blocked"),
        (replace(PLANNED, stopped=Blocked("empty")), "blocked", 2, None, 3, "Blocked"),
        (
            replace(CHECKED, stopped=BudgetExceeded("many")),
            "failed",
            2,
            None,
            4,
            "FailureBudgetExceeded",
        ),
        (replace(COMPARED, settled=True), "unchanged", 2, None, 0, "CompletedWithQuarantine"),
        (replace(STAGED_ALL, stopped=Blocked("worse")), "blocked", 2, 3, 3, "Blocked"),
        (PUBLISHED, "published", 3, 3, 0, "CompletedWithQuarantine"),
    ],
)
def test_status_version_exit_code_and_state(
    steps: Steps, status: str, version: int, candidate: int | None, code: int, state: str
) -> None:
    outcome = outcome_of(steps, 1.5)
    assert (outcome.status, outcome.version, outcome.candidate) == (status, version, candidate)
    assert (outcome.exit_code, outcome.failed or outcome.completed) == (code, state)
    assert (outcome.previous_version, outcome.seconds) == (2, 1.5)
    assert outcome.reason == (steps.stopped.message if steps.stopped else None)


def test_a_new_gate_that_what_is_live_does_not_pass_is_a_warning() -> None:
    said = GateResult(verdict="rejected", reason="recall@5 is 0.1", golden_sha256="abc")
    outcome = outcome_of(replace(COMPARED, gated=True, settled=True, gate=said))
    assert (outcome.status, outcome.exit_code) == ("unchanged", 0)
    assert (
        "the gate, asked of what is live, says rejected: recall@5 is 0.1; it stays live"
        in outcome.warnings
    )


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (PUBLISHED, "no golden set is configured"),
        (replace(PLANNED, gated=True), "no golden set is configured"),
        (replace(CHECKED, gated=True), "the run did not get as far as the gate"),
        (replace(STAGED_ALL, gated=True), "the run did not get as far as the gate"),
        (
            replace(COMPARED, gated=True, settled=True),
            "nothing changed, and the live version went live by this gate; `llmops kb measure` "
            "measures it",
        ),
    ],
)
def test_a_gate_that_was_not_asked_says_why(steps: Steps, reason: str) -> None:
    outcome = outcome_of(steps)
    assert outcome.gate == {"verdict": "skipped", "reason": reason, "metrics": {}, "measured": {}}
    assert outcome.worst == []


def test_the_gates_decision_and_its_worst_questions_stand_apart() -> None:
    worst = {"id": "q1", "question": "who?", "expected": ["a.md"], "got": ["b.md"]}
    result = GateResult.model_validate(
        {"verdict": "rejected", "reason": "below the floor", "worst": [worst]}
    )
    outcome = outcome_of(replace(STAGED_ALL, gated=True, gate=result))
    assert outcome.gate == {
        "verdict": "rejected",
        "reason": "below the floor",
        "metrics": {},
        "measured": {},
    }
    assert [{name: question[name] for name in worst} for question in outcome.worst] == [worst]


def test_warnings_come_in_the_order_of_the_steps() -> None:
    final = PLAN.model_copy(
        update={"notes": ["a note", "of the corpus"], "withdrawn": {"w": "w.md"}}
    )
    outcome = outcome_of(
        replace(PUBLISHED, unanswerable=["the golden set"], final=final, tidying="no space")
    )
    assert [warning[:14] for warning in outcome.warnings] == [
        "a note",
        "the golden set",
        "odd rows",
        "of the corpus",
        "1 documents ar",
        "no space",
    ]
    assert outcome.links == {"data docs": "file:///docs/1.html"}


def test_duplicates_are_counted_where_documents_are_compared() -> None:
    duplicate = Duplicate(
        doc_id="a",
        source="files",
        uri="a.md",
        revision="1",
        instead="b",
        better="b.md",
        similarity=0.9,
        cleaner="c",
    )
    final = PLAN.model_copy(update={"duplicates": [duplicate]})
    compares = replace(COMPARED, build=build(corpus=("c",)), final=final)
    assert outcome_of(compares).documents["duplicates"] == 1
    assert "duplicates" not in outcome_of(replace(COMPARED, final=final)).documents


def test_what_follows_is_a_warning_or_a_link_and_the_json_keeps_its_keys() -> None:
    outcome = outcome_of(PUBLISHED).warned("MLflow", "artifact").linked({"prefect": "http://p"})
    assert outcome.warnings[-2:] == ["MLflow", "artifact"]
    assert outcome.links == {"prefect": "http://p"}
    assert list(outcome.public()) == list(Outcome.model_fields)


@pytest.mark.parametrize(
    ("held", "tolerated", "errors", "budget", "stops"),
    [
        (0, 0, ["DocumentError"], 0.1, False),
        (0, 0, ["DocumentError", "DocumentError"], 0.1, True),
        (2, 0, [], 0.1, True),
        (2, 1, [], 0.1, False),
        (0, 0, ["UnsupportedDocument"] * 5, 0.1, False),
        (0, 0, ["DocumentError"], 0.0, True),
    ],
)
def test_the_failure_budget_counts_what_somebody_could_have_read(
    held: int, tolerated: int, errors: list[str], budget: float, stops: bool
) -> None:
    plan = Plan(listed={"files": 10}, held=["h.md"] * held, tolerated=tolerated)
    failures = [
        Failure(source="files", uri=f"{n}.md", stage="parse", error=error, reason="why")
        for n, error in enumerate(errors)
    ]
    if stops:
        with pytest.raises(BudgetExceeded, match="of 10 documents could not be processed"):
            within_budget(NAME, plan, failures, budget)
    else:
        within_budget(NAME, plan, failures, budget)
