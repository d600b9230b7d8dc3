"""From the listings of all sources to a plan: each document is compared with what the ledger knows
of it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row

from llmops.tasks import progress
from llmops.tasks.errors import Blocked, NearDuplicate, UnsupportedDocument
from llmops.tasks.knowledge.build import Build, Kind, Part, Specs, Todo, write_parts
from llmops.tasks.knowledge.estimate import estimate
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import outcome_of
from llmops.tasks.knowledge.plan import Plan, guard, live_documents
from llmops.tasks.knowledge.quarantine import Failure, put
from llmops.tasks.knowledge.quarantine import held as held_items
from llmops.tasks.knowledge.sizes import SizeTally, kind_of
from llmops.tasks.knowledge.sketches import CorpusVerdicts
from llmops.tasks.knowledge.start import start, steps_of, totals
from llmops.tasks.knowledge.suppressed import admitted, suppressed_hashes
from llmops.tasks.lake import write_atomically
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.sources import Item, Listing, Source
from llmops.tasks.schemas import doc_id

LARGEST_PART = 512
SMALLEST_PART = 8
PARTS_WANTED = 4  # as many as there are threads for them


class Planner:
    """Collects the listings of all sources, then says what is to do."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._live = live_documents(build)
        self._held = held_items(build.handle)
        self._plan: dict[str, Any] = {
            name: [] for name in ("todo", "problems", "held", "complete", "notes")
        }
        self._touched: dict[str, str] = {}
        self._restamped: dict[str, str] = {}
        self._listed: dict[str, int] = {}
        self._seen: set[str] = set()
        self._known: dict[str, Todo] = {}
        self._verdicts = CorpusVerdicts(build)
        self._unchanged = self._tolerated = 0
        self._sizes: defaultdict[str, SizeTally] = defaultdict(SizeTally)
        self._stages = cache(build.fingerprints.of)

    @property
    def sources(self) -> set[str]:
        """Those of live documents."""
        return {row.source for row in self._live.values()}

    def add(self, name: str, source: Source, listing: Listing) -> None:
        """Take in one source's listing."""
        self._listed[name] = len(listing.items) + len(listing.problems)
        for problem in listing.problems:
            self._seen.add(doc_id(name, problem.uri))
            self._plan["problems"].append(
                Failure(source=name, stage="collect", **problem.model_dump())
            )
        for item in progress.each(listing.items, "compare", len(listing.items)):
            self._item(name, source, item)
        if listing.complete:
            self._plan["complete"].append(name)
        else:
            self._plan["notes"].append(
                f"{name}: the listing is not complete, so nothing of it is retired: "
                f"{listing.why_incomplete}"
            )

    def _item(self, name: str, source: Source, item: Item) -> None:
        key = doc_id(name, item.uri)
        self._seen.add(key)
        row, full = self._live.get(key), self._build.full
        if row is not None and item.size and item.revision == row.revision:
            self._know_size(item, row.characters)
        fit = row if row is not None and not full and self._same_stages(row) else None
        if fit is not None and item.revision and item.revision == fit.revision:
            self._unchanged += 1
            self._know(fit, item)
            return
        if self._is_held(key, item.revision, "revision") and not full:
            self._hold(key, item)
            return
        before = (
            None if row is not None or full or self._failed(key) else self._verdicts.left_out(key)
        )
        content = (
            before.content_hash
            if before and item.revision == before.revision != ""
            else source.content_hash(item)
        )
        if before and before.content_hash == content:
            self._known[key] = Todo(
                doc_id=key, source=name, uri=item.uri, kind="new", item=item, content_hash=content
            )
            return
        same = row is not None and content == row.content_hash
        if fit is not None and same:
            self._touched[key] = item.revision
            self._unchanged += 1
            self._know(fit, item)
            return
        if self._is_held(key, content or "", "content_hash") and not full:
            self._restamped[key] = item.revision
            self._hold(key, item)
            return
        kind: Kind = (
            "new"
            if row is None
            else "reprocess"
            if same or (item.revision and item.revision == row.revision)
            else "changed"
        )
        self._todo(key, name, item.uri, kind, item, content)

    def _know_size(self, item: Item, characters: int) -> None:
        self._sizes[kind_of(item.uri)].add(item.size, characters)

    def _same_stages(self, row: Row[Any]) -> bool:
        if self._build.fresh:
            return False
        stages = self._stages(row.media_type, row.language)
        text = self._verdicts.stage(row) if self._build.fingerprints.corpus else stages.text
        return (row.text_stage, row.check_stage, row.chunk_stage) == (
            text,
            stages.check,
            stages.chunk,
        )

    def _know(self, row: Row[Any], item: Item | None) -> None:
        """A live document stays as it is. Where documents are compared, it takes part, and has to
        be sketched for that.
        """
        if not self._build.fingerprints.corpus:
            return
        if self._verdicts.verdicts(row.doc_id, row.content_hash) is None:
            self._todo(row.doc_id, row.source, row.uri, "reprocess", item, row.content_hash)
        else:
            self._known[row.doc_id] = Todo(
                doc_id=row.doc_id,
                source=row.source,
                uri=row.uri,
                kind="reprocess",
                item=item,
                content_hash=row.content_hash,
            )

    def _failed(self, key: str) -> bool:
        return key in self._held and self._held[key].error != NearDuplicate.__name__

    def _is_held(self, key: str, listed: str, column: str) -> bool:
        """Whether nothing has changed since it failed, by the revision or by the content."""
        row = self._held.get(key)
        return (
            row is not None
            and self._failed(key)
            and not row.retryable
            and bool(listed)
            and getattr(row, column) == listed
            and row.stages == self._build.fingerprints.all
            and not self._must_carry(key)
        )

    def _hold(self, key: str, item: Item) -> None:
        self._plan["held"].append(item.uri)
        self._tolerated += self._held[key].error == UnsupportedDocument.__name__
        if (row := self._live.get(key)) is not None:
            self._know(row, None)

    def _must_carry(self, key: str) -> bool:
        row = self._live.get(key)
        return row is not None and (
            self._build.fresh or row.chunk_stage != self._stages(row.media_type, row.language).chunk
        )

    def _todo(
        self, key: str, source: str, uri: str, kind: Kind, item: Item | None, content: str | None
    ) -> None:
        self._plan["todo"].append(
            Todo(
                doc_id=key,
                source=source,
                uri=uri,
                kind=kind,
                item=item,
                content_hash=content,
                carried=self._must_carry(key),
            )
        )

    def finish(self) -> Plan:
        """The plan: renames are recognised by content, documents that cannot be listed now are
        carried over.
        """
        absent = {key: row for key, row in self._live.items() if key not in self._seen}
        renamed = self._renames(absent)
        vanished = {
            key: row.uri
            for key, row in absent.items()
            if key not in renamed
            and (row.source in self._plan["complete"] or row.source not in self._listed)
        }
        planned = {todo.doc_id for todo in self._plan["todo"]}
        for key, row in self._live.items():
            if key in vanished or key in renamed or key in planned or key in self._known:
                continue
            if self._must_carry(key):
                self._todo(key, row.source, row.uri, "reprocess", None, row.content_hash)
            else:
                self._know(row, None)
        kept = {
            row.uri for key, row in self._live.items() if key not in vanished and key not in renamed
        }
        return Plan(
            **self._plan,
            uris=sorted(kept | {todo.uri for todo in self._plan["todo"]}),
            known=list(self._known.values()),
            cured=self._cured(),
            touched=self._touched,
            restamped=self._restamped,
            vanished=vanished,
            listed=self._listed,
            live=len(self._live),
            renamed={key: self._live[key].uri for key in renamed},
            unchanged=self._unchanged,
            tolerated=self._tolerated,
            sizes={kind: tally.sum() for kind, tally in self._sizes.items()},
        )

    def _cured(self) -> list[str]:
        return [
            key
            for key, row in self._held.items()
            if key not in self._seen
            and (row.source in self._plan["complete"] or row.source not in self._listed)
        ]

    def _renames(self, absent: Mapping[str, Row[Any]]) -> set[str]:
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


