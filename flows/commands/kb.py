"""`llmops kb …`: what is live, what was, how good it is, and the way back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.flows.commands import _grid, _measured
from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import (
    AnyName,
    Depth,
    Details,
    Golden,
    Name,
    Rerank,
    Vectors,
    checked_mode,
    home,
    knowledge_base,
    ledger,
    no_base,
    rerankers,
)
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.knowledge.handle import Handle

NO_RANKING = "No trained ranking yet: llmops train CONFIG"
app = typer.Typer(
    name="kb",
    no_args_is_help=True,
    help="Knowledge bases: status, versions, rollback, verification.",
)


@command(app, "list")
def list_() -> Answer:
    """List all knowledge bases."""
    from llmops.tasks.knowledge.views import overview

    return answer(
        {"knowledge_bases": overview(ledger())},
        draw.table("knowledge_bases", empty=f"No knowledge base yet: {no_base()}"),
    )


@command(app, "status")
def status(name: AnyName = None) -> Answer:
    """Show the live version, the age of each source, and what waits in quarantine."""
    from llmops.tasks.knowledge import views

    kb = knowledge_base(name)
    if first := _first_build(kb):
        return answer({"knowledge_base": kb.name, "version": None, "running": first}, draw.facts)
    return answer(views.status(kb), _draw_status)


def _draw_status(console: "Console", found: Mapping[str, Any]) -> None:
    sources = [
        f"{each['source']}: listed {draw.age(each['staleness_seconds'])}, "
        f"{draw.amount(each['documents'], 'documents')}"
        for each in found["sources"]
    ]
    held, again = found["quarantine"], found["retryable"]
    told = f"{draw.amount(held, 'documents')}, of which the next build tries {again} again"
    shown = {**found, "sources": sources, "quarantine": told if again else held}
    draw.facts(console, {name: value for name, value in shown.items() if name != "retryable"})


def _first_build(kb: "Handle") -> str | None:
    """Who is at the first build, how far, and where to watch it; None where there is a version, or
    nobody is.
    """
    return kb.building() if kb.live() is None else None


@command(app, "log")
def log(name: AnyName = None) -> Answer:
    """List the versions, newest first."""
    from llmops.tasks.knowledge.views import history

    kb = knowledge_base(name)
    if first := _first_build(kb):
        told = line(f"No version yet. The first build is running: {first}")
        return answer({"versions": [], "running": first}, told)
    return answer({"versions": history(kb), "running": kb.building()}, _draw_log)


def _draw_log(console: "Console", found: Mapping[str, Any]) -> None:
    columns = ["version", "status", "published_at", "documents", "chunks", "added", "retired"]
    draw.rows(console, found["versions"], columns)
    for each in found["versions"]:
        gate = each["gate"] or {}
        if each["status"] == "rejected" and gate.get("verdict") in ("rejected", "inconclusive"):
            said = f"version {each['version']} did not go live, gate {gate['verdict']}: "
            _grid.told(console, "  ", draw.printable(said + gate["reason"]))


@command(app, "diff")
def diff(
    name: Name,
    start: Annotated[
        int | None, typer.Argument(metavar="FROM", help="The earlier version.")
    ] = None,
    end: Annotated[int | None, typer.Argument(metavar="TO", help="The later version.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Add a unified diff of the text.")] = False,
    uri: Annotated[
        list[str] | None, typer.Option("--uri", help="Only this document; repeat for several.")
    ] = None,
) -> Answer:
    """Show which documents two versions differ in (default: the live one and the one before)."""
    from llmops.tasks.knowledge import views
    from llmops.tasks.maintenance.versions import text_diff

    difference = views.diff(knowledge_base(name), start, end, uri or ())
    if text:
        difference["text"] = text_diff(knowledge_base(name), difference)
    return answer(difference, draw.difference)


@command(app, "rollback")
def rollback(
    name: Name, to: Annotated[int | None, typer.Option("--to", help="The version to go to.")] = None
) -> Answer:
    """Make an earlier version live again, at once; nothing is embedded."""
    from llmops.tasks.knowledge.versions import target
    from llmops.tasks.maintenance.versions import rollback as roll_back

    target(knowledge_base(name), to)
    done = roll_back(knowledge_base(name), to)
    return answer(
        done,
        line(
            f"{name} is at version {done['version']} again (was {done['previous_version']}), in "
            f"{done['seconds']} s."
        ),
    )


@command(app, "ranking")
def ranking(
    name: AnyName = None,
    back: Annotated[
        bool, typer.Option("--rollback", help="Make the ranking before the live one live again.")
    ] = False,
    to: Annotated[
        int | None,
        typer.Option("--to", help="With --rollback: the ranking to go to; 0 for none."),
    ] = None,
) -> Answer:
    """List the trained rankings, newest first, or go back to an earlier one, at once."""
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge import rankings

    kb = knowledge_base(name)
    kb.published()
    if to is not None and not back:
        raise UsageError("--to says where a rollback goes", hint="add --rollback")
    if back:
        now, before = rankings.rollback(kb, to)
        told = f"{kb.name} ranks by {_ranking(now)} again (was {_ranking(before)})."
        moved = {"knowledge_base": kb.name, "ranking": now, "previous_ranking": before}
        return answer(moved, line(told))
    columns = ["ranking", "status", "live", "applies", "gain", "questions", "created_at"]
    return answer(rankings.overview(kb), draw.table("rankings", columns, empty=NO_RANKING))


def _ranking(number: int | None) -> str:
    return "no trained ranking" if number is None else f"ranking {number}"


@command(app, "documents")
def documents(
    name: AnyName = None,
    where: Annotated[
        str, typer.Option("--where", help="Only documents that fulfil a condition.")
    ] = "",
) -> Answer:
    """List the live documents."""
    from llmops.tasks.knowledge.views import listing

    columns = ["uri", "title", "source", "version", "chunks", "fetched_at", "stale"]
    return answer(
        {"documents": listing(knowledge_base(name), where)}, draw.table("documents", columns)
    )


@command(app, "verify", long=True)
def verify(name: AnyName = None, details: Details = False, vectors: Vectors = False) -> Answer:
    """Compare the store with the ledger, row by row; exit 1 when they differ."""
    from llmops.tasks.maintenance.verify import counts
    from llmops.tasks.maintenance.verify import verify as compare

    verified = compare(knowledge_base(name), thorough=vectors)
    return answer(verified if details else counts(verified), draw.facts, 0 if verified["ok"] else 1)


@command(app, "measure", long=True)
def measure(
    golden: Golden,
    name: AnyName = None,
    k: Depth = 10,
    mode: Annotated[
        list[str] | None,
        typer.Option("--mode", help="hybrid, vector or text; repeat for several. Default: all."),
    ] = None,
    rerank: Rerank = None,
) -> Answer:
    """Measure retrieval on a golden set: recall, nDCG, MRR with intervals."""
    from llmops.tasks.knowledge.measuring import measure_version
    from llmops.tasks.retrieval.golden import read_golden
    from llmops.tasks.retrieval.hybrid import MODES

    usual = ("hybrid",) if rerank else MODES
    modes = [checked_mode(each) for each in mode or usual]
    specs = rerankers(rerank or ())
    asked = read_golden(golden)
    kb = knowledge_base(name)
    live = kb.published()
    measured = measure_version(home(), live, asked.questions, k, modes, specs)
    if "hybrid" in measured.modes:  # as readers search, and as the gate measures
        _measured.record(home(), live, measured, asked.sha256, golden.stem)
    return answer(
        {"knowledge_base": kb.name, "version": live.version, **measured.to_json()},
        _measured.measurement,
    )
