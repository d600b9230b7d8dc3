"""`llmops quarantine …`: documents that could not be processed."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import ledger
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from llmops.tasks.knowledge.quarantine import QuarantineItem
    from llmops.tasks.ledger import Ledger

app = typer.Typer(
    name="quarantine", no_args_is_help=True, help="Documents that failed: why, and another try."
)

Base = Annotated[str | None, typer.Option("--kb", help="Only of this knowledge base.")]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID…", help="Items; default: all of --kb.")
]


@command(app, "list")
def list_(
    kb: Base = None,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="List near duplicates that were left out.")
    ] = False,
) -> Answer:
    """List what is in quarantine."""
    from llmops.tasks.errors import NearDuplicate
    from llmops.tasks.knowledge.quarantine import items

    twins, failed = list["QuarantineItem"](), list["QuarantineItem"]()
    for item in items(_ledger_of(kb), kb):
        (twins if item["error"] == NearDuplicate.__name__ else failed).append(item)
    columns = ["id", "uri", "stage", "reason", "attempts", "last_seen"]
    count = draw.amount(len(twins), "documents")
    told = f" {count} left out as near duplicates: --duplicates lists them." if twins else ""
    empty = "No document is left out." if duplicates else f"The quarantine is empty.{told}"
    return answer(
        {"items": twins if duplicates else failed, "duplicates": len(twins)},
        draw.table("items", columns, empty=empty),
    )


@command(app, "show")
def show(
    item: Annotated[str, typer.Argument(metavar="ID", help="As `quarantine list` shows it.")],
) -> Answer:
    """Show why a document is in quarantine."""
    from llmops.tasks.knowledge.quarantine import get

    return answer(get(ledger(), item), draw.facts)


@command(app, "drop")
def drop(ids: Ids = None, kb: Base = None) -> Answer:
    """Forget items; a document that is still bad comes back with the next build."""
    from llmops.tasks.knowledge.quarantine import drop as forget

    chosen = _chosen(ids, kb)
    forget(ledger(), [item["id"] for item in chosen])
    return answer(
        {"dropped": len(chosen), "items": chosen},
        line(f"{draw.amount(len(chosen), 'items')} dropped."),
    )


@command(app, "retry", long=True)
def retry(ids: Ids = None, kb: Base = None) -> Answer:
    """Try items again: runs the index flow with each knowledge base's own config; what is unchanged
    is not paid again.
    """
    from llmops.flows.commands.build import rebuild
    from llmops.tasks.knowledge.quarantine import items, release

    chosen = _chosen(ids, kb)
    release(ledger(), [item["id"] for item in chosen])
    names = sorted({item["knowledge_base"] for item in chosen})
    builds = [rebuild(name) for name in names]
    still_open = {item["id"] for name in names for item in items(ledger(), name)}
    return answer(
        {
            "retried": len(chosen),
            "recovered": sum(item["id"] not in still_open for item in chosen),
            "builds": [build.data for build in builds],
        },
        draw.outcomes,
        max((build.exit_code for build in builds), default=0),
    )


def _ledger_of(kb: str | None) -> "Ledger":
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.handle import known

    names = known(ledger())
    if kb is not None and kb not in names:
        raise UsageError(
            f"no knowledge base {kb!r} is known here", hint=f"known: {', '.join(names) or 'none'}"
        )
    return ledger()


def _chosen(ids: list[str] | None, kb: str | None) -> list["QuarantineItem"]:
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.quarantine import get, items

    if ids:
        return [get(ledger(), key) for key in ids]
    if kb is None:
        raise UsageError("which items?", hint="name their ids, or a knowledge base with --kb")
    return items(_ledger_of(kb), kb)
