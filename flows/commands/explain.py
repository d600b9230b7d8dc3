"""`llmops explain`: from an answer or a passage back to its document, its source and the runs that
brought it in.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._grid import told
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command
from llmops.tasks.texts.excerpts import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from llmops.tasks.maintenance.explain import Provenance
    from llmops.tasks.maintenance.explain_trace import PassageProvenance, TraceProvenance
    from llmops.tasks.maintenance.left_out import AbsentDocument

app = typer.Typer()


@command(app, "explain")
def explain(
    given: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="A trace, a chunk id, a document id, a document's uri, or the path of a file.",
        ),
    ],
    kb: Annotated[
        str | None, typer.Option("--kb", help="The knowledge base, where several have it.")
    ] = None,
) -> Answer:
    """Show where an answer, a passage or a document comes from: sources, versions and runs; and of
    a document that is not found why it is not there.
    """
    if given.startswith("tr-"):
        from llmops.tasks.maintenance.explain_trace import explain_trace

        return answer(explain_trace(home(), given), _answer)
    from llmops.tasks.maintenance.left_out import explained

    found = explained(home(), given, kb)
    if found["kind"] == "absent":
        return answer(found, _left_out)
    return answer(found, _provenance)


def _left_out(console: "Console", found: "AbsentDocument") -> None:
    name = f"{found['uri']} is not in {found['knowledge_base']}"
    console.print(draw.printable(name), markup=False, style="bold")
    told(console, "  why       ", draw.printable(found["message"]))
    told(console, "  to do     ", draw.printable(found["hint"]))


def _answer(console: "Console", found: "TraceProvenance") -> None:
    console.print(f"trace {found['id']} of {found['app']}: {found['status']}", style="bold")
    for name, text in (("question", found["question"]), ("answer", found["answer"])):
        console.print(f"  {name:<9} {draw.printable(excerpt(text, inside=False))}", markup=False)
    where = "in MLflow" if found["stored"] else "waits in the spool"
    console.print(
        f"  asked     {draw.shown(found['asked_at'])}, {found['seconds']:.2f} s"
        f"{draw.money(found['cost_usd'])}, {where}",
        markup=False,
    )
    tags = ", ".join(f"{name} {value}" for name, value in found["tags"].items())
    console.print(f"  by        {draw.printable(tags)}", markup=False)
    for each in found["passages"]:
        console.print(
            f"  passage   {each['chunk_id'][:16]} of {each['knowledge_base']} version "
            f"{each['version']}, score {each['score']:.3f}",
            markup=False,
        )
        console.print(f"            {draw.printable(_origin(each))}", markup=False)
    for said in found["feedback"]:
        console.print(
            f"  feedback  {said['name']}: {draw.printable(feedback_shown(said))}", markup=False
        )


def feedback_shown(feedback: "Mapping[str, object]") -> str:
    """What somebody said of an answer, with the comment."""
    comment = " ".join(str(feedback["comment"] or "").split())
    return f"{feedback['value']} ({comment[:300]})" if comment else str(feedback["value"])


def _origin(passage: "PassageProvenance") -> str:
    if passage["error"]:
        return passage["error"]
    runs = ", ".join(
        f"{tool} run {run}"
        for tool, run in (
            ("Prefect", passage["prefect_run_id"]),
            ("MLflow", passage["mlflow_run_id"]),
        )
        if run
    )
    config = f"config {(passage['config_sha256'] or '')[:12]}"
    return f"{passage['document']['uri']}, source {passage['source']}, {config}, {runs}"


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
        passage = excerpt(chunk["text"], inside=chunk["start"] > 0)
        told(console, " " * 12, draw.printable(passage), whole=True)
    name = f"{document['title']}, " if document["title"] else ""
    uri = draw.printable(name + document["uri"])
    told(console, "  document  ", f"{uri} ({document['media_type']})")
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
    _versions(console, provenance)
    if item := provenance["quarantine"]:
        console.print(
            f"  newer     what its source has now is in quarantine ({item['stage']}): "
            f"{draw.printable(item['reason'])} ({item['next_try']}); "
            f"llmops quarantine show {item['id']}",
            markup=False,
        )


def _versions(console: "Console", provenance: "Provenance") -> None:
    for version in provenance["versions"]:
        runs = ", ".join(
            f"{tool} run {version[f'{tool.lower()}_run_id']}"
            for tool in ("Prefect", "MLflow")
            if version[f"{tool.lower()}_run_id"]
        )
        told(
            console,
            "  version   ",
            f"{version['version']} ({version['status']}), published "
            f"{draw.shown(version['published_at'])}, config "
            f"{(version['config_sha256'] or '')[:12]}" + (f", {runs}" if runs else ""),
        )
    if not provenance["versions"]:
        console.print("  version   none that is kept has it", markup=False)
