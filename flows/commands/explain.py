"""`llmops explain`: from a passage back to its document, its source and the runs that brought it
in.
"""

from typing import Annotated, Any

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._home import ledger
from llmops.flows.console import Answer, command


def register(app: typer.Typer) -> None:
    command(app, "explain")(explain)


def explain(
    given: Annotated[
        str, typer.Argument(metavar="ID", help="A chunk id, a document id, or a document's uri.")
    ],
    kb: Annotated[
        str | None, typer.Option("--kb", help="The knowledge base, where several have it.")
    ] = None,
) -> Answer:
    """Show where a passage or a document comes from, and which versions and runs hold it."""
    from llmops.configs.settings import settings
    from llmops.tasks.maintenance.explain import explain as look

    home = settings().absolute_home
    found = look(ledger(), home, given, kb)
    return Answer(found, lambda console: _drawn(console, found))


def _drawn(console: Any, found: dict[str, Any]) -> None:
    document = found["document"]
    state = "live" if found["live"] else "retired"
    console.print(
        f"{found['kind']} {found['id']} of {found['knowledge_base']}: {state}",
        markup=False,
        style="bold",
    )
    if chunk := found.get("chunk"):
        place = " > ".join(chunk["headings"]) + (f", page {chunk['page']}" if chunk["page"] else "")
        console.print(
            f"  passage   {chunk['ordinal'] + 1} of {document['chunks']}, characters "
            f"{chunk['start']} to {chunk['end']}" + (f" ({place})" if place else ""),
            markup=False,
        )
        console.print(
            "            " + draw.printable(" ".join(chunk["text"].split())[:300]), markup=False
        )
    name = f"{document['title']}, " if document["title"] else ""
    console.print(
        f"  document  {draw.printable(name + document['uri'])} ({document['media_type']})",
        markup=False,
    )
    console.print(
        f"  source    {document['source']}, fetched {draw.shown(document['fetched_at'])}",
        markup=False,
    )
    if document["labels"] != ["public"] or document["flags"]:
        console.print(
            f"  labels    {', '.join(document['labels'])}; flags "
            f"{', '.join(document['flags']) or 'none'}",
            markup=False,
        )
    for one in found["versions"]:
        runs = ", ".join(
            f"{tool} run {one[f'{tool.lower()}_run_id']}"
            for tool in ("Prefect", "MLflow")
            if one[f"{tool.lower()}_run_id"]
        )
        console.print(
            f"  version   {one['version']} ({one['status']}), published "
            f"{draw.shown(one['published_at'])}, config "
            f"{(one['config_sha256'] or '')[:12]}" + (f", {runs}" if runs else ""),
            markup=False,
        )
    if not found["versions"]:
        console.print("  version   none that is kept has it", markup=False)
