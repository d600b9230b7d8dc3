"""`llmops quarantine …`: documents that could not be processed."""

from typing import Annotated, Any

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._home import ledger
from llmops.flows.console import Answer, command

app = typer.Typer(
    name="quarantine", no_args_is_help=True, help="Documents that failed: why, and another try."
)

Base = Annotated[str | None, typer.Option("--kb", help="Of one knowledge base.")]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]…", help="Items; default: all of --kb.")
]


@command(app, "list")
def list_(kb: Base = None) -> Answer:
    """List what is in quarantine."""
    from llmops.tasks.knowledge.quarantine import items

    found = items(_known(kb), kb)
    return Answer(
        {"items": found},
        lambda console: draw.rows(
            console,
            found,
            ["id", "uri", "stage", "reason", "attempts", "last_seen"],
            empty="The quarantine is empty.",
        ),
    )


@command(app, "show")
def show(item: Annotated[str, typer.Argument(metavar="ID")]) -> Answer:
    """Show one item."""
    from llmops.tasks.knowledge.quarantine import get

    found = get(ledger(), item)
    return Answer(found, lambda console: draw.facts(console, found))


@command(app, "drop")
def drop(ids: Ids = None, kb: Base = None) -> Answer:
    """Forget items; a document that is still bad comes back with the next build."""
    from llmops.tasks.knowledge.quarantine import drop as forget

    chosen = _chosen(ids, kb)
    forget(ledger(), [item["id"] for item in chosen])
    return Answer(
        {"dropped": len(chosen), "items": chosen},
        lambda console: console.print(f"{draw.amount(len(chosen), 'items')} dropped."),
    )


@command(app, "retry")
def retry(ids: Ids = None, kb: Base = None) -> Answer:
    """Try items again: runs the index flow with each knowledge base's own config; what is unchanged
    is not paid again.
    """
    from llmops.flows.commands.build import rebuild
    from llmops.tasks.knowledge.quarantine import release

    chosen = _chosen(ids, kb)
    release(ledger(), [item["id"] for item in chosen])
    outcomes = [rebuild(name) for name in sorted({item["knowledge_base"] for item in chosen})]
    open_now = {
        item["id"] for name in {item["knowledge_base"] for item in chosen} for item in _items(name)
    }
    found: dict[str, Any] = {
        "retried": len(chosen),
        "recovered": sum(item["id"] not in open_now for item in chosen),
        "builds": [o.data for o in outcomes],
    }
    return Answer(
        found,
        lambda console: (
            draw.outcomes(console, outcomes) if outcomes else console.print("Nothing to retry.")
        ),
        exit_code=max((outcome.exit_code for outcome in outcomes), default=0),
    )


def _items(kb: str | None) -> list[dict[str, Any]]:
    from llmops.tasks.knowledge.quarantine import items

    return items(ledger(), kb)


def _known(kb: str | None) -> Any:
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.versions import known

    book = ledger()
    if kb is not None and kb not in known(book):
        raise UsageError(
            f"no knowledge base {kb!r} is known here",
            hint=f"known: {', '.join(known(book)) or 'none'}",
        )
    return book


def _chosen(ids: list[str] | None, kb: str | None) -> list[dict[str, Any]]:
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.quarantine import get, items

    if ids:
        return [get(ledger(), key) for key in ids]
    if kb is None:
        raise UsageError("which items?", hint="name their ids, or a knowledge base with --kb")
    return items(_known(kb), kb)
