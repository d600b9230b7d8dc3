"""What a build has to do: a source's listing compared with the ledger, before anything is spent."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from tasks.errors import Blocked, UnsupportedDocument
from tasks.knowledge.build import Build, Todo
from tasks.knowledge.ledger import live_at
from tasks.knowledge.quarantine import Failure
from tasks.knowledge.quarantine import held as held_items
from tasks.knowledge.tables import documents
from tasks.records import doc_id
from tasks.sources import Item, Listing, Source

COLUMNS = [
    documents.c[name]
    for name in ("doc_id", "source", "uri", "content_hash", "revision", "text_stage", "check_stage", "chunk_stage", "chunks", "characters")
]


class Plan(BaseModel):
    """`todo`: documents to process. `vanished`: live, but no longer listed. `touched`: only their revision has changed.

    `held`: in quarantine, unchanged since, and not worth another attempt; `tolerated` of them are of a kind that nobody reads.
    `cured`: in quarantine, but gone from the source or served as it is listed. `notes`: what keeps vanished documents from
    being retired. `uris`: all that the candidate may have.
    """

    model_config = ConfigDict(frozen=True)
    todo: list[Todo] = Field(default_factory=list)
    touched: dict[str, str] = Field(default_factory=dict)
    vanished: dict[str, str] = Field(default_factory=dict)
    renamed: dict[str, str] = Field(default_factory=dict)
    problems: list[Failure] = Field(default_factory=list)
    held: list[str] = Field(default_factory=list)
    cured: list[str] = Field(default_factory=list)
    listed: dict[str, int] = Field(default_factory=dict)
    complete: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    uris: list[str] = Field(default_factory=list)
    live: int = 0
    unchanged: int = 0
    tolerated: int = 0

    def count(self, kind: str) -> int:
        return sum(todo.kind == kind for todo in self.todo)

    def preview(self, most: int = 200) -> list[dict[str, str]]:
        """What happens to which document, at most so many rows, for a table."""
        rows = [{"what": todo.kind, "uri": todo.uri, "source": todo.source} for todo in self.todo]
        rows += [{"what": "vanished", "uri": uri, "source": ""} for uri in self.vanished.values()]
        rows += [{"what": "quarantined", "uri": problem.uri, "source": problem.source} for problem in self.problems]
        return rows[:most]


class Planner:
    """Collects the listings of all sources, then says what is to do."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._live = live_documents(build)
        self._held = held_items(build.ledger, build.kb)
        self._plan: dict[str, Any] = {name: [] for name in ("todo", "problems", "held", "complete", "notes")}
        self._touched: dict[str, str] = {}
        self._listed: dict[str, int] = {}
        self._seen: set[str] = set()
        self._unchanged = self._tolerated = 0

    def add(self, name: str, source: Source, listing: Listing) -> None:
        """Take in one source's listing."""
        self._listed[name] = len(listing.items) + len(listing.problems)
        for problem in listing.problems:
            self._seen.add(doc_id(name, problem.uri))
            self._plan["problems"].append(Failure(source=name, stage="collect", **problem.model_dump()))
        for item in listing.items:
            self._item(name, source, item)
        if listing.complete:
            self._plan["complete"].append(name)
        else:
            self._plan["notes"].append(f"{name}: the listing is not complete, so nothing of it is retired: {listing.why_incomplete}")

    def _item(self, name: str, source: Source, item: Item) -> None:
        key = doc_id(name, item.uri)
        self._seen.add(key)
        row, full = self._live.get(key), self._build.full
        same_stages = row is not None and _stages(row) == self._build.stages.all and not self._build.fresh
        if row is not None and same_stages and item.revision and item.revision == row.revision and not full:
            self._unchanged += 1
            return
        if self._is_held(key, item) and not full:
            self._plan["held"].append(item.uri)
            self._tolerated += self._held[key].error == UnsupportedDocument.__name__
            return
        content = source.content_hash(item)
        same = row is not None and content == row.content_hash
        if row is not None and same and same_stages and not full:
            self._touched[key] = item.revision
            self._unchanged += 1
            return
        kind = "new" if row is None else "reprocess" if same or (item.revision and item.revision == row.revision) else "changed"
        self._todo(key, name, item.uri, kind, item, content)

    def _is_held(self, key: str, item: Item) -> bool:
        row = self._held.get(key)
        return (
            row is not None
            and not row.retryable
            and bool(item.revision)
            and row.revision == item.revision
            and row.stages == self._build.stages.all
            and not self._must_carry(key)
        )

    def _must_carry(self, key: str) -> bool:
        row = self._live.get(key)
        return row is not None and (self._build.fresh or row.chunk_stage != self._build.stages.chunk)

    def _todo(self, key: str, source: str, uri: str, kind: Any, item: Item | None, content: str | None) -> None:
        self._plan["todo"].append(
            Todo(doc_id=key, source=source, uri=uri, kind=kind, item=item, content_hash=content, carried=self._must_carry(key))
        )

    def finish(self) -> Plan:
        """The plan: renames are recognised by content, documents that cannot be listed now are carried over."""
        absent = {key: row for key, row in self._live.items() if key not in self._seen}
        renamed = self._renames(absent)
        vanished = {
            key: row.uri
            for key, row in absent.items()
            if key not in renamed and (row.source in self._plan["complete"] or row.source not in self._listed)
        }
        planned = {todo.doc_id for todo in self._plan["todo"]}
        for key, row in self._live.items():
            if key not in vanished and key not in renamed and key not in planned and self._must_carry(key):
                self._todo(key, row.source, row.uri, "reprocess", None, row.content_hash)
        kept = {row.uri for key, row in self._live.items() if key not in vanished and key not in renamed}
        return Plan(
            **self._plan,
            uris=sorted(kept | {todo.uri for todo in self._plan["todo"]}),
            cured=self._cured(),
            touched=self._touched,
            vanished=vanished,
            listed=self._listed,
            live=len(self._live),
            renamed={key: self._live[key].uri for key in renamed},
            unchanged=self._unchanged,
            tolerated=self._tolerated,
        )

    def _cured(self) -> list[str]:
        return [
            key
            for key, row in self._held.items()
            if key not in self._seen and (row.source in self._plan["complete"] or row.source not in self._listed)
        ]

    def _renames(self, absent: Mapping[str, Any]) -> set[str]:
        by_content: dict[tuple[str, str], list[str]] = {}
        for key, row in absent.items():
            if row.source in self._plan["complete"]:
                by_content.setdefault((row.source, row.content_hash), []).append(key)
        renamed = set()
        for position, todo in enumerate(self._plan["todo"]):
            former = by_content.get((todo.source, todo.content_hash or ""))
            if todo.kind == "new" and former:
                renamed.add(former.pop())
                self._plan["todo"][position] = todo.model_copy(update={"kind": "renamed"})
        return renamed


