"""`llmops audit …`: every change of something live, by whom, and whether the log is whole."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.audit.verify import AuditCheck
    from llmops.tasks.ledger.chain import Head

app = typer.Typer(
    name="audit",
    no_args_is_help=True,
    help="The log of every change of something live: what, by whom, from what to what, why.",
)
COLUMNS = ["number", "at", "who", "action", "subject", "before", "after", "reason"]
PERSON_DIGITS = 12


@command(app, "list")
def list_(
    subject: Annotated[
        str, typer.Option("--subject", help="Only subjects that contain this.")
    ] = "",
    action: Annotated[
        str, typer.Option("--action", help="Only one kind: publish, rollback, alias, erase, …")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
) -> Answer:
    """List the changes, newest first. The first entry says what was live before the log began."""
    from llmops.tasks.audit.log import checked_action, count, entries

    chosen = checked_action(action) if action else ""
    found = entries(home(), subject=subject, action=chosen, limit=limit)
    rows = [
        each.model_dump(exclude={"hash"}) | {"who": each.who or _nobody(each.person)}
        for each in found
    ]
    return answer(
        {"entries": rows, "total": count(home())},
        draw.table("entries", COLUMNS, empty="Nothing live was changed."),
    )


@command(app, "verify")
def verify(
    expect: Annotated[
        str,
        typer.Option("--expect", help="A head that was noted down earlier: NUMBER:HASH."),
    ] = "",
) -> Answer:
    """Compute the chain again: exit 1 where an entry was altered, removed, inserted or cut off."""
    from llmops.tasks.audit.verify import verify as check

    checked = check(home(), _head(expect) if expect else None)
    return Answer(
        checked.model_dump(), lambda console: _drawn(console, checked), 0 if checked.ok else 1
    )


def _head(text: str) -> "Head":
    from llmops.tasks.errors import UsageError
    from llmops.tasks.ledger.chain import Head

    try:
        return Head.parse(text)
    except ValueError as error:
        raise UsageError(
            f"got --expect {text[:80]!r}",
            hint="NUMBER:HASH, as `llmops audit verify --json` says it in `head`",
        ) from error


def _nobody(person: str) -> str:
    """Of a person who was erased, what is left: the same for all that they did."""
    return f"erased {person[:PERSON_DIGITS]}" if person else ""


def _drawn(console: "Console", checked: "AuditCheck") -> None:
    if checked.ok and not checked.entries:
        console.print("There is no log yet: it begins with the first change.")
        return
    said = "the chain is whole" if checked.ok else "the chain is broken"
    console.print(f"entries in the log: {checked.entries:,}; {said}", markup=False)
    for problem in checked.problems:
        console.print(f"  entry {problem.number} {problem.what}", markup=False)
    for note in checked.notes:
        console.print(f"  note  {note}", markup=False)
    console.print(f"  head  {checked.head}", markup=False)
