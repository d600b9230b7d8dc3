"""`llmops review …`: the queue of answers that people look at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from llmops.tasks.review.items import ReviewItem
    from llmops.tasks.review.reviewing import Review

app = typer.Typer(
    name="review",
    no_args_is_help=True,
    help="The queue of answers that people look at: what waits, what they said, how far they "
    "agree.",
)
App = Annotated[str, typer.Argument(metavar="APP", help="The application, as its config calls it.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `llmops review list` shows it.")]
Queue = Annotated[str, typer.Option("--queue", help="Default: the application's own.")]
StateName = Annotated[str, typer.Option("--state", help="Only: open, done, disputed or discarded.")]
VerdictName = Annotated[str, typer.Option("--verdict", help="Only: good, bad or discard.")]
Reason = Annotated[str, typer.Option("--reason", help="Only items chosen for this reason.")]
RatingName = Annotated[str, typer.Option("--rating", help="Only answers rated up, or down.")]
Text = Annotated[
    str, typer.Option("--text", help="Only with this in a note, a comment or a correction.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")]
SHOWN = ["id", "state", "verdict", "reasons", "reviews", "trace_id"]


@command(app, "list")
def list_(
    name: App,
    queue: Queue = "",
    state: StateName = "",
    verdict: VerdictName = "",
    reason: Reason = "",
    rating: RatingName = "",
    text: Text = "",
    limit: Limit = 50,
) -> Answer:
    """List items, highest priority first."""
    from llmops.tasks.review.finding import checked, find
    from llmops.tasks.traces.applications import unheard

    wanted = checked(queue, state, verdict, reason, rating, text)
    found = find(home(), name, **wanted._asdict(), limit=limit)
    warnings = [told] if (told := unheard(home(), name)) else []
    rows = [_facts(each) for each in found.items]
    data = {
        "app": name,
        "queue": queue or name,
        "total": found.total,
        "items": rows,
        "warnings": warnings,
    }
    usual = "There are none: `llmops feedback` puts some there, and whoever asks for a person."
    empty = told or usual
    return answer(data, draw.table("items", SHOWN, empty=empty))


@command(app, "show")
def show(name: App, item_id: Id) -> Answer:
    """Show an item with question, answer, what made it an item, and everything that was ever said
    of it.
    """
    from llmops.tasks.review.export import traces_of
    from llmops.tasks.review.items import item
    from llmops.tasks.review.reviewing import history
    from llmops.tasks.traces.index import feedback_on
    from llmops.tasks.triage.choose import facts

    found = item(home(), name, item_id)
    trace = traces_of(home(), [found.trace_id]).get(found.trace_id)
    texts = {"question": trace.question, "answer": trace.answer} if trace else {}
    said = [each.model_dump(mode="json") for each in history(home(), item_id)]
    users = [each.model_dump(mode="json") for each in feedback_on(home(), found.trace_id)]
    data = {
        **found.model_dump(mode="json", exclude={"reviews"}),
        **texts,
        "facts": facts(home(), found.trace_id)._asdict(),
        "feedback": [each for each in users if each["rating"]],
        "history": said,
    }
    return answer(data, _item)


@command(app, "submit")
def submit(
    name: App,
    item_id: Id,
    verdict: Annotated[
        str, typer.Option("--verdict", help="good, bad, discard; withdrawn takes it back.")
    ],
    correction: Annotated[str, typer.Option("--correction", help="A better answer.")] = "",
    relevant: Annotated[
        list[str] | None,
        typer.Option("--relevant", help="The uri of a passage that answers; repeatable."),
    ] = None,
    comment: Annotated[str, typer.Option("--comment", help="Why.")] = "",
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Who says so. Default: this machine's user.")
    ] = "",
    adjudicate: Annotated[
        bool, typer.Option("--adjudicate", help="End the item, whatever reviewers said.")
    ] = False,
) -> Answer:
    """Say what an answer is worth; a second time changes what the same person said. Good goes
    without a correction: a better answer makes this one bad.
    """
    from llmops.tasks.audit.actor import actor
    from llmops.tasks.audit.people import pseudonym
    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.review.items import item
    from llmops.tasks.review.reviewing import Review, verdict_of
    from llmops.tasks.review.reviewing import submit as submitted

    there = item(home(), name, item_id)
    said = Review(verdict_of(verdict), correction, tuple(relevant or ()), comment)
    warnings = _looked_at(there.trace_id, said)
    who = pseudonym(open_ledger(home()), f"{name}/{reviewer}" if reviewer else actor())
    done = submitted(home(), name, item_id, who, said, adjudicates=adjudicate)
    return answer({**_facts(done), "warnings": warnings}, _submitted)


@command(app, "progress")
def progress(name: App, queue: Queue = "") -> Answer:
    """Show how far the queue and its reviewers have come, and how far they agree."""
    from llmops.tasks.review import agreement
    from llmops.tasks.traces.applications import unheard

    told = unheard(home(), name)
    come = agreement.progress(home(), name, queue)
    agreed = agreement.agreement(home(), name, queue)
    data = {
        "app": name,
        **come.model_dump(mode="json"),
        "agreement": agreed.model_dump(mode="json", exclude={"queue"}),
        "warnings": [told] if told else [],
    }
    return answer(data, _progress)


@command(app, "export")
def export(
    name: App,
    out: Annotated[Path, typer.Option("--out", help="A file that ends in .jsonl or .csv.")],
    queue: Queue = "",
    state: StateName = "",
    verdict: VerdictName = "",
    reason: Reason = "",
    rating: RatingName = "",
    text: Text = "",
    limit: Limit = 10_000,
) -> Answer:
    """Write reviews with question and answer to a file, a row each; CSV holds no formulas."""
    from llmops.tasks.review.export import rows, write
    from llmops.tasks.review.finding import checked, find

    wanted = checked(queue, state, verdict, reason, rating, text)
    found = find(home(), name, **wanted._asdict(), limit=limit)
    count = write(out, rows(home(), found.items))
    data = {"app": name, "rows": count, "items": len(found.items), "path": str(out)}
    return answer(data, line(f"{draw.amount(count, 'row')} in {out}"))


def _looked_at(trace_id: str, said: "Review") -> list[str]:
    """What does not go with the answer that is reviewed. Raises UsageError for good beside a better
    answer. Passages are compared where the answer and its knowledge base are at hand.
    """
    from llmops.tasks.errors import LlmopsError
    from llmops.tasks.knowledge.absent import absent_warning
    from llmops.tasks.knowledge.handle import Handle
    from llmops.tasks.review.export import traces_of
    from llmops.tasks.review.reviewing import unsure

    if not said.relevant and unsure(said, "") is None:
        return []
    try:
        trace = traces_of(home(), [trace_id]).get(trace_id)
    except LlmopsError:
        trace = None
    if (doubt := unsure(said, trace.answer if trace else "")) is not None:
        raise doubt
    base = trace.tags.get("knowledge_base", "") if trace and said.relevant else ""
    kb = Handle(home=home(), name=base) if base else None
    if kb is None or (live := kb.live()) is None:
        return []
    named = {each: f"--relevant {each}" for each in said.relevant}
    return absent_warning(kb, live.version, named, "--relevant names")


def _submitted(console: "Console", data: "Mapping[str, object]") -> None:
    verdict = f": {data['verdict']}" if data["verdict"] else ""
    console.print(f"{data['id']} is {data['state']}{verdict}", markup=False)
    draw.warnings(console, data)


def _facts(item: "ReviewItem") -> "Mapping[str, object]":
    facts = item.model_dump(mode="json", exclude={"reviews", "held_until", "draft", "key_id"})
    standing = [each for each in item.reviews if each.verdict != "withdrawn"]
    return {**facts, "reviews": len(standing)}


def _item(console: "Console", data: "Mapping[str, object]") -> None:
    console.print(f"{data['id']} in {data['queue']}: {data['state']}", style="bold", markup=False)
    for name in ("question", "answer", "note"):
        if text := draw.printable(" ".join(str(data.get(name) or "").split())[:500]):
            console.print(f"  {name:<9} {text}", markup=False)
    users = data["feedback"]
    for each in users if isinstance(users, list) else ():
        said = draw.printable(each["correction"] or each["comment"])
        console.print(f"  user {each['rating']} {said}", markup=False)
    history = data["history"]
    for each in history if isinstance(history, list) else ():
        ruling = ", ends it" if each["adjudicates"] else ""
        who, said = each["reviewer"][:12], draw.printable(each["comment"] or each["correction"])
        console.print(f"  {who} {each['number']}: {each['verdict']}{ruling} {said}", markup=False)


def _progress(console: "Console", data: "Mapping[str, object]") -> None:
    counts = ", ".join(f"{data[name]} {name}" for name in ("open", "done", "disputed", "discarded"))
    console.print(f"{data['queue']}: {counts}", style="bold", markup=False)
    agreed = data["agreement"]
    if isinstance(agreed, dict) and agreed["alpha"] is not None:
        told = f"Krippendorff's alpha {agreed['alpha']:.2f} of {agreed['n']} items"
        console.print(f"  agreement: {told}", markup=False)
    people = data["reviewers"]
    shown = ["name", "done", "in_hand", "discarded", "agreed", "seconds"]
    draw.rows(console, people if isinstance(people, list) else [], shown, empty="No reviews yet.")
    draw.warnings(console, data)
