"""`llmops demo`: the whole idea in a minute, offline, on real text."""

import sys

import typer

from llmops.flows.commands._options import home
from llmops.flows.console import Answer, command

app = typer.Typer()


@command(app, "demo", long=True, tells=True)
def demo() -> Answer:
    """Take the tour, on the Python help topics: builds, the gate, a rollback, prompts compared, the
    application, feedback and a trained ranking. Offline, two to three minutes.
    """
    from llmops.flows.demo import Demonstration

    out = sys.stderr if "--json" in sys.argv else sys.stdout
    return Answer({"flow": "demo", "steps": Demonstration(home(), out).run()})
