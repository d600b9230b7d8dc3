"""`llmops kb …`: what is live, what was, and the way back."""

from pathlib import Path
from typing import Annotated

import typer

from llmops.flows.commands import _measured
from llmops.flows.commands import _tables as draw
from llmops.flows.commands._home import ledger
from llmops.flows.console import Answer, command

app = typer.Typer(
    name="kb",
    no_args_is_help=True,
    help="Knowledge bases: status, versions, rollback, verification.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The knowledge base.")]


@command(app, "list")
def list_() -> Answer:
    """List all knowledge bases."""
    from llmops.tasks.knowledge.views import overview

    found = overview(ledger())
    return Answer(
        {"knowledge_bases": found},
        lambda console: draw.rows(
            console, found, empty="No knowledge base yet: llmops index CONFIG"
        ),
    )


@command(app, "status")
def status(name: Name) -> Answer:
    """Show the live version, the age of each source, and what waits in quarantine."""
    from llmops.tasks.knowledge import views

    found = views.status(ledger(), name)
    return Answer(found, lambda console: draw.facts(console, found))


@command(app, "log")
def log(name: Name) -> Answer:
    """List the versions, newest first."""
    from llmops.tasks.knowledge.views import history

    found = history(ledger(), name)
    columns = ["version", "status", "published_at", "documents", "chunks", "added", "retired"]
    return Answer({"versions": found}, lambda console: draw.rows(console, found, columns))


@command(app, "diff")
def diff(
    name: Name,
    start: Annotated[int | None, typer.Argument(metavar="[FROM]")] = None,
    end: Annotated[int | None, typer.Argument(metavar="[TO]")] = None,
    text: Annotated[bool, typer.Option("--text", help="Add a unified diff of the text.")] = False,
) -> Answer:
    """Show which documents two versions differ in (default: the live one and the one before)."""
    from llmops.configs.settings import settings
    from llmops.tasks.knowledge import views
    from llmops.tasks.maintenance.difference import text_diff

    book = ledger()
    found = views.diff(book, name, start, end)
    if text:
        found["text"] = text_diff(book, settings().absolute_home / "lake", name, found)
    return Answer(found, lambda console: draw.difference(console, found))


@command(app, "rollback")
def rollback(
    name: Name, to: Annotated[int | None, typer.Option("--to", help="The version to go to.")] = None
) -> Answer:
    """Make an earlier version live again, at once; nothing is embedded."""
    from llmops.configs.settings import settings
    from llmops.tasks.knowledge.versions import target
    from llmops.tasks.maintenance.rollback import rollback as back

    book = ledger()
    target(book, name, to)
    found = back(book, settings().absolute_home, name, to)
    told = (
        f"{name} is at version {found['version']} again (was {found['previous_version']}), in "
        f"{found['seconds']} s."
    )
    return Answer(found, lambda console: console.print(told))


@command(app, "documents")
def documents(
    name: Name,
    where: Annotated[
        str, typer.Option("--where", help="Only documents that fulfil a condition.")
    ] = "",
) -> Answer:
    """List the live documents."""
    from llmops.tasks.knowledge.views import listing

    found = listing(ledger(), name, where)
    columns = ["uri", "title", "source", "version", "chunks", "fetched_at", "stale"]
    return Answer({"documents": found}, lambda console: draw.rows(console, found, columns))


@command(app, "verify")
def verify(
    name: Name,
    details: Annotated[bool, typer.Option("--details", help="List the ids.")] = False,
    vectors: Annotated[
        bool,
        typer.Option(
            "--vectors", help="Compare every text and vector too, not only ids and hashes."
        ),
    ] = False,
) -> Answer:
    """Compare the store with the ledger, row by row; exit 1 when they differ."""
    from llmops.configs.settings import settings
    from llmops.tasks.maintenance.verify import counts
    from llmops.tasks.maintenance.verify import verify as compare

    found = compare(ledger(), settings().absolute_home, name, thorough=vectors)
    shown = found if details else counts(found)
    return Answer(
        shown, lambda console: draw.facts(console, shown), exit_code=0 if found["ok"] else 1
    )


@command(app, "measure")
def measure(
    name: Name,
    golden: Annotated[Path, typer.Option("--golden", help="A golden set (JSON lines).")],
    k: Annotated[
        int, typer.Option("-k", min=1, max=1000, help="Documents looked at per question.")
    ] = 10,
    mode: Annotated[
        list[str] | None,
        typer.Option("--mode", help="hybrid, vector or text; repeat for several. Default: all."),
    ] = None,
) -> Answer:
    """Measure retrieval on a golden set: recall, nDCG, MRR with intervals."""
    from llmops.configs.settings import settings
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.measuring import measure_version
    from llmops.tasks.knowledge.versions import published
    from llmops.tasks.retrieval.golden import read_golden

    allowed = ("hybrid", "vector", "text")
    wrong = [one for one in mode or () if one not in allowed]
    if wrong:
        raise UsageError(f"got --mode {wrong[0]}, allowed: {', '.join(allowed)}")
    questions, home = read_golden(golden).questions, settings().absolute_home
    live = published(ledger(), name)
    found = {
        "knowledge_base": name,
        "version": live.version,
        **measure_version(home, live, questions, k, tuple(mode or allowed)).to_json(),
    }
    return Answer(found, lambda console: _measured.measurement(console, found))
