"""`llmops demo`: the whole idea in a minute, offline, on real text. `llmops down`: the end."""

import sys

import typer

from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command, line

app = typer.Typer()


@command(app, "demo")
def demo() -> Answer:
    """Show builds, an edit, the gate, a search and a rollback on the Python help topics. Offline,
    about a minute.
    """
    from llmops.flows.demo import Demonstration

    out = sys.stderr if "--json" in sys.argv else sys.stdout
    return Answer({"flow": "demo", "steps": Demonstration(home(), out).run()})


@command(app, "down")
def down() -> Answer:
    """End the background Prefect server of this home."""
    from llmops.flows import server

    stopped = server.stop(home())
    return answer(
        {"stopped": stopped},
        line("The Prefect server has ended." if stopped else "No server was running."),
    )
