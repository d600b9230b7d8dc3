"""`llmops users erase`: forgetting somebody who used the served application."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands._options import Yes, home
from llmops.flows.commands.traces import App, deleted_answer
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer()
users = typer.Typer(no_args_is_help=True, help="Who used the served application.")
app.add_typer(users, name="users")


@command(users, "erase")
def erase(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As requests name them in `user`.")],
    app: App,
    yes: Yes = False,
) -> Answer:
    """Forget somebody: their traces, feedback, cached and curated answers, and the link from their
    pseudonym to their name. The audit log stays whole.
    """
    from llmops.tasks.traces import deletion
    from llmops.tasks.traces.applications import applications, checked_app

    checked_app(home(), app)
    person = f"{app}/{name}"
    if not yes:
        planned = deletion.of_person(home(), person)
        told = f"{planned['traces']} traces of {name} would go; do it with --yes"
        if not any(planned.values()):
            told = _unknown(name, app, applications(home()))
        return answer({"name": name, "app": app, "deleted": False, "places": planned}, line(told))
    gone = deletion.delete_person(home(), person)
    if "people" not in gone.places:
        told = _unknown(name, app, applications(home()))
        gone = gone.model_copy(update={"remarks": (*gone.remarks, told)})
    return deleted_answer({"name": name, "app": app}, gone)


def _unknown(name: str, app: str, apps: "Sequence[str]") -> str:
    return (
        f"nobody called {name!r} has used {app!r}, or is known any more; names are as requests "
        f"give them in `user`; applications with traces here: {', '.join(apps) or 'none'}"
    )
