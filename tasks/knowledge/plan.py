"""What a build has to do: a source's listing compared with the ledger, before anything is spent."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, select

from llmops.tasks.errors import Blocked, BudgetExceeded, NearDuplicate, UnsupportedDocument
from llmops.tasks.knowledge.build import Build, Todo
from llmops.tasks.knowledge.quarantine import Failure, failed_since
from llmops.tasks.knowledge.sizes import SizeSum
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.tables import documents

COLUMNS = [
    documents.c[name]
    for name in (
        "doc_id",
        "source",
        "uri",
        "content_hash",
        "revision",
        "text_stage",
        "check_stage",
        "chunk_stage",
        "chunks",
        "characters",
        "media_type",
        "language",
    )
]


class Duplicate(BaseModel):
    """A document that the cleaner with that key left out for a better one: `instead` is its doc_id,
    `better` its uri.
    """

    model_config = ConfigDict(frozen=True)
    doc_id: str
    source: str
    uri: str
    revision: str
    instead: str
    better: str
    similarity: float
    cleaner: str

    def failure(self) -> Failure:
        """How the quarantine lists it."""
        return Failure(
            source=self.source,
            uri=self.uri,
            stage="clean",
            error=NearDuplicate.__name__,
            revision=self.revision,
            reason=f"a near duplicate ({self.similarity:.2f}) of {self.better}, which is kept",
        )


class Plan(BaseModel):
    """`todo`: documents to process. `vanished`: live, but no longer listed. `touched`: only their
    revision has changed.

    `held`: in quarantine, unchanged since, and not worth another attempt; `restamped`: those of
    them whose revision alone has changed, `tolerated`: how many are of a kind that nobody reads.
    `cured`: in quarantine, but gone from the source or served as it is listed. `notes`: what keeps
    vanished documents from being retired. `uris`: all that the candidate may have. Where cleaners
    compare documents: `known` ones that they have sketched as they are now, `duplicates` that are
    left out for others, `replaced`: those of them that are live. `withdrawn`: live under access
    labels that they no longer have, while their new form cannot be indexed. `sizes`: by kind of
    file, of live documents that are listed as they are.
    """

    model_config = ConfigDict(frozen=True)
    todo: list[Todo] = Field(default_factory=list)
    touched: dict[str, str] = Field(default_factory=dict)
    vanished: dict[str, str] = Field(default_factory=dict)
    renamed: dict[str, str] = Field(default_factory=dict)
    problems: list[Failure] = Field(default_factory=list)
    held: list[str] = Field(default_factory=list)
    restamped: dict[str, str] = Field(default_factory=dict)
    cured: list[str] = Field(default_factory=list)
    listed: dict[str, int] = Field(default_factory=dict)
    complete: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    uris: list[str] = Field(default_factory=list)
    known: list[Todo] = Field(default_factory=list)
    duplicates: list[Duplicate] = Field(default_factory=list)
    replaced: dict[str, str] = Field(default_factory=dict)
    withdrawn: dict[str, str] = Field(default_factory=dict)
    live: int = 0
    unchanged: int = 0
    tolerated: int = 0
    sizes: dict[str, SizeSum] = Field(default_factory=dict)

    @property
    def leaving(self) -> list[str]:
        """doc_ids of live documents that the candidate does not have."""
        return [*self.vanished, *self.renamed, *self.replaced, *self.withdrawn]

    def count(self, kind: str) -> int:
        return sum(todo.kind == kind for todo in self.todo)

    def counts(self, total: int) -> dict[str, int]:
        """The numbers of documents as far as the plan knows them; `total`: of the live version."""
        reprocess = self.count("reprocess")
        return {
            "listed": sum(self.listed.values()),
            "new": self.count("new"),
            "changed": self.count("changed"),
            "renamed": self.count("renamed"),
            "unchanged": self.unchanged + reprocess,
            "vanished": len(self.vanished),
            "retired": 0,
            "quarantined": len(self.held) + len(self.problems),
            "total": total,
        }

    def preview(self, most: int = 200) -> list[dict[str, str]]:
        """What happens to which document, at most so many rows, for a table."""
        rows = [{"what": todo.kind, "uri": todo.uri, "source": todo.source} for todo in self.todo]
        rows += [{"what": "vanished", "uri": uri, "source": ""} for uri in self.vanished.values()]
        rows += [
            {"what": "quarantined", "uri": problem.uri, "source": problem.source}
            for problem in self.problems
        ]
        return rows[:most]


def live_documents(build: Build) -> dict[str, Row[Any]]:
    """doc_id -> ledger row of every live document."""
    if build.live is None:
        return {}
    with build.ledger.read() as connection:
        query = select(*COLUMNS).where(documents.c.kb == build.kb, live_at(documents, build.live))
        return {row.doc_id: row for row in connection.execute(query)}


def guard(plan: Plan, max_delete_fraction: float, allow_deletes: bool) -> None:
    """Deletion safety. Raises Blocked for an empty listing, and for more deletions than are
    allowed.
    """
    empty = sorted(name for name, count in plan.listed.items() if count == 0)
    if empty and (plan.live or not any(plan.listed.values())):
        raise Blocked(
            f"the source {', '.join(empty)} lists nothing; an empty listing never deletes",
            where=empty[0],
            hint="check its path and its include and exclude patterns; a source that is meant "
            "to go is taken out of the config",
        )
    share = len(plan.vanished) / plan.live if plan.live else 0
    if share > max_delete_fraction and not allow_deletes:
        some = ", ".join(sorted(plan.vanished.values())[:5]) + (
            ", …" if len(plan.vanished) > 5 else ""
        )
        raise Blocked(
            f"{len(plan.vanished)} of {plan.live} documents have vanished ({share:.0%}), "
            f"more than limits.max_delete_fraction "
            f"allows ({max_delete_fraction:.0%}): {some}",
            hint="if that is meant, allow it once with --allow-deletes",
        )


def within_budget(kb: str, plan: Plan, failures: Sequence[Failure], budget: float) -> None:
    """Raise BudgetExceeded when too large a share of the listed documents failed; files that nobody
    reads do not count.
    """
    examples = [failure for failure in failures if failure.error != UnsupportedDocument.__name__]
    listed = sum(plan.listed.values())
    failed = len(plan.held) - plan.tolerated + len(examples)
    if listed and failed / listed > budget:
        some = "; ".join(f"{failure.uri}: {failure.reason}" for failure in examples[:3])
        raise BudgetExceeded(
            f"{failed} of {listed} documents could not be processed "
            f"({failed / listed:.1%}), more than "
            f"limits.failure_budget allows ({budget:.1%}): {some}",
            hint=f"see `llmops quarantine list --kb {kb}`; mend them, "
            f"exclude them, or raise the budget",
        )


def failures_now(build: Build, plan: Plan) -> list[Failure]:
    """What this build has put into quarantine; documents that it only holds there are not counted
    here.
    """
    held = set(plan.held)
    failures = failed_since(build.handle, build.began)
    return [failure for failure in failures if failure.uri not in held]
