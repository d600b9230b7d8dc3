"""From the sources of a config to a plan, and from a plan to parts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmops.tasks.errors import Blocked
from llmops.tasks.filters.metadata import Facts
from llmops.tasks.knowledge import outcome as outcomes
from llmops.tasks.knowledge import session
from llmops.tasks.knowledge.build import Build, Fingerprints, Part, write_parts
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.plan import Plan, live_documents
from llmops.tasks.knowledge.planner import Planner
from llmops.tasks.knowledge.quarantine import put
from llmops.tasks.knowledge.suppressed import admitted, barred
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.sources import Source
from llmops.tasks.plugins.stores import Store
from llmops.tasks.schemas import write_atomically

LARGEST_PART = 256
SMALLEST_PART = 8
PARTS_WANTED = 8


def plan(build: Build, sources: Iterable[Spec], folder: Path, *, record: bool = True) -> Plan:
    """List every source and compare it with the ledger; what cannot even be listed goes to
    quarantine.

    Raises Blocked when a source with live documents is gone, UsageError when a source never
    existed.
    """
    planner, bars, skipped = Planner(build), barred(build.ledger, build.kb), dict[str, int]()
    used = {row.source for row in live_documents(build).values()}
    for spec in sources:
        name, source = source_id(spec), source_of(build, spec, folder)
        if name not in used:
            source.check()
        listing, skipped[name] = admitted(build.kb, bars, source.list())
        planner.add(name, source, listing)
    found = without_barred(planner.finish(), skipped)
    if record:
        put(build.ledger, build.kb, found.problems, build.stages.all)
    return found


def without_barred(found: Plan, skipped: Mapping[str, int]) -> Plan:
    """The plan says how many documents were erased for good and are skipped; they count as
    listed.
    """
    total = sum(skipped.values())
    if not total:
        return found
    listed = {name: count + skipped.get(name, 0) for name, count in found.listed.items()}
    note = f"{total} barred document{'s' if total > 1 else ''} skipped"
    return found.model_copy(update={"listed": listed, "notes": [*found.notes, note]})


def source_of(build: Build, spec: Spec, folder: Path) -> Source:
    """The source with its paths settled and its memory at hand."""
    return (
        spec.build(Source)
        .at(folder)
        .remembering(build.home / "sources" / build.kb / source_id(spec))
    )


def source_id(spec: Spec) -> str:
    """What a source is called in every document's identity."""
    return spec.id


def parts(build: Build, found: Plan, done: Sequence[Part] = ()) -> list[Part]:
    """Parts of equal size: enough of them to share the work, few enough that task runs cost little.
    `done`: those made before, of the first todos."""
    todos = found.todo[sum(part.rows for part in done) :]
    size = min(LARGEST_PART, max(SMALLEST_PART, -(-len(todos) // PARTS_WANTED)))
    return write_parts(build, todos, size, len(done))


def estimate(build: Build, found: Plan, price: float) -> dict[str, Any]:
    """What a plan will cost at most, before anything is spent: bytes are taken for text, four to a
    token.
    """
    size = sum(todo.item.size for todo in found.todo if todo.item)
    known = sum(
        row.characters
        for row in live_documents(build).values()
        if row.doc_id in {todo.doc_id for todo in found.todo if not todo.item}
    )
    tokens = (size + known) // 4
    return {
        "documents": len(found.todo),
        "bytes": size,
        "tokens": tokens,
        "cost_usd": round(tokens * price / 1e6, 6),
    }


def dry_run(
    handle: Handle,
    stages: Fingerprints,
    store: Store,
    facts: Facts,
    sources: Sequence[Spec],
    folder: Path,
    embedder: Spec,
    *,
    full: bool,
) -> dict[str, Any]:
    """The object of `index --plan`: what would be done, and what it would cost. Writes only that,
    to `plans/KB.json`.
    """
    outcome = session.begin(handle, None)
    build = session.start(handle, stages, store, facts, full=full)
    try:
        found = plan(build, sources, folder, record=False)
    except Blocked as stop:
        outcome.stop(stop)
        return outcome.public()
    outcomes.planned(outcome, found, session.totals(build))
    outcome.status = "planned"
    cost = estimate(build, found, embedder.build(Embedder).price)
    outcome.tokens, outcome.cost_usd = cost["tokens"], cost["cost_usd"]
    answer = outcome.public() | {"estimate": cost, "plan": found.preview()}
    write_atomically(handle.home / "plans" / f"{handle.name}.json", canonical(answer).encode())
    return answer
