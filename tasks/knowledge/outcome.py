"""What a build came to: the object that `llmops index --json` prints."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from llmops.tasks.errors import LIVE, BudgetExceeded, LlmopsError, UnsupportedDocument
from llmops.tasks.knowledge.build import Batch
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.quarantine import Failure
from llmops.tasks.retrieval.gate import GateResult

Status = Literal["planned", "published", "unchanged", "blocked", "failed"]
EXIT_CODES: dict[str, int] = {
    "planned": 0,
    "published": 0,
    "unchanged": 0,
    "blocked": 3,
    "failed": 4,
}
SKIPPED: dict[str, Any] = {
    "verdict": "skipped",
    "reason": "no golden set is configured",
    "metrics": {},
}


class Outcome(BaseModel):
    """`version`: what is live after the run; `previous_version`: what was live before; `candidate`:
    what was built.

    `reason` and `hint` are set when the status is blocked or failed; `links` lead to the run in the
    UIs.
    """

    model_config = ConfigDict(validate_assignment=True)
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
    gate: dict[str, Any] = Field(default_factory=lambda: dict(SKIPPED))
    worst: list[dict[str, Any]] = Field(default_factory=list)
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    _weighed: int = PrivateAttr(0)

    def stop(self, error: LlmopsError) -> None:
        """Take in why the run ended without a new version."""
        self.status = "failed" if isinstance(error, BudgetExceeded) else "blocked"
        self.reason, self.hint = error.message, error.hint

    def pay(self, batches: Sequence[Batch]) -> None:
        """Add up what embedding and asking cost."""
        self._weighed = sum(batch.weighed for batch in batches)
        self.embeddings = {
            "computed": self._weighed + sum(batch.computed for batch in batches),
            "reused": 0,
        }
        self.tokens = sum(batch.tokens for batch in batches)
        self.cost_usd = sum(batch.cost_usd for batch in batches)

    def of_chunks(self, computed: int) -> int:
        """How many of the computed embeddings are those of chunks, not of sentences."""
        return computed - self._weighed

    def validated(self, warnings: Sequence[str], docs: str) -> None:
        """Take in what the expectations found; `docs`: the page with all results, empty where
        nothing was judged.
        """
        self.warnings = [*self.warnings, *warnings]
        self.links = self.links | ({"data docs": docs} if docs else {})

    def unasked(self, gate: bool) -> None:
        """Nothing changed, so there was nothing for the gate to judge."""
        if gate:
            self.gate = self.gate | {
                "reason": "nothing changed, so the gate was not asked; `llmops kb measure` "
                "shows the "
                "live version"
            }

    def warn(self, warnings: Sequence[str]) -> None:
        self.warnings = [*self.warnings, *warnings]

    def judge(self, result: GateResult) -> None:
        """Take in the gate's decision."""
        gate = result.to_json()
        self.worst = gate.pop("worst", [])
        self.gate = gate

    def publish(self) -> None:
        """The candidate is live now."""
        self.status, self.version = "published", self.candidate
        LIVE[:] = [f"version {self.version} of {self.knowledge_base} is live"]

    def figures(self) -> dict[str, Any]:
        """What the versions row keeps."""
        return {
            "added": self.chunks["added"],
            "retired": self.chunks["retired"],
            "gate": self.gate,
            "prefect_run_id": self.prefect_run_id,
        }

    def public(self) -> dict[str, Any]:
        """The JSON object."""
        return self.model_dump(mode="json")

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]


def planned(outcome: Outcome, plan: Plan, totals: dict[str, int]) -> None:
    """Fill in what the plan knows. `totals`: documents and chunks of the live version."""
    reprocess = plan.count("reprocess")
    outcome.documents = {
        "listed": sum(plan.listed.values()),
        "new": plan.count("new"),
        "changed": plan.count("changed"),
        "renamed": plan.count("renamed"),
        "unchanged": plan.unchanged + reprocess,
        "vanished": len(plan.vanished),
        "retired": 0,
        "quarantined": len(plan.held) + len(plan.problems),
        "total": totals["documents"],
    }
    outcome.chunks = {"added": 0, "retired": 0, "kept": totals["chunks"], "total": totals["chunks"]}
    outcome.warnings = [*outcome.warnings, *plan.notes]


def surveyed(outcome: Outcome, before: Plan, plan: Plan) -> None:
    """Take in what comparing the documents came to; `before`: the plan until then."""
    outcome.documents = outcome.documents | {"duplicates": len(plan.duplicates)}
    outcome.warn(plan.notes[len(before.notes) :])


def staged_counts(
    outcome: Outcome,
    plan: Plan,
    parts: list[Staged],
    retired_documents: int,
    retired_chunks: int,
    live_chunks: int,
) -> None:
    """Replace estimates by what was really found and staged."""
    new, edited = (sum(len(getattr(part, name)) for part in parts) for name in ("new", "edited"))
    processed = sum(len(part.new) + len(part.changed) + len(part.same) for part in parts)
    added = sum(part.added for part in parts)
    retired = sum(part.retired for part in parts) + retired_chunks
    renamed = plan.count("renamed")
    documents = outcome.documents | {
        "new": new - renamed,
        "changed": edited,
        "unchanged": plan.unchanged + processed - new - edited,
        "retired": retired_documents,
    }
    outcome.documents = documents | {"total": plan.live + new - renamed - retired_documents}
    outcome.chunks = {
        "added": added,
        "retired": retired,
        "kept": live_chunks - retired,
        "total": live_chunks - retired + added,
    }
    computed = outcome.embeddings["computed"]
    outcome.embeddings = {
        "computed": computed,
        "reused": max(0, added - outcome.of_chunks(computed)),
    }


def within_budget(outcome: Outcome, plan: Plan, found: list[Failure], budget: float) -> None:
    """Raise BudgetExceeded when too large a share of the listed documents failed; files that nobody
    reads do not count.
    """
    outcome.documents = outcome.documents | {"quarantined": len(plan.held) + len(found)}
    examples = [failure for failure in found if failure.error != UnsupportedDocument.__name__]
    listed, failures = outcome.documents["listed"], len(plan.held) - plan.tolerated + len(examples)
    if listed and failures / listed > budget:
        some = "; ".join(f"{failure.uri}: {failure.reason}" for failure in examples[:3])
        raise BudgetExceeded(
            f"{failures} of {listed} documents could not be processed "
            f"({failures / listed:.1%}), more than "
            f"limits.failure_budget allows ({budget:.1%}): {some}",
            hint=f"see `llmops quarantine list --kb {outcome.knowledge_base}`; mend them, "
            f"exclude them, or raise the budget",
        )
