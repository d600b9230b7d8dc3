"""`llmops traces list`, `show`, `delete`, `prune`: what the served application was asked."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import Yes, home
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from llmops.tasks.traces.deletion import Deleted

QUESTION = 120
app = typer.Typer()
traces = typer.Typer(
    no_args_is_help=True, help="What the served application was asked, and what it answered."
)
app.add_typer(traces, name="traces")
Id = Annotated[str, typer.Argument(metavar="TRACE", help="A trace's id: tr- and 32 digits.")]
App = Annotated[str, typer.Option("--app", help="The application, as its config calls it.")]


@command(traces, "list")
def list_(
    app: Annotated[str | None, typer.Option("--app", help="Only of this application.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 20,
) -> Answer:
    """List the newest traces: when, what was asked, how they ended, what they cost, whether MLflow
    has them.
    """
    from llmops.tasks.errors import Unavailable
    from llmops.tasks.traces import applications, index, reading

    listed, asked = index.listed(home(), app, limit), dict[str, str]()
    try:
        asked = reading.questions(home(), listed)
    except Unavailable as error:
        sys.stderr.write(f"questions are not shown: {error}\n")
    rows = [row.model_dump(mode="json") for row in listed]
    for row in rows:
        row["state"] = _state(row)
        row["question"] = _short(asked[row["id"]]) if row["id"] in asked else None
    told = applications.unasked(home(), app) if app else ""
    return answer({"traces": rows, "warnings": [told] if told else []}, _rows)


@command(traces, "show")
def show(trace_id: Id) -> Answer:
    """Show a trace with its steps; one that still waits for MLflow, too."""
    from llmops.tasks.traces import reading

    found, ratings = reading.rated(home(), trace_id)
    data = found.model_dump(mode="json") | {"ratings": [each.model_dump() for each in ratings]}
    return answer(data, _trace)


@command(traces, "delete")
def delete(trace_id: Id, yes: Yes = False) -> Answer:
    """Delete a trace everywhere: ledger, spool, MLflow, feedback, cached and curated answers."""
    from llmops.tasks.traces import deletion, index, reading

    if not yes:
        row = index.row(home(), trace_id)
        if row is None:
            raise reading.unknown(trace_id)
        planned = {"trace_id": trace_id, "deleted": False, "app": row.app}
        return answer(planned, line(f"{trace_id} of {row.app} would go; do it with --yes"))
    return deleted_answer({"trace_id": trace_id}, deletion.delete_trace(home(), trace_id))


@command(traces, "prune")
def prune(
    app: App,
    most: Annotated[
        float, typer.Option("--most", min=0, help="Delete traces older than this many days.")
    ],
    least: Annotated[
        float, typer.Option("--least", min=0, help="Refuse to delete any younger than this.")
    ] = 0.0,
    yes: Yes = False,
) -> Answer:
    """Delete old traces of an application. What they cost stays known until next month is over."""
    from llmops.tasks.traces import retention
    from llmops.tasks.traces.applications import checked_app

    checked_app(home(), app)
    due = retention.due(home(), app, most, least)
    if not yes:
        said = line(f"{draw.amount(len(due), 'trace')} would go; do it with --yes")
        return answer({"app": app, "due": len(due), "deleted": False}, said)
    pruned = retention.prune(home(), app, most, least)
    return deleted_answer({"app": app, "due": len(due)}, pruned)


def deleted_answer(subject: "Mapping[str, object]", deleted: "Deleted") -> Answer:
    """What a deletion came to, with exit 1 where something could not be reached."""
    data = {**subject, "deleted": deleted.ok, **deleted.model_dump()}
    return answer(data, _deleted, 0 if deleted.ok else 1)


def _deleted(console: "Console", data: "Mapping[str, object]") -> None:
    places, unreached, remarks = data["places"], data["unreached"], data["remarks"]
    for place, count in places.items() if isinstance(places, dict) else ():
        console.print(f"  {place:<12} {count}", markup=False)
    for each in unreached if isinstance(unreached, list | tuple) else ():
        console.print(f"not reached: {each}", markup=False, style="red")
    for each in remarks if isinstance(remarks, list | tuple) else ():
        console.print(f"note: {each}", markup=False)
    gone = isinstance(places, dict) and any(places.values())
    done = "deleted" if gone else "nothing was deleted"
    console.print(done if data["deleted"] else "run this again to finish it", markup=False)


def _short(question: str) -> str:
    text = " ".join(question.split())
    return text if len(text) <= QUESTION else f"{text[: QUESTION - 1]}…"


def _state(row: "Mapping[str, object]") -> str:
    if row["deleted_at"]:
        return str(row["status"])
    return "stored" if row["stored_at"] else "waits, or not kept"


def _rows(console: "Console", data: "Mapping[str, object]") -> None:
    rows = data["traces"]
    for row in rows if isinstance(rows, list) else ():
        at = datetime.fromisoformat(str(row["began_at"]))
        asked = f"  {draw.printable(row['question'])}" if row["question"] else ""
        console.print(
            f"{row['id']}  {at:%Y-%m-%d %H:%M:%S}  {row['app']}  {row['status']}  "
            f"${row['cost_usd']:.4f}  {row['state']}{asked}",
            markup=False,
            soft_wrap=True,
        )
    if not rows and not data["warnings"]:
        console.print("no traces yet: `llmops serve` writes them", markup=False)
    draw.warnings(console, data)


def _trace(console: "Console", data: "Mapping[str, object]") -> None:
    console.print(f"{data['id']} of {data['app']}: {data['status']}", style="bold", markup=False)
    for name in ("question", "answer"):
        text = draw.printable(" ".join(str(data[name]).split())[:500])
        console.print(f"  {name:<9} {text}", markup=False)
    spans = data["spans"]
    for span in spans if isinstance(spans, list) else ():
        milliseconds = (span["end_ns"] - span["start_ns"]) / 1e6
        failed = f", {draw.printable(span['error'])}" if span["error"] else ""
        console.print(
            f"  {span['name']:<16} {span['kind']:<12} {milliseconds:9.1f} ms{failed}", markup=False
        )
    console.print(
        f"  cost      ${data['cost_usd']:.6f}, {data['tokens_in']} tokens in, "
        f"{data['tokens_out']} out",
        markup=False,
    )