def _stages(row: Any) -> str:
    return f"{row.text_stage}.{row.check_stage}.{row.chunk_stage}"


def live_documents(build: Build) -> dict[str, Any]:
    """doc_id -> ledger row of every live document."""
    if build.live is None:
        return {}
    with build.ledger.read() as connection:
        query = select(*COLUMNS).where(documents.c.kb == build.kb, live_at(documents, build.live))
        return {row.doc_id: row for row in connection.execute(query)}


def guard(plan: Plan, max_delete_fraction: float, allow_deletes: bool) -> None:
    """Deletion safety. Raises Blocked for an empty listing, and for more deletions than are allowed."""
    empty = sorted(name for name, count in plan.listed.items() if count == 0)
    if empty and (plan.live or not any(plan.listed.values())):
        raise Blocked(
            f"the source {', '.join(empty)} lists nothing; an empty listing never deletes",
            where=empty[0],
            hint="check its path and its include and exclude patterns; a source that is meant to go is taken out of the config",
        )
    share = len(plan.vanished) / plan.live if plan.live else 0
    if share > max_delete_fraction and not allow_deletes:
        some = ", ".join(sorted(plan.vanished.values())[:5]) + (", …" if len(plan.vanished) > 5 else "")
        raise Blocked(
            f"{len(plan.vanished)} of {plan.live} documents have vanished ({share:.0%}), more than limits.max_delete_fraction "
            f"allows ({max_delete_fraction:.0%}): {some}",
            hint="if that is meant, allow it once with --allow-deletes",
        )
