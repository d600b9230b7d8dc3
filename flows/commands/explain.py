"""`llmops explain`: from a passage back to its document, its source and the runs that brought it
in.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.maintenance.explain import Provenance

app = typer.Typer()


@command(app, "explain")
def explain(
    given: Annotated[
        str, typer.Argument(metavar="ID", help="A chunk id, a document id, or a document's uri.")
    ],
    kb: Annotated[
        str | None, typer.Option("--kb", help="The knowledge base, where several have it.")
    ] = None,
) -> Answer:
    """Show where a passage or a document comes from, and which versions and runs hold it."""
    from llmops.tasks.maintenance.explain import explain as look

    return answer(look(home(), given, kb), _provenance)


def _provenance(console: "Console", provenance: "Provenance") -> None:
    document = provenance["document"]
    state = "live" if provenance["live"] else "retired"
    console.print(
        f"{provenance['kind']} {provenance['id']} of {provenance['knowledge_base']}: {state}",
        markup=False,
        style="bold",
    )
    if chunk := provenance.get("chunk"):
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
    for version in provenance["versions"]:
        runs = ", ".join(
            f"{tool} run {version[f'{tool.lower()}_run_id']}"
            for tool in ("Prefect", "MLflow")
            if version[f"{tool.lower()}_run_id"]
        )
        console.print(
            f"  version   {version['version']} ({version['status']}), published "
            f"{draw.shown(version['published_at'])}, config "
            f"{(version['config_sha256'] or '')[:12]}" + (f", {runs}" if runs else ""),
            markup=False,
        )
    if not provenance["versions"]:
        console.print("  version   none that is kept has it", markup=False)