def plan_build(build: Build, *, record: bool = True) -> Plan:
    """List every source and compare it with the ledger; what cannot even be listed goes to
    quarantine.

    Raises Blocked when a source with live documents is gone, UsageError when a source never
    existed.
    """
    planner, skipped = Planner(build), dict[str, int]()
    hashes = suppressed_hashes(build.handle)
    used = planner.sources
    for spec in build.specs.sources:
        name, source = spec.id, source_of(build, spec)
        if name not in used:
            source.check()
        listing, skipped[name] = admitted(build.kb, hashes, source.list())
        planner.add(name, source, listing)
    plan = without_suppressed(planner.finish(), skipped)
    if record:
        put(build.handle, plan.problems, build.fingerprints.all)
    return plan


def without_suppressed(plan: Plan, skipped: Mapping[str, int]) -> Plan:
    """The plan says how many documents were erased for good and are skipped; they count as
    listed.
    """
    total = sum(skipped.values())
    if not total:
        return plan
    listed = {name: count + skipped.get(name, 0) for name, count in plan.listed.items()}
    note = f"{total} suppressed document{'s' if total > 1 else ''} skipped"
    return plan.model_copy(update={"listed": listed, "notes": [*plan.notes, note]})


def source_of(build: Build, spec: Spec) -> Source:
    """The source with its paths settled and its memory at hand."""
    return (
        spec.build(Source)
        .at(build.specs.folder)
        .remembering(build.home / "sources" / build.kb / spec.id)
    )


def parts(build: Build, plan: Plan, done: Sequence[Part] = ()) -> list[Part]:
    """Parts of equal size: enough of them to share the work, few enough that task runs cost little.
    `done`: those made before, of the first todos."""
    todos = plan.todo[sum(part.rows for part in done) :]
    size = min(LARGEST_PART, max(SMALLEST_PART, -(-len(todos) // PARTS_WANTED)))
    return write_parts(build, todos, size, len(done))


def dry_run(
    handle: Handle,
    specs: Specs,
    *,
    full: bool,
    max_delete_fraction: float = 1.0,
    allow_deletes: bool = False,
) -> dict[str, Any]:
    """The object of `index --plan`: what would be done, what it would cost, and what the guard of
    deletions would say. Writes only that, to `plans/KB.json`.
    """
    steps = steps_of(handle)
    build = start(handle, specs, full=full)
    try:
        steps.plan = plan_build(build, record=False)
    except Blocked as stop:
        steps.stopped = stop
        return outcome_of(steps).public()
    steps.totals = totals(build)
    cost = estimate(build, steps.plan, specs.embedder().price)
    outcome = outcome_of(steps).model_copy(
        update={"status": "planned", "tokens": cost["tokens"], "cost_usd": cost["cost_usd"]}
    )
    try:
        guard(steps.plan, max_delete_fraction, allow_deletes)
    except Blocked as stop:
        outcome = outcome.warned(f"the run would be blocked: {stop.message} ({stop.hint})")
    answer = outcome.public() | {"estimate": cost, "plan": steps.plan.preview()}
    write_atomically(handle.home / "plans" / f"{handle.name}.json", canonical(answer).encode())
    return answer
