"""`llmops answers …`: answers that a person has written for questions to an application."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.chat.curated import CuratedAnswer

app = typer.Typer(
    name="answers",
    no_args_is_help=True,
    help="Curated answers of a served application: a question that is the same, or alike enough, "
    "gets them instead of a model's.",
)
App = Annotated[str, typer.Argument(metavar="APP", help="The application, as its config calls it.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `llmops answers list` shows it.")]
Question = Annotated[str, typer.Option("--question", help="What is asked.")]
Text = Annotated[str, typer.Option("--answer", help="What is said to it.")]
Labels = Annotated[
    str | None, typer.Option("--labels", help="Only for holders of all these labels; with commas.")
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        help="How like a question has to be, above 0; 1: the same words. Default: the config's.",
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="For the audit log.")]
SHOWN = ["id", "state", "question", "answer", "labels", "threshold", "hits"]


@command(app, "list")
def list_(
    name: App,
    retired: Annotated[bool, typer.Option("--retired", help="Also those given no more.")] = False,
) -> Answer:
    """List the curated answers of an application, oldest first, and how often each was given."""
    from llmops.tasks.chat.curated import listed
    from llmops.tasks.traces.applications import unheard

    rows = [_facts(each) for each in listed(home(), name, retired=retired)]
    told = unheard(home(), name)
    empty = told or f"There are none: llmops answers add {name} --question … --answer …"
    data = {"app": name, "answers": rows, "warnings": [told] if told else []}
    return answer(data, draw.table("answers", SHOWN, empty=empty))


@command(app, "add")
def add(
    name: App,
    question: Question = "",
    text: Text = "",
    trace: Annotated[
        str,
        typer.Option(
            "--trace", help="The answer that it corrects: gives question, correction and labels."
        ),
    ] = "",
    labels: Labels = None,
    threshold: Threshold = None,
    reason: Reason = "",
) -> Answer:
    """Give this answer to this question from now on, a second later everywhere."""
    from llmops.tasks.chat.corrections import from_trace
    from llmops.tasks.chat.curated import NewCurated
    from llmops.tasks.chat.curated import add as added
    from llmops.tasks.traces.applications import unasked

    given = NewCurated(
        question=question,
        answer=text,
        labels=frozenset(_listed(labels or "")),
        threshold=threshold,
    )
    new = from_trace(home(), name, trace, given, asks_labels=labels is None) if trace else given
    made = added(home(), name, new, reason)
    warnings = [told] if (told := unasked(home(), name)) else []
    return answer({"app": name, **_facts(made), "warnings": warnings}, _added)


@command(app, "change")
def change(
    name: App,
    key: Id,
    question: Question = "",
    text: Text = "",
    labels: Labels = None,
    threshold: Threshold = None,
    reason: Reason = "",
) -> Answer:
    """Say something else. What is not given stays as it is."""
    from llmops.tasks.chat.curated import NewCurated, one
    from llmops.tasks.chat.curated import change as changed

    before = one(home(), name, key)
    new = NewCurated(
        question=question or before.question,
        answer=text or before.answer,
        labels=before.labels if labels is None else frozenset(_listed(labels)),
        threshold=before.threshold if threshold is None else threshold,
    )
    made = changed(home(), name, key, new, reason)
    return answer({"app": name, **_facts(made)}, line(f"{made.id}: {made.question}"))


@command(app, "retire")
def retire(name: App, key: Id, reason: Reason = "") -> Answer:
    """Give an answer no more. It stays in the list, with --retired."""
    from llmops.tasks.chat.curated import retire as retired

    made = retired(home(), name, key, reason)
    return answer({"app": name, **_facts(made)}, line(f"{made.id} is given no more"))


def _added(console: "Console", data: draw.Facts) -> None:
    console.print(f"{data['id']}: {data['question']}", markup=False)
    draw.warnings(console, data)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _facts(each: "CuratedAnswer") -> dict[str, object]:
    return {
        "id": each.id,
        "state": "active" if each.retired_at is None else "retired",
        "question": each.question,
        "answer": each.answer,
        "labels": sorted(each.labels),
        "threshold": each.threshold,
        "trace_id": each.trace_id,
        "hits": each.hits,
        "created_at": each.created_at.isoformat(),
        "retired_at": each.retired_at.isoformat() if each.retired_at else None,
    }
